// SPDX-License-Identifier: Apache-2.0
#include "kernel/bpf_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <idlewarden.skel.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/files.h"
#include "base/text.h"
#include "kernel/refusal.h"
#include "kernel/replies.h"

namespace idlewarden {
namespace {

constexpr std::uint32_t kDefaultPtyMax = 4096;  // Documentation/admin-guide/sysctl/kernel.rst

// As many slots as the host may have ptys; one that is numbered higher uses the overflow map.
std::uint32_t activity_entries() {
  std::uint32_t max = kDefaultPtyMax;
  if (const auto text = Root().read("/proc/sys/kernel/pty/max")) {
    const std::string_view digits = trim(*text);
    std::from_chars(digits.data(), digits.data() + digits.size(), max);
  }
  return std::clamp<std::uint32_t>(max, 1, IDLEWARDEN_MAX_PTS);
}

bpf_program* program_of(const idlewarden_bpf& skeleton, Backend backend) {
  switch (backend) {
    case Backend::fentry: return skeleton.progs.fentry_pty_write;
    case Backend::kprobe: return skeleton.progs.kprobe_pty_write;
    case Backend::tracepoint: return skeleton.progs.tracepoint_sys_exit;
    case Backend::sampler: return nullptr;
  }
  std::unreachable();
}

}  // namespace

void BpfObject::Destroy::operator()(idlewarden_bpf* skeleton) const noexcept {
  idlewarden_bpf::destroy(skeleton);
}
void BpfObject::Destroy::operator()(bpf_link* link) const noexcept {
  bpf_link__destroy(link);
}

bpf_map* BpfObject::activity() const noexcept {
  return skeleton_->maps.activity;
}
bpf_map* BpfObject::overflow() const noexcept {
  return skeleton_->maps.overflow;
}
bpf_map* BpfObject::meta() const noexcept {
  return skeleton_->maps.meta;
}

// 0 or a negative errno, like libbpf's own.
int BpfObject::configure(Backend backend, const KernelOptions& options, const KeptMaps* kept) {
  idlewarden_bpf& skeleton = *skeleton_;
  skeleton.rodata->own_tgid = static_cast<__u32>(getpid());
  skeleton.rodata->record_output = options.record_output;
  skeleton.rodata->ignore_replies = options.ignore_terminal_replies;
  static_assert(sizeof(skeleton.rodata->reply_next) == sizeof(ReplyTable));
  std::ranges::copy(reply_table(), skeleton.rodata->reply_next);
  bpf_program__set_autoload(skeleton.progs.iterate_leaders, true);
  if (bpf_program* program = program_of(skeleton, backend)) {
    bpf_program__set_autoload(program, true);
  }
  if (kept == nullptr) return bpf_map__set_max_entries(activity(), activity_entries());
  for (const auto& [map, fd] :
       {std::pair(activity(), kept->activity.get()), std::pair(overflow(), kept->overflow.get()),
        std::pair(meta(), kept->meta.get())}) {
    if (const int error = bpf_map__reuse_fd(map, fd)) return error;
  }
  return 0;
}

int BpfObject::attach(Backend backend) {
  iterator_.reset(bpf_program__attach_iter(skeleton_->progs.iterate_leaders, nullptr));
  if (!iterator_) return -errno;
  bpf_program* program = program_of(*skeleton_, backend);
  if (program == nullptr) return 0;
  hook_.reset(bpf_program__attach(program));
  if (!hook_) return -errno;
  hook_fd_.reset(fcntl(bpf_link__fd(hook_.get()), F_DUPFD_CLOEXEC, 3));
  return hook_fd_ ? 0 : -errno;
}

void BpfObject::leave_hook() noexcept {
  // libbpf would switch a kprobe's event off when it destroys the link, pinned or not.
  const UniqueFd fd(bpf_link__fd(hook_.get()));
  bpf_link__disconnect(hook_.get());
  hook_.reset();
}

Result<BpfObject> BpfObject::load(Backend backend, const KernelOptions& options,
                                  const KeptMaps* kept) {
  const LibbpfLog log;
  const auto refused = [&](int error) {
    return std::unexpected(explain_refusal(backend, -error, log.text(), host_facts()));
  };
  Skeleton skeleton(idlewarden_bpf::open());
  if (!skeleton) return refused(-errno);
  BpfObject object(std::move(skeleton));
  if (const int error = object.configure(backend, options, kept)) return refused(error);
  if (const int error = idlewarden_bpf::load(object.skeleton_.get())) return refused(error);
  if (const int error = object.attach(backend)) return refused(error);
  return object;
}

Result<std::vector<idlewarden_leader>> BpfObject::leaders() const {
  const UniqueFd fd(bpf_iter_create(bpf_link__fd(iterator_.get())));
  if (!fd) return fail_errno("starting the task iterator");
  std::vector<idlewarden_leader> rows;
  std::size_t bytes = 0;
  constexpr std::size_t kChunkRows = 256;
  for (;;) {
    const std::size_t need = bytes / sizeof(idlewarden_leader) + kChunkRows;
    if (rows.size() < need) rows.resize(std::max({need, 2 * rows.size(), rows_last_time_}));
    const ssize_t got = read(fd.get(), reinterpret_cast<char*>(rows.data()) + bytes,
                             rows.size() * sizeof(idlewarden_leader) - bytes);
    if (got == 0) break;
    // EAGAIN: the kernel yielded after very many tasks that are no leaders.
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return fail_errno("reading the task iterator");
    bytes += static_cast<std::size_t>(got);
  }
  if (bytes % sizeof(idlewarden_leader) != 0) return fail("the task iterator ended inside a row");
  rows.resize(bytes / sizeof(idlewarden_leader));
  rows_last_time_ = rows.size() + kChunkRows;
  return rows;
}

}  // namespace idlewarden

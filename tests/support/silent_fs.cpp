// SPDX-License-Identifier: Apache-2.0
#include "support/silent_fs.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace idlewarden::test {
namespace {

constexpr std::uint64_t kOpenedId = 2;

fuse_attr attributes(std::uint64_t node) {
  fuse_attr attr{};
  attr.ino = node;
  attr.mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0444;
  attr.nlink = node == FUSE_ROOT_ID ? 2 : 1;
  attr.size = node == FUSE_ROOT_ID ? 0 : 4096;
  return attr;
}

template <class Body>
void reply(int fuse, std::uint64_t unique, const Body& body) {
  struct {
    fuse_out_header header;
    Body body;
  } out{};
  out.header = {.len = sizeof out, .error = 0, .unique = unique};
  out.body = body;
  [[maybe_unused]] const auto written = ::write(fuse, &out, sizeof out);
}

}  // namespace

bool own_mounts() {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

SilentFs::SilentFs(std::string folder)
    : folder_(std::move(folder)), fuse_(::open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK)) {
  const std::string options =
      "fd=" + std::to_string(fuse_.get()) + ",rootmode=40000,user_id=0,group_id=0,allow_other";
  if (!fuse_ ||
      ::mount("silent", folder_.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
    why_not_ = std::string("FUSE cannot be used: ") + std::strerror(errno);
    return;
  }
  server_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

SilentFs::~SilentFs() {
  rescue_ = {};
  go();
}

void SilentFs::go() {
  if (!why_not_.empty()) return;
  ::umount2(folder_.c_str(), MNT_DETACH);
  break_off();
}

void SilentFs::go_after(std::chrono::milliseconds time) {
  rescue_ = std::jthread(
      [this, until = std::chrono::steady_clock::now() + time](const std::stop_token& stop) {
        while (!stop.stop_requested() && std::chrono::steady_clock::now() < until) {
          std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
        if (!stop.stop_requested()) go();
      });
}

void SilentFs::break_off() {
  server_.request_stop();
  if (server_.joinable()) server_.join();
  fuse_.reset();
}

// Only what makes it a folder, with one file that can be opened, is answered.
void SilentFs::serve(const std::stop_token& stop) const {
  alignas(8) std::array<char, 1 << 17> buffer{};
  while (!stop.stop_requested()) {
    pollfd p{.fd = fuse_.get(), .events = POLLIN, .revents = 0};
    ::poll(&p, 1, 50);
    if (::read(fuse_.get(), buffer.data(), buffer.size()) <
        static_cast<ssize_t>(sizeof(fuse_in_header))) {
      continue;
    }
    fuse_in_header in{};
    std::memcpy(&in, buffer.data(), sizeof in);
    if (in.opcode == FUSE_INIT) {
      fuse_init_in asked{};
      std::memcpy(&asked, buffer.data() + sizeof in,
                  std::min<std::size_t>(sizeof asked, in.len - sizeof in));
      fuse_init_out answer{};
      answer.major = FUSE_KERNEL_VERSION;
      answer.minor = std::min<std::uint32_t>(asked.minor, FUSE_KERNEL_MINOR_VERSION);
      answer.max_write = 4096;
      reply(fuse_.get(), in.unique, answer);
    } else if (in.opcode == FUSE_GETATTR) {
      fuse_attr_out answer{};
      answer.attr = attributes(in.nodeid);
      reply(fuse_.get(), in.unique, answer);
    } else if (in.opcode == FUSE_LOOKUP && std::strcmp(buffer.data() + sizeof in, kOpened) == 0) {
      fuse_entry_out answer{};
      answer.nodeid = kOpenedId;
      answer.attr = attributes(kOpenedId);
      reply(fuse_.get(), in.unique, answer);
    } else if (in.opcode == FUSE_OPEN) {
      // Nor does whoever opens it next wait for a page.
      reply(fuse_.get(), in.unique,
            fuse_open_out{.fh = 0, .open_flags = FOPEN_KEEP_CACHE, .padding = 0});
    }
  }
}

}  // namespace idlewarden::test

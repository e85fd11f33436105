// SPDX-License-Identifier: Apache-2.0
#include "daemon/privileges.h"

#include <sys/capability.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <memory>
#include <type_traits>

namespace idlewarden {
namespace {

constexpr std::array<cap_value_t, 4> kNeeded{
    CAP_SYS_ADMIN,     // bpf(2), perf_event_open(2) for kprobes, TIOCVHANGUP of others' ttys
    CAP_SYS_PTRACE,    // others' /proc/PID/{exe,root,fd}, pidfd_getfd(2) of their sockets
    CAP_KILL,          // pidfd_send_signal(2) to others' processes
    CAP_DAC_OVERRIDE,  // others' ttys; the users' own shell files
};

struct CapFree {
  void operator()(cap_t caps) const noexcept { cap_free(caps); }
};
using Caps = std::unique_ptr<std::remove_pointer_t<cap_t>, CapFree>;

bool is_needed(cap_value_t cap) {
  return std::ranges::find(kNeeded, cap) != kNeeded.end();
}

// Before Linux 5.11 maps count as locked memory, and raising that limit needs a capability.
void allow_locked_memory() {
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  (void)::setrlimit(RLIMIT_MEMLOCK, &unlimited);
}

}  // namespace

Result<void> keep_only_needed_capabilities() {
  allow_locked_memory();
  const Caps now(cap_get_proc());
  const Caps kept(cap_init());
  if (!now || !kept) return fail_errno("cannot read this process's capabilities");
  for (cap_value_t cap = 0; cap < cap_max_bits(); ++cap) {
    cap_flag_value_t permitted = CAP_CLEAR;
    cap_flag_value_t may_drop = CAP_CLEAR;
    (void)cap_get_flag(now.get(), cap, CAP_PERMITTED, &permitted);
    (void)cap_get_flag(now.get(), CAP_SETPCAP, CAP_EFFECTIVE, &may_drop);
    if (is_needed(cap) && permitted == CAP_SET) {
      cap_set_flag(kept.get(), CAP_PERMITTED, 1, &cap, CAP_SET);
      cap_set_flag(kept.get(), CAP_EFFECTIVE, 1, &cap, CAP_SET);
    }
    // Under a service manager that has taken CAP_SETPCAP the bounding set is its work.
    if (!is_needed(cap) && may_drop == CAP_SET && cap_drop_bound(cap) != 0) {
      return fail_errno("cannot give a capability up");
    }
  }
  if (cap_set_proc(kept.get()) != 0) return fail_errno("cannot give capabilities up");
  return {};
}

}  // namespace idlewarden

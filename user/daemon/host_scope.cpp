// SPDX-License-Identifier: Apache-2.0
#include "daemon/host_scope.h"

#include <fmt/format.h>

#include <cerrno>

namespace idlewarden {
Result<void> HostScope::begin(const std::vector<pid_t>& pids) {
  for (const pid_t pid : pids) {
    const auto stat = procfs_.stat(pid);
    if (!stat && is_gone(stat.error())) {
      return fail(fmt::format("--only-host-pid {}: there is no such process", pid),
                  "the pid of a running sshd, as of `systemctl show -p MainPID ssh`");
    }
    if (!stat) return stat.error().during(fmt::format("looking at --only-host-pid {}", pid));
    start_ticks_[pid] = stat->start_ticks;
  }
  return {};
}

std::string HostScope::gone() {
  std::erase_if(start_ticks_, [&](const auto& known) {
    const auto& [pid, ticks] = known;
    const auto stat = procfs_.stat(pid);
    const bool ended = stat ? stat->start_ticks != ticks : is_gone(stat.error());
    if (ended) gone_.push_back(pid);
    return ended;
  });
  if (gone_.empty()) return "";
  return fmt::format("--only-host-pid: pid {} is gone, so no new login through it is looked at",
                     fmt::join(gone_, ", "));
}

}  // namespace idlewarden

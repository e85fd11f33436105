// SPDX-License-Identifier: Apache-2.0
#include "daemon/host_scope.h"

#include <fmt/format.h>

#include <cerrno>

namespace idlewarden {
namespace {

// What cannot be read for another reason says nothing about the process.
bool is_missing(const Error& error) {
  return error.code == ENOENT || error.code == ESRCH;
}

}  // namespace

Result<void> HostScope::begin(const std::vector<pid_t>& pids) {
  for (const pid_t pid : pids) {
    const auto stat = procfs_.stat(pid);
    if (!stat && is_missing(stat.error())) {
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
    const bool is_gone = stat ? stat->start_ticks != ticks : is_missing(stat.error());
    if (is_gone) gone_.push_back(pid);
    return is_gone;
  });
  if (gone_.empty()) return "";
  return fmt::format("--only-host-pid: pid {} is gone, so no new login through it is looked at",
                     fmt::join(gone_, ", "));
}

}  // namespace idlewarden

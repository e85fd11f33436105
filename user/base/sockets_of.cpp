// SPDX-License-Identifier: Apache-2.0
#include "base/sockets_of.h"

#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "base/pidfd.h"

namespace idlewarden {

Result<UniqueFd> open_process(const Procfs& procfs, pid_t pid,
                              const std::optional<std::uint64_t>& start_ticks) {
  UniqueFd process(::pidfd_open(pid, 0));
  if (!process) return fail_errno(fmt::format("cannot open process {}", pid));
  if (!start_ticks) return process;
  const auto stat = procfs.stat(pid);
  if (!stat) return std::unexpected(stat.error());
  if (stat->start_ticks != *start_ticks) {
    return fail_errno(fmt::format("process {} is another one now", pid), ESRCH);
  }
  return process;
}

Result<void> for_each_socket(const Procfs& procfs, pid_t pid,
                             const std::optional<std::uint64_t>& start_ticks,
                             const std::function<void(int, const UniqueFd&)>& with) {
  const auto fds = procfs.descriptors(pid);
  if (!fds) return std::unexpected(fds.error());
  UniqueFd process;
  for (const int fd : *fds) {
    const auto target = procfs.link(pid, fmt::format("fd/{}", fd));
    if (!target || !target->starts_with("socket:")) continue;
    if (!process) {
      auto opened = open_process(procfs, pid, start_ticks);
      if (!opened) return std::unexpected(opened.error());
      process = std::move(*opened);
    }
    const UniqueFd socket(::pidfd_getfd(process.get(), fd, 0));
    if (!socket && errno == EBADF) continue;  // closed meanwhile
    if (!socket) return fail_errno(fmt::format("cannot borrow a socket of process {}", pid));
    with(fd, socket);
  }
  return {};
}

}  // namespace idlewarden

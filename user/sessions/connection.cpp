// SPDX-License-Identifier: Apache-2.0
#include "sessions/connection.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "base/unique_fd.h"

namespace idlewarden {
namespace {

// glibc 2.36 has these in <sys/pidfd.h>; older ones do not.
UniqueFd pidfd_open(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}
UniqueFd pidfd_getfd(const UniqueFd& pidfd, int fd) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd.get(), fd, 0)));
}

// The process that started then, and no other that has its pid now.
Result<UniqueFd> open_process(const Procfs& procfs, pid_t pid, std::uint64_t start_ticks) {
  UniqueFd process = pidfd_open(pid);
  if (!process) return fail_errno(fmt::format("cannot open process {}", pid));
  const auto stat = procfs.stat(pid);
  if (!stat) return std::unexpected(stat.error());
  if (stat->start_ticks != start_ticks) {
    return fail_errno(fmt::format("process {} is another one now", pid), ESRCH);
  }
  return process;
}

using NameOf = int (*)(int, sockaddr*, socklen_t*);

std::optional<Endpoint> name_of(const UniqueFd& socket, NameOf ask) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (ask(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return std::nullopt;
  return endpoint_from(address);
}

}  // namespace

std::optional<Endpoint> endpoint_from(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN];
  if (address.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address, sizeof in);
    ::inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
    return Endpoint{text, ntohs(in.sin_port)};
  }
  if (address.ss_family != AF_INET6) return std::nullopt;
  sockaddr_in6 in6{};
  std::memcpy(&in6, &address, sizeof in6);
  if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
    ::inet_ntop(AF_INET, &in6.sin6_addr.s6_addr[12], text, sizeof text);
  } else {
    ::inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text);
  }
  return Endpoint{text, ntohs(in6.sin6_port)};
}

Result<std::optional<Connection>> connection_of(const Procfs& procfs, pid_t pid,
                                                std::uint64_t start_ticks) {
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
    const UniqueFd socket = pidfd_getfd(process, fd);
    if (!socket && errno == EBADF) continue;  // closed meanwhile
    if (!socket) return fail_errno(fmt::format("cannot borrow a socket of process {}", pid));
    auto remote = name_of(socket, ::getpeername);
    auto local = remote ? name_of(socket, ::getsockname) : std::nullopt;
    if (remote && local) return Connection{std::move(*remote), std::move(*local)};
  }
  return std::nullopt;
}

}  // namespace idlewarden

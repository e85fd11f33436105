// SPDX-License-Identifier: Apache-2.0
#include "sessions/connection.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "base/pidfd.h"
#include "base/unique_fd.h"

namespace idlewarden {
namespace {

// The process that started then, and no other that has its pid now.
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

using NameOf = int (*)(int, sockaddr*, socklen_t*);

std::optional<Endpoint> name_of(const UniqueFd& socket, NameOf ask) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (ask(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return std::nullopt;
  return endpoint_from(address);
}

// Calls `with` with each socket of the process, borrowed.
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

}  // namespace

std::vector<Endpoint> listened_at(const Procfs& procfs, pid_t listener) {
  std::vector<Endpoint> places;
  // What cannot be looked at leaves the choice as it would be without it.
  (void)for_each_socket(procfs, listener, std::nullopt, [&](int, const UniqueFd& socket) {
    int listens = 0;
    socklen_t size = sizeof listens;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0) return;
    auto local = name_of(socket, ::getsockname);
    if (listens != 0 && local) places.push_back(std::move(*local));
  });
  return places;
}

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
                                                std::uint64_t start_ticks, pid_t listener) {
  std::vector<Connection> found;
  const auto looked =
      for_each_socket(procfs, pid, start_ticks, [&](int fd, const UniqueFd& socket) {
        auto remote = name_of(socket, ::getpeername);
        auto local = remote ? name_of(socket, ::getsockname) : std::nullopt;
        if (remote && local) found.push_back({std::move(*remote), std::move(*local), fd});
      });
  if (!looked) return std::unexpected(looked.error());
  if (found.empty()) return std::nullopt;
  if (found.size() == 1 || listener <= 0) return found.front();
  const std::vector<Endpoint> places = listened_at(procfs, listener);
  const auto accepted = std::ranges::find_if(found, [&](const Connection& c) {
    return std::ranges::find(places, c.local.port, &Endpoint::port) != places.end();
  });
  return accepted == found.end() ? found.front() : *accepted;
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "sessions/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "base/sockets_of.h"
#include "base/unique_fd.h"

namespace idlewarden {
namespace {

using NameOf = int (*)(int, sockaddr*, socklen_t*);

std::optional<Endpoint> name_of(const UniqueFd& socket, NameOf ask) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (ask(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return std::nullopt;
  return endpoint_from(address);
}

Result<std::vector<Connection>> connections_of(const Procfs& procfs, pid_t pid,
                                               std::uint64_t start_ticks) {
  std::vector<Connection> found;
  const auto looked =
      for_each_socket(procfs, pid, start_ticks, [&](int fd, const UniqueFd& socket) {
        auto remote = name_of(socket, ::getpeername);
        auto local = remote ? name_of(socket, ::getsockname) : std::nullopt;
        if (remote && local) found.push_back({std::move(*remote), std::move(*local), fd});
      });
  if (!looked) return std::unexpected(looked.error());
  return found;
}

}  // namespace

std::vector<Endpoint> listened_at(const Procfs& procfs, pid_t listener) {
  using Places = std::vector<Endpoint>;
  const auto places =
      procfs.ask<Places>(listener, [listener](const Procfs& proc) -> Result<Places> {
        Places found;
        const auto looked =
            for_each_socket(proc, listener, std::nullopt, [&](int, const UniqueFd& socket) {
              int listens = 0;
              socklen_t size = sizeof listens;
              if (::getsockopt(socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0)
                return;
              auto local = name_of(socket, ::getsockname);
              if (listens != 0 && local) found.push_back(std::move(*local));
            });
        if (!looked) return std::unexpected(looked.error());
        return found;
      });
  // What cannot be looked at leaves the choice as it would be without it.
  return places.value_or(Places());
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
  auto found = procfs.ask<std::vector<Connection>>(pid, [pid, start_ticks](const Procfs& proc) {
    return connections_of(proc, pid, start_ticks);
  });
  if (!found) return std::unexpected(found.error());
  if (found->empty()) return std::nullopt;
  if (found->size() == 1 || listener <= 0) return found->front();
  const std::vector<Endpoint> places = listened_at(procfs, listener);
  const auto accepted = std::ranges::find_if(*found, [&](const Connection& c) {
    return std::ranges::find(places, c.local.port, &Endpoint::port) != places.end();
  });
  return accepted == found->end() ? found->front() : *accepted;
}

}  // namespace idlewarden

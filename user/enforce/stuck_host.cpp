// SPDX-License-Identifier: Apache-2.0
#include "enforce/stuck_host.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include <sys/socket.h>

#include <cstddef>

#include "base/sockets_of.h"
#include "base/unique_fd.h"

namespace idlewarden {
namespace {

struct Output {
  std::uint64_t unsent = 0;        // bytes that the peer has not acknowledged
  std::uint64_t acknowledged = 0;  // bytes in all, so far
};

int option(int fd, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

std::optional<Output> output_of(int fd) {
  const int domain = option(fd, SO_DOMAIN);
  if ((domain != AF_INET && domain != AF_INET6) || option(fd, SO_PROTOCOL) != IPPROTO_TCP) {
    return std::nullopt;
  }
  int unsent = 0;
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::ioctl(fd, SIOCOUTQ, &unsent) != 0 || unsent < 0 ||
      ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
      size < offsetof(tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked) {
    return std::nullopt;
  }
  return Output{static_cast<std::uint64_t>(unsent), info.tcpi_bytes_acked};
}

}  // namespace

bool StuckHost::look(const Procfs& procfs, pid_t pid) {
  const auto all = procfs.ask<Output>(pid, [pid](const Procfs& proc) -> Result<Output> {
    Output sum;
    const auto looked = for_each_socket(proc, pid, std::nullopt, [&](int, const UniqueFd& socket) {
      const auto output = output_of(socket.get());
      if (!output) return;
      sum.unsent += output->unsent;
      sum.acknowledged += output->acknowledged;
    });
    if (!looked) return std::unexpected(looked.error());
    return sum;
  });
  if (!all) return false;
  const bool moved = acknowledged_ && *acknowledged_ != all->acknowledged;
  acknowledged_ = all->acknowledged;
  return all->unsent > 0 && !moved && other_child(procfs, pid, 0) == 0;
}

std::optional<pid_t> other_child(const Procfs& procfs, pid_t host, pid_t leader) {
  const auto children = procfs.children(host);
  if (!children) return std::nullopt;
  for (const pid_t child : *children) {
    if (child == leader) continue;
    const auto stat = procfs.status(child);
    if (!stat && stat.error().code == ENOENT) continue;
    if (!stat || !stat->ended()) return child;
  }
  return 0;
}

}  // namespace idlewarden

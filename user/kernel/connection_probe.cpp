// SPDX-License-Identifier: Apache-2.0
#include "kernel/connection_probe.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <utility>

#include "base/pidfd.h"
#include "base/unique_fd.h"

namespace idlewarden {
namespace {

// tcp_info counts in ticks of the kernel, which are 10 ms at the most (CONFIG_HZ=100). They stand
// still while the machine sleeps.
constexpr Nanoseconds kTick = std::chrono::milliseconds(10);

template <class Value>
bool ask(const UniqueFd& fd, int level, int name, Value& value,
         std::size_t enough = sizeof(Value)) {
  socklen_t size = sizeof value;
  return ::getsockopt(fd.get(), level, name, &value, &size) == 0 && size >= enough;
}

// Each queue's length is asked before the counters that it is set against: what is acknowledged or
// arrives in between makes `given` and `taken` too large, never too small.
Result<void> count(const UniqueFd& socket, ConnectionBytes& bytes) {
  int protocol = 0;
  if (!ask(socket, SOL_SOCKET, SO_PROTOCOL, protocol) || protocol != IPPROTO_TCP) {
    return fail("its connection is not a TCP socket, so its bytes cannot be counted");
  }
  int unacknowledged = 0;
  int unread = 0;
  tcp_info info{};
  constexpr std::size_t kEnough =
      offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received;
  if (::ioctl(socket.get(), SIOCOUTQ, &unacknowledged) != 0 ||
      ::ioctl(socket.get(), SIOCINQ, &unread) != 0 ||
      !ask(socket, IPPROTO_TCP, TCP_INFO, info, kEnough) ||
      !ask(socket, SOL_SOCKET, SO_COOKIE, bytes.socket)) {
    return fail_errno("cannot ask a socket for its counters");
  }
  const std::chrono::milliseconds since_data(
      std::min(info.tcpi_last_data_recv, info.tcpi_last_data_sent));
  bytes.quiet = std::max(Nanoseconds(since_data) - kTick, Nanoseconds(0));
  bytes.given = info.tcpi_bytes_acked + static_cast<std::uint32_t>(unacknowledged);
  bytes.taken = info.tcpi_bytes_received - static_cast<std::uint32_t>(unread);
  return {};
}

class SystemProbe final : public ConnectionProbe {
 public:
  explicit SystemProbe(Procfs procfs) : procfs_(std::move(procfs)) {}

  Result<ConnectionBytes> look(const ConnectionEnd& end) override {
    if (end.socket < 0) return fail("its connection is not known, so its bytes cannot be counted");
    auto bytes = procfs_.ask<ConnectionBytes>(
        end.pid, [end](const Procfs& procfs) { return look_at(procfs, end); });
    if (bytes || bytes.error().code != ETIMEDOUT) return bytes;
    return fail_errno("a host process does not answer", ETIMEDOUT);
  }

 private:
  static Result<ConnectionBytes> look_at(const Procfs& procfs, const ConnectionEnd& end) {
    const UniqueFd process(::pidfd_open(end.pid, 0));
    if (!process) return fail_errno("cannot open a host process");
    const auto stat = procfs.stat(end.pid);
    if (!stat) return unreadable(procfs, stat.error());
    if (stat->start_ticks != end.start_ticks) return fail_errno("a host process has ended", ESRCH);
    if (stat->threads > 1) {
      return fail("a host process has several threads, so its bytes cannot be counted");
    }
    const auto io = procfs.io(end.pid);
    if (!io) return unreadable(procfs, io.error());
    // The process behind the descriptor still has files, so the pid was its own until now.
    const UniqueFd socket(::pidfd_getfd(process.get(), end.socket, 0));
    if (!socket) {
      return fail_errno("cannot borrow the socket of a host process",
                        errno == EBADF ? ESRCH : errno);
    }
    ConnectionBytes bytes{
        .read = io->read, .written = io->written, .children = stat->children_faults};
    if (const auto counted = count(socket, bytes); !counted) {
      return std::unexpected(counted.error());
    }
    return bytes;
  }

  // Without the pid, so that it is the same sentence for all.
  static std::unexpected<Error> unreadable(const Procfs& procfs, const Error& error) {
    const bool counted = procfs.io(::getpid()).has_value();
    if (error.code == ENOENT && counted) return fail_errno("a host process has ended", ESRCH);
    if (error.code == ENOENT) {
      return fail("the kernel does not count what processes write (CONFIG_TASK_IO_ACCOUNTING)");
    }
    return fail_errno("cannot read /proc/PID/task/PID/io of a host process", error.code);
  }

  Procfs procfs_;
};

}  // namespace

std::unique_ptr<ConnectionProbe> system_connection_probe(Procfs procfs) {
  return std::make_unique<SystemProbe>(std::move(procfs));
}

}  // namespace idlewarden

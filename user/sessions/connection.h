// SPDX-License-Identifier: Apache-2.0
// The two ends of the network connection that a process serves, asked of the kernel: what a process
// says of itself (SSH_CONNECTION, utmp) is not trusted.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/procfs.h"
#include "base/result.h"
#include "kernel/connection_probe.h"
#include "sessions/session.h"

struct sockaddr_storage;

namespace idlewarden {

struct Connection {
  Endpoint remote;
  Endpoint local;
  int descriptor = -1;  // of the socket, in the process
};

// Of the process's connected internet socket, also when that is in another network namespace; none
// if it has none (a unix socket, vsock, mosh's unconnected UDP). Of several (an sshd that forwards
// ports has one for each connection through it) the one that was accepted at a port at which
// `listener` listens, else the lowest-numbered. The socket is borrowed for a moment by
// pidfd_getfd(2), which needs PTRACE_MODE_ATTACH: without it the error's code is EPERM.
// `start_ticks` is the process's; another process with its pid is ESRCH. ETIMEDOUT: no answer, as
// of Procfs::ask().
Result<std::optional<Connection>> connection_of(const Procfs& procfs, pid_t pid,
                                                std::uint64_t start_ticks, pid_t listener = 0);

// The host process's end of the connection that a session is on.
inline ConnectionEnd connection_end(const Session& session) {
  return {session.host, start_ticks(session.host_start), session.socket};
}

// Where its sockets listen; nowhere if they cannot be looked at.
std::vector<Endpoint> listened_at(const Procfs& procfs, pid_t listener);

// None for a family other than AF_INET and AF_INET6.
std::optional<Endpoint> endpoint_from(const sockaddr_storage& address);

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// What a process that serves a network connection has read and written, in all and on the
// connection: one look, from /proc/PID/task/PID/io (proc(5)) and the socket's own counters
// (tcp(7)).
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/procfs.h"
#include "base/result.h"

namespace idlewarden {

// One process's end of a connection.
struct ConnectionEnd {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  int socket = -1;  // its descriptor there; -1: not known
  friend auto operator<=>(const ConnectionEnd&, const ConnectionEnd&) = default;
};

// Bytes since the process, or the socket, began. They are not of one moment: `read` and `written`
// are older than the other two, so what the process moved meanwhile is only in those.
struct ConnectionBytes {
  std::uint64_t read = 0;     // by the process itself, from whatever descriptor
  std::uint64_t written = 0;  // by the process itself, to whatever descriptor
  std::uint64_t taken = 0;    // out of the socket's receive queue
  std::uint64_t given = 0;    // into the socket's send queue, sent or not
  std::uint64_t socket = 0;   // SO_COOKIE: which socket this was
  // Moves when a child has ended and was waited for: a command that was run, however short.
  std::uint64_t children = 0;
  // For so long, at least, nothing has gone over the connection either way.
  Nanoseconds quiet{0};
};

// What came from the client, and what went to it: each counts from an unknown start, and may be
// negative. One look may find less than there is, never more (kernel/connection_meter.h). Modulo
// 2^64, so that a counter that is behind the other gives a small negative number.
inline std::int64_t input_of(const ConnectionBytes& bytes) {
  return static_cast<std::int64_t>(bytes.written - bytes.given);
}
inline std::int64_t output_of(const ConnectionBytes& bytes) {
  return static_cast<std::int64_t>(bytes.read - bytes.taken);
}

// So often at most a connection of which less is found than before is looked at in a row. A write
// to a socket takes microseconds; who is found in one more often than this is not idle.
inline constexpr int kConnectionLooks = 4;

class ConnectionProbe {
 public:
  virtual ~ConnectionProbe() = default;
  // code is ESRCH when the process or its socket is gone. The caller compares `socket` with that of
  // an earlier look: the same cookie is the same connection, and so the same process.
  virtual Result<ConnectionBytes> look(const ConnectionEnd& end) = 0;
};

// The socket is borrowed by pidfd_getfd(2) for the length of one look, in whatever network
// namespace it is; needs PTRACE_MODE_ATTACH and PTRACE_MODE_READ. ETIMEDOUT: no answer, as of
// Procfs::ask().
std::unique_ptr<ConnectionProbe> system_connection_probe(Procfs procfs = Procfs());

}  // namespace idlewarden

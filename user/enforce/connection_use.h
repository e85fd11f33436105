// SPDX-License-Identifier: Apache-2.0
// Whether anybody has used a connection since a session on it was seized: while a command is being
// ended, and for a grace after it, its sshd may be asked for something else. Told like the meter
// does (kernel/connection_meter.h), by the bytes that came from the client and by the children of
// the process that serves it. Used once is used for good, and so is what cannot be told: it is
// asked in order to end the connection.
//
// What it takes for use though nobody used it: what an sshd writes to a log file (-e, -E) when a
// command has ended, from LogLevel VERBOSE on. Such a connection is left to its own limit.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "base/procfs.h"
#include "kernel/connection_probe.h"

namespace idlewarden {

class ConnectionUse {
 public:
  // Looks for the first time: what comes later is use. `leader` is the child whose end is no use,
  // nor is that of others that are there from the start. `probe` is to outlive it.
  ConnectionUse(ConnectionProbe& probe, Procfs procfs, const ConnectionEnd& end, pid_t leader);

  enum class Since {
    none,
    // None so far. As long as the process has a child from the start, ended or not, that it has not
    // waited for: a command that comes and goes with it would not be seen, if not by asking often.
    none_yet,
    some,
  };
  Since look();

 private:
  std::optional<ConnectionBytes> measure() const;
  std::optional<Since> ask();

  ConnectionProbe& probe_;
  Procfs procfs_;
  ConnectionEnd end_;
  pid_t leader_;  // 0: it was waited for
  bool used_ = false;
  std::uint64_t socket_ = 0;
  std::int64_t in_ = 0;
  // ConnectionBytes::children, from when there is no other child than the leader.
  std::optional<std::uint64_t> children_;
};

}  // namespace idlewarden

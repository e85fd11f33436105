// SPDX-License-Identifier: Apache-2.0
// Sessions without a pty: `ssh host command`, sftp, scp, rsync, and a connection on which nothing
// runs (`ssh -N`, a ControlMaster that waits).
//
// sshd makes the process of each channel lead a session of its own (setsid(2) in do_exec_no_pty()
// of session.c, internal-sftp included), so it is a child of the connection's sshd that leads a
// session without a tty. Nobody else can become that: what a command starts in its turn is a child
// of the command or, when that is gone, of init. The sshd that was started for a connection leads a
// session too, before anybody has logged in and as long as the connection lasts.
#pragma once

#include <optional>
#include <vector>

#include "base/procfs.h"
#include "base/result.h"
#include "kernel/activity_source.h"
#include "sessions/host_process.h"
#include "sessions/session.h"

namespace idlewarden {

// What a session leader without a tty is.
struct NoPtyPart {
  enum class What {
    nothing,     // no business of ssh's
    listener,    // an sshd that waits for connections
    not_yet,     // nobody has logged in on this connection; an sshd that has not told its part
    channel,     // runs on a connection, behind `host`
    connection,  // was started for a connection, which `host` serves; this may be the leader itself
  };
  What what = What::nothing;
  pid_t host = 0;
  // channel: still the sshd's own executable: internal-sftp, or about to become something else.
  bool is_sshd = false;
};
// An sshd's part is read from its title (setproctitle(3)), which only it can write; that it is one,
// from its executable.
Result<NoPtyPart> no_pty_part(const Procfs& procfs, const std::vector<HostProgram>& programs,
                              const Leader& leader);

// What runs on a channel: comm of the leader, or of the one process that a shell there waits for.
std::string command_name(const Procfs& procfs, pid_t leader);

// What that was asked for as: a shell that was not asked for a command is a login shell, and what
// sshd runs for a command or a subsystem it runs by `shell -c` (do_child() of session.c).
Channel channel_of(const Procfs& procfs, pid_t leader);

// Whether a session is still what it was found to be. `leaders` is a new scan.
bool is_there(const Procfs& procfs, const std::vector<Leader>& leaders, const Session& session);

}  // namespace idlewarden

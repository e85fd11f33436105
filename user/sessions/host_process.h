// SPDX-License-Identifier: Apache-2.0
// Which process sits between a person and a pts: the one that holds the master on the person's
// behalf. Decided by what the processes are (/proc/PID/exe) and hold (the tty-index of their
// /dev/ptmx descriptors), never by what they call themselves.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/others_roots.h"
#include "base/procfs.h"
#include "base/result.h"
#include "kernel/activity_source.h"
#include "sessions/session_table.h"

namespace idlewarden {

struct Process {
  pid_t pid = 0;
  std::string executable;
};

struct HostProcess {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  Kind kind = Kind::ssh;
  std::vector<Process> ancestry;  // the host process itself, its parent, and so on
};

const HostProgram* find_program(const std::vector<HostProgram>& programs,
                                const std::string& executable);

// Whether root's sshd has forked this process, for Procfs::set_apart(): it is as that made it, and
// its user has no way into it. By OpenSSH's names alone: other servers execute the shell directly.
// Not where that sshd is an init (of a container), to which all come whose parents have gone.
bool is_forked_by_sshd(const Procfs& procfs, const std::vector<HostProgram>& programs, pid_t pid);

// The process as the host process that it is, with its ancestry.
Result<HostProcess> host_process(const Procfs& procfs, Process process, Kind kind);

// The nearest ancestor (from `parent` on) that is one of the programs and holds the master of this
// pts. Looking at what is held tells a login from a pty inside it (tmux, screen, script, sudo), and
// finds the login again when another process of it took the tty over. None: nobody, so it is an
// inner terminal or something else altogether. An error: it could not be told (code ENOENT: a
// process ended meanwhile).
Result<std::optional<HostProcess>> find_host(const Procfs& procfs,
                                             const std::vector<HostProgram>& programs, pid_t parent,
                                             const Tty& pts, OthersRoots& roots);

}  // namespace idlewarden

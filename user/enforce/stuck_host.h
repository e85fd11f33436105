// SPDX-License-Identifier: Apache-2.0
// Whether a host process (sshd and the like) only remains because its client takes nothing more.
// After a hang-up it drains what the session still said and goes; with a dead or stopped client it
// would stay for as long as TCP tries. It is told from one that has other work to do by three
// facts: it has no child left, a stream socket of its own holds output, and of that output the peer
// has acknowledged nothing since the last look (ioctl SIOCOUTQ and TCP_INFO, tcp(7)).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "base/procfs.h"

namespace idlewarden {

class StuckHost {
 public:
  // Looks at the process `pid`, whom its owner holds by a pidfd. No answer (Procfs::ask()): it is
  // not known to be stuck.
  bool look(const Procfs& procfs, pid_t pid);

 private:
  std::optional<std::uint64_t> acknowledged_;  // bytes, at the last look
};

// Another child of `host` than `leader`, 0 if there is none. Zombies do not count. nullopt: cannot
// be told.
std::optional<pid_t> other_child(const Procfs& procfs, pid_t host, pid_t leader);

}  // namespace idlewarden

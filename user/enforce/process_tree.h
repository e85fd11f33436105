// SPDX-License-Identifier: Apache-2.0
// The processes that end with a session without a terminal, which no hang-up of a tty finds: its
// leader and what that has started. Left out is what has been put aside, as on a terminal: whoever
// leads a session of their own (setsid(1)), and whoever ignores SIGHUP (nohup(1)), with what they
// started.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "base/procfs.h"
#include "base/result.h"

namespace idlewarden {

class ProcessTree {
 public:
  // A pid and its start time together are one process; no descriptor is held, so that a tree of a
  // thousand costs none.
  struct Member {
    pid_t pid = 0;
    std::uint64_t start_ticks = 0;
  };
  ProcessTree(Procfs procfs, Member leader) : procfs_(std::move(procfs)), members_{leader} {}

  // Takes in what has been started since the last call.
  void grow();
  // The leader first. Some may have ended.
  const std::vector<Member>& members() const noexcept { return members_; }
  // An error: it cannot be told.
  Result<bool> lives(const Member& member) const;
  // False also where it cannot be told.
  bool alive(const Member& member) const { return lives(member).value_or(false); }
  // True also where it cannot be told.
  bool any_alive() const;

 private:
  bool has_ended(const Member& member) const { return !lives(member).value_or(true); }
  void add_children(Member parent);

  Procfs procfs_;
  std::vector<Member> members_;
};

}  // namespace idlewarden

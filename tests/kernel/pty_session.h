// SPDX-License-Identifier: Apache-2.0
// A real session for the kernel tests: a process that leads one on a pty whose master the test
// holds, as sshd holds a user's.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/activity_source.h"

namespace idlewarden::test {

class PtySession {
 public:
  // `ptmx`: which devpts mount's.
  static Result<PtySession> start(const std::string& ptmx = "/dev/ptmx");
  PtySession(PtySession&& other) noexcept;
  PtySession& operator=(PtySession&&) = delete;
  ~PtySession();  // kills the leader and waits for it

  int master() const { return master_.get(); }
  int slave() const { return slave_.get(); }
  pid_t leader() const { return leader_; }
  unsigned index() const { return index_; }
  unsigned devpts_dev() const { return devpts_dev_; }

  void type(std::string_view bytes) const;  // as sshd would: write(2) to the master
  void discard_typed() const;               // so that the tty's input buffer never fills
  int unread() const;                       // bytes that wait on the slave
  void end_leader();
  void lead_again();  // another leader on the same pty

 private:
  PtySession() = default;

  UniqueFd master_;
  UniqueFd slave_;
  unsigned index_ = 0;
  unsigned devpts_dev_ = 0;
  pid_t leader_ = -1;
};

// A child that only leads a session, on `slave` (-1: without a tty), until it is killed. It leads
// when this returns.
pid_t fork_leader(int slave);
void end_process(pid_t pid);

// The leader's row in a fresh scan.
std::optional<Leader> row_of(ActivitySource& source, pid_t leader);

}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// The only door through which idlewarden touches somebody's session. enforce/terminate.cpp has the
// real one; tests have a fake.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "sessions/session.h"

namespace idlewarden {

// What is left of a session.
struct Alive {
  bool leader = false;  // without a tty: or what it has started
  // The host process is there, serves nothing else, and holds output of which its peer has taken
  // nothing since the last look (the first look counts as such): a dead or stopped client. Where
  // that cannot be told it is false. Of a session without a tty: the host process is there, serves
  // nothing else, and its connection was not used since the session was seized. Always false for a
  // console.
  bool host_stuck = false;
  // Without a tty: it would be, but the host process has not waited for the leader yet. To be asked
  // again soon, for as long as this is so: how its connection is used is seen by that.
  bool host_unsettled = false;
};

// A hold on one session: descriptors (pidfd_open(2), the tty) that were opened before its identity
// was checked, so that no pid, pts number or device can be reused under it. No call blocks for
// longer than a moment.
class Grip {
 public:
  virtual ~Grip() = default;
  // Writes to the tty; what does not fit (XOFF, a full buffer) is dropped and is an error EAGAIN.
  virtual Result<void> say(std::string_view text) = 0;
  // TIOCVHANGUP, ioctl_tty(2); nothing can be said after it. Without a tty: SIGHUP for the leader
  // and what it has started, SIGTERM for a connection on which nothing runs. On a tty that does not
  // answer it may never come back: it is begun then, and the leader gets SIGHUP. Says in words what
  // was done. code is ESRCH when its tty had hung up by itself: its user has just left;
  // EAGAIN when it could not be begun at once, and was not: what was decided may not hold any more.
  virtual Result<std::string> hang_up() = 0;
  // pidfd_send_signal(2); gone is no error. Without a tty what the leader has started gets it too;
  // code is EAGAIN where of some of that it cannot be told at the moment what it is.
  virtual Result<void> signal_leader(int signal) = 0;
  virtual Result<void> signal_host(int signal) = 0;
  // cgroup.kill of the session's own scope; an error where it has none of its own, and where its
  // connection, which would end with it, serves somebody else or (without a tty) was used again.
  virtual Result<void> kill_survivors() = 0;
  // The path of that scope under its hierarchy's mount point.
  virtual Result<std::string> scope() const = 0;
  virtual Alive alive() = 0;
  // Readable when the leader has exited; to be polled, not read.
  virtual int leader_fd() const noexcept = 0;
};

class Terminator {
 public:
  virtual ~Terminator() = default;
  // Opens and then proves the identity: leader's start time, controlling tty, device. code is ESRCH
  // when the session is not there any more; any other error means that nothing may be done to it.
  virtual Result<std::unique_ptr<Grip>> seize(const Session& session) = 0;
  // The same of a session that an earlier daemon has hung up, or was about to. That its leader has
  // ended is no error; of one that lives it is proven that it has lost its tty. code is EBUSY when
  // it has not: the session is whole.
  virtual Result<std::unique_ptr<Grip>> seize_again(const Session& session) = 0;
  // Where the process lies now, as Grip::scope(). code is ENOENT when it has ended.
  virtual Result<std::string> cgroup_of(pid_t process) const = 0;
};

}  // namespace idlewarden

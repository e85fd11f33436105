// SPDX-License-Identifier: Apache-2.0
// The sessions of this host, kept up to date from one scan of the session leaders to the next.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/procfs.h"
#include "base/result.h"
#include "kernel/activity_source.h"
#include "sessions/logind_sessions.h"
#include "sessions/session.h"

namespace idlewarden {

// An executable whose children on a pty are sessions of this kind.
struct HostProgram {
  std::string executable;  // absolute path as /proc/PID/exe shows it
  Kind kind = Kind::ssh;
  friend bool operator==(const HostProgram&, const HostProgram&) = default;
};
// OpenSSH before and after 9.8 (sshd, sshd-session) at the paths that distributions use, dropbear,
// mosh-server, telnetd.
std::vector<HostProgram> default_host_programs();
// One at another path. Its kind is what its file name says it is: of dropbear, mosh-server or
// telnetd, else ssh.
HostProgram host_program(std::string executable);

struct SessionScope {
  std::vector<HostProgram> hosts = default_host_programs();
  // If not empty: only sessions reached through one of these processes (host or listener).
  std::vector<pid_t> only_host_pids;
  // How long one update may wait for NSS, all in all.
  std::chrono::milliseconds nss_patience{200};
};

class SessionTable {
 public:
  // `logind`, if there is one, is looked at by every update; the caller keeps it and feeds it.
  SessionTable(Procfs procfs, const Clock& clock, SessionScope scope,
               const LogindSessions* logind = nullptr);
  ~SessionTable();

  struct Change {
    std::vector<SessionId> started;
    std::vector<Session> ended;
    // What is missing from sessions and why, by what it leads to; again in each update while it
    // is.
    std::map<std::string, Error> problems;
  };
  // Takes one scan (made at `scanned`). A session that cannot be resolved yet (its process vanished
  // meanwhile, its socket cannot be read) is tried again at the next scan and is not in the table
  // until then: unknown means not judged. Only a new leader costs reads of /proc; the name of the
  // foreground program is refreshed when another process group comes to the foreground, and in
  // rotation. What logind has removed, or says to be nobody's login, is no session. A leader that
  // outlives its logind session is one again a little later, without an id: logind's silence ends
  // nobody's limit.
  Change update(const std::vector<Leader>& leaders, BootTime scanned);
  // Before the first update: an earlier daemon took this session's tty away. Its leader is not one
  // that never had a tty.
  void hung_up(const SessionId& id);

  const std::map<SessionId, Session>& sessions() const noexcept { return sessions_; }
  const Session* find(const SessionId& id) const;
  // Root's sshds that wait for connections, as they are now.
  std::vector<AcceptingSshd> listeners();
  // The names of the groups that the session's user is in, the primary one first. nullopt: that is
  // not known at present.
  std::optional<std::vector<std::string>> groups_of(const Session& session);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::map<SessionId, Session> sessions_;
};

}  // namespace idlewarden

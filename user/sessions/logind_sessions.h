// SPDX-License-Identifier: Apache-2.0
// What systemd-logind says of this host's logins (org.freedesktop.login1(5)), and which of them a
// leader on a tty belongs to. Plain data: whoever hears logind keeps it up to date, and it is empty
// where nobody does. A logind that is silent for a while (restarted, its bus gone) takes nothing
// back, so its last word stands until it speaks again.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/procfs.h"

namespace idlewarden {

struct LogindSession {
  std::string id;                        // "3", "c1"; raw, as everything here
  std::string kind;                      // its class: "user", "greeter", ...
  std::string seat;                      // "seat0"; empty: none
  pid_t leader = 0;                      // who asked for it: an sshd, a login(1)
  std::uint64_t leader_start_ticks = 0;  // 0: it was gone already
};

// False for the classes that are nobody's login: greeter, lock-screen, background (pam_systemd(8)).
// A class that is not known is one.
bool is_login_class(std::string_view kind);

// What a session itself shows of its place in logind's list.
struct LogindClues {
  std::vector<pid_t> lineage;  // the leader and its ancestors, up to the parent of the host process
  std::string scope;           // N of the session-N.scope that the leader's cgroup lies in
};
LogindClues logind_clues(const Procfs& procfs, pid_t leader, pid_t host);
// "3" for ".../session-3.scope" and what lies below it; else empty.
std::string session_of_scope(std::string_view cgroup_path);

class LogindSessions {
 public:
  void put(LogindSession session);
  void remove(const std::string& id);
  // The whole list: what is not among these is gone.
  void retain(const std::vector<std::string>& ids);

  const LogindSession* find(const std::string& id) const;
  // The one whose leader, by pid and start time, is in the lineage. Where none is, the one whose
  // scope it is, but only if that one's leader has ended (mosh-server outlives the sshd that
  // started it): a session that somebody starts inside another by other means than PAM is not that
  // other.
  const LogindSession* of(const Procfs& procfs, const LogindClues& clues) const;

  // Moves with every change.
  std::uint64_t version() const noexcept { return version_; }

 private:
  std::map<std::string, LogindSession> sessions_;
  std::multimap<pid_t, std::string> by_leader_;
  std::uint64_t version_ = 0;
};

}  // namespace idlewarden

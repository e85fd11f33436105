// SPDX-License-Identifier: Apache-2.0
// A host of sessions at one moment, as the monitor shows it to whoever records idle gaps.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "enforce/warden.h"

namespace idlewarden::test {

class GapHost {
 public:
  struct Made {
    Session session;
    Verdict verdict;
    BootTime active{};
    bool job = false;
    std::optional<BootTime> by_file_time{};
  };

  // A session that begins, and is last active, at `at`.
  Made& log_in(pid_t pid, const std::string& user, BootTime at) {
    const SessionId id{
        .leader = pid, .start = at, .tty = 0xffff0000ULL + static_cast<unsigned>(pid)};
    ids_[pid] = id;
    Made& made = sessions_[id];
    made.session.id = id;
    made.session.user = user;
    made.session.tty_name = "pts/" + std::to_string(pid);
    made.active = at;
    return made;
  }
  Made& at(pid_t pid) { return sessions_.at(ids_.at(pid)); }
  void type(pid_t pid, BootTime when) { at(pid).active = when; }
  void log_out(pid_t pid) { sessions_.erase(ids_.at(pid)); }

  // Ascending by id. Valid until something is changed.
  std::vector<Observation> all() const {
    std::vector<Observation> out;
    out.reserve(sessions_.size());
    for (const auto& [id, made] : sessions_) {
      out.push_back({.session = &made.session,
                     .verdict = &made.verdict,
                     .last_activity = made.active,
                     .job_running = made.job,
                     .by_file_time = made.by_file_time});
    }
    return out;
  }

 private:
  std::map<SessionId, Made> sessions_;
  std::map<pid_t, SessionId> ids_;
};

}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
#include "sessions/logind_sessions.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "sessions/container.h"

namespace idlewarden {
namespace {

// "background-light" is systemd 256's background without a user manager.
constexpr std::array<std::string_view, 4> kNobodysLogin{"greeter", "lock-screen", "background",
                                                        "background-light"};
constexpr std::size_t kMostAncestors = 64;

bool runs(const Procfs& procfs, const LogindSession& session) {
  return session.leader_start_ticks != 0 &&
         procfs.lives(session.leader, session.leader_start_ticks);
}

}  // namespace

bool is_login_class(std::string_view kind) {
  return std::ranges::find(kNobodysLogin, kind) == kNobodysLogin.end();
}

std::string session_of_scope(std::string_view cgroup_path) {
  constexpr std::string_view kPrefix = "session-";
  constexpr std::string_view kSuffix = ".scope";
  for (const std::string& part : split(cgroup_path, '/')) {
    if (part.starts_with(kPrefix) && part.ends_with(kSuffix) &&
        part.size() > kPrefix.size() + kSuffix.size()) {
      return part.substr(kPrefix.size(), part.size() - kPrefix.size() - kSuffix.size());
    }
  }
  return {};
}

LogindClues logind_clues(const Procfs& procfs, pid_t leader, pid_t host) {
  LogindClues clues;
  clues.scope = session_of_scope(cgroup_path_of(procfs, leader));
  // A login without a host process has its login(1) as the leader's parent; the privileged half of
  // an sshd is the parent of the other.
  bool last = host == 0;
  for (pid_t pid = leader; pid > 1 && clues.lineage.size() < kMostAncestors;) {
    clues.lineage.push_back(pid);
    if (last && clues.lineage.size() > 1) break;
    last = last || pid == host;
    const auto stat = procfs.stat(pid);
    if (!stat) break;
    pid = stat->parent;
  }
  return clues;
}

void LogindSessions::put(LogindSession session) {
  remove(session.id);
  by_leader_.emplace(session.leader, session.id);
  std::string id = session.id;
  sessions_.insert_or_assign(std::move(id), std::move(session));
  ++version_;
}

void LogindSessions::remove(const std::string& id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  const auto [first, last] = by_leader_.equal_range(found->second.leader);
  by_leader_.erase(
      std::find_if(first, last, [&](const auto& entry) { return entry.second == id; }));
  sessions_.erase(found);
  ++version_;
}

void LogindSessions::retain(const std::vector<std::string>& ids) {
  std::vector<std::string> gone;
  for (const auto& [id, session] : sessions_) {
    if (std::ranges::find(ids, id) == ids.end()) gone.push_back(id);
  }
  for (const std::string& id : gone) remove(id);
}

const LogindSession* LogindSessions::find(const std::string& id) const {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : &found->second;
}

const LogindSession* LogindSessions::of(const Procfs& procfs, const LogindClues& clues) const {
  for (const pid_t pid : clues.lineage) {
    const auto [first, last] = by_leader_.equal_range(pid);
    for (auto entry = first; entry != last; ++entry) {
      const LogindSession& session = sessions_.at(entry->second);
      if (runs(procfs, session)) return &session;
    }
  }
  const LogindSession* scope = clues.scope.empty() ? nullptr : find(clues.scope);
  return scope != nullptr && !runs(procfs, *scope) ? scope : nullptr;
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "enforce/process_tree.h"

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace idlewarden {
namespace {

// A step must not block: whoever forks without end is ended with the leader and those found.
constexpr std::size_t kMost = 1000;

}  // namespace

// For want of a descriptor nobody is dead.
Result<bool> ProcessTree::lives(const Member& member) const {
  const auto stat = procfs_.stat(member.pid);
  if (!stat && !is_gone(stat.error())) return std::unexpected(stat.error());
  return stat && stat->start_ticks == member.start_ticks && !stat->ended();
}

bool ProcessTree::any_alive() const {
  return !std::ranges::all_of(members_, [this](const Member& m) { return has_ended(m); });
}

void ProcessTree::grow() {
  const auto ended = std::remove_if(members_.begin() + 1, members_.end(),
                                    [this](const Member& m) { return has_ended(m); });
  members_.erase(ended, members_.end());
  for (std::size_t i = 0; i < members_.size() && members_.size() < kMost; ++i) {
    if (alive(members_[i])) add_children(members_[i]);
  }
}

void ProcessTree::add_children(Member parent) {
  const pid_t session = members_.front().pid;
  for (const pid_t child : procfs_.children(parent.pid).value_or(std::vector<pid_t>())) {
    if (members_.size() >= kMost) return;
    if (std::ranges::find(members_, child, &Member::pid) != members_.end()) continue;
    const auto stat = procfs_.stat(child);
    if (!stat || stat->parent != parent.pid || stat->session != session) continue;
    if (procfs_.ignores(child, SIGHUP).value_or(true)) continue;
    // As long as the parent is the one that was meant, the child is its child.
    if (alive(parent)) members_.push_back({child, stat->start_ticks});
  }
}

}  // namespace idlewarden

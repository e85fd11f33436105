// SPDX-License-Identifier: Apache-2.0
#include "report/idle_gaps.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "base/text.h"

namespace idlewarden {
namespace {

constexpr Nanoseconds kTallyFor = std::chrono::days(30);
constexpr Nanoseconds kFoundAgainWithin = Seconds(60);
constexpr std::size_t kNameBytes = 64;
constexpr const char* kOtherRules = "(other rules)";

static_assert(kGapLimits.size() <= 64, "a bit for each limit");
static_assert(std::ranges::is_sorted(kGapLimits));

Spared spared_by(const Verdict& verdict) {
  if (verdict.decided_by == Origin::rule && !verdict.limit) return Spared::never;
  return verdict.action == Action::alert ? Spared::alert : Spared::no;
}

void set_group(GapGroup& group, const Observation& o) {
  group.kind = o.session->kind;
  group.spared = spared_by(*o.verdict);
  if (!o.verdict->rule) {
    group.rule.clear();
  } else if (group.rule != *o.verdict->rule) {  // at every look, so not by what it prints as
    group.rule = printable(*o.verdict->rule, kNameBytes);
  }
}

template <class Array>
void add_up(Array& to, const Array& from) {
  std::ranges::transform(to, from, to.begin(), std::plus());
}

// How much a user is left alone: by the longest gap, then by the newest.
std::pair<std::uint32_t, WallTime> weight(const std::vector<UserHit>& hits) {
  return {hits.back().reached, hits.back().last};
}

void put(std::vector<UserHit>& hits, const UserHit& hit) {
  const auto at = std::ranges::lower_bound(hits, hit.reached, {}, &UserHit::reached);
  if (at == hits.end() || at->reached != hit.reached) {
    hits.insert(at, hit);
    return;
  }
  at->sessions += hit.sessions;
  at->last = std::max(at->last, hit.last);
}

}  // namespace

std::size_t limits_reached(Nanoseconds gap) {
  return static_cast<std::size_t>(std::ranges::upper_bound(kGapLimits, gap) - kGapLimits.begin());
}

std::string_view to_string(Spared spared) {
  switch (spared) {
    case Spared::no: return "no";
    case Spared::never: return "never";
    case Spared::alert: return "alert";
  }
  std::unreachable();
}

GroupCounts& GapTally::group(GapGroup key) {
  if (groups.size() >= kMaxGroups && !groups.contains(key)) key.rule = kOtherRules;
  return groups[std::move(key)];
}

void GapTally::add(const GapSession& session, WallTime now) {
  const std::size_t reached = limits_reached(session.longest_so_far());
  GroupCounts& counts = group(session.group);
  ++counts.sessions;
  counts.time += std::chrono::floor<Seconds>(session.last_seen - session.first_seen);
  ++counts.longest[reached];
  for (std::size_t i = 0; i < kGapLimits.size(); ++i) counts.warned[i] += session.warned >> i & 1;
  if (session.group.spared != Spared::no || reached == 0) return;
  add_hits(session.user, {{.reached = static_cast<std::uint32_t>(reached),
                           .sessions = 1,
                           .last = session.gap > session.longest ? now : session.longest_at}});
}

void GapTally::add_hits(const std::string& user, const std::vector<UserHit>& hits) {
  const auto to_others = [this](const std::vector<UserHit>& some) {
    for (const UserHit& hit : some) other_users[hit.reached] += hit.sessions;
  };
  auto known = users.find(user);
  if (known == users.end()) {
    if (users.size() >= kMaxUsers) {
      const auto least = std::ranges::min_element(
          users, {}, [](const auto& entry) { return weight(entry.second); });
      if (weight(hits) <= weight(least->second)) return to_others(hits);
      to_others(least->second);
      users.erase(least);
    }
    known = users.try_emplace(user).first;
  }
  for (const UserHit& hit : hits) put(known->second, hit);
}

void GapTally::add(const GapTally& other) {
  looks += other.looks;
  watched += other.watched;
  longest_pause = std::max(longest_pause, other.longest_pause);
  not_watched += other.not_watched;
  for (const auto& [key, theirs] : other.groups) {
    GroupCounts& ours = group(key);
    ours.sessions += theirs.sessions;
    ours.time += theirs.time;
    add_up(ours.longest, theirs.longest);
    add_up(ours.warned, theirs.warned);
  }
  for (const auto& [user, hits] : other.users) add_hits(user, hits);
  add_up(other_users, other.other_users);
  ended_by_us += other.ended_by_us;
  cut += other.cut;
  unrecorded = std::max(unrecorded, other.unrecorded);
}

void IdleGaps::end_gap(GapSession& session, bool by_input, WallTime at) const {
  const Nanoseconds gap = std::exchange(session.gap, Nanoseconds(0));
  const Nanoseconds longest = std::max(session.longest, gap);
  if (by_input && warn > Seconds(0)) {
    for (std::size_t i = limits_reached(longest); i < kGapLimits.size(); ++i) {
      // As for a real limit: never more than half of it.
      if (gap < kGapLimits[i] - std::min(warn, kGapLimits[i] / 2)) break;
      session.warned |= std::uint64_t{1} << i;
    }
  }
  if (gap > session.longest) session.longest_at = at;
  session.longest = longest;
}

void IdleGaps::see(GapSession& session, const Observation& o, BootTime now, WallTime wall) {
  const bool restored = std::exchange(session.restored, false);
  if (o.last_activity > session.last_activity) {
    // Activity that is no older than this run: what kept the input over the restart did not keep
    // it, and the clock of the session began anew.
    const bool forgotten = restored && o.last_activity >= resumed_at;
    if (forgotten && limits_reached(session.gap) > 0) ++recent.cut;
    end_gap(session, !forgotten, wall);
  }
  session.last_activity = o.last_activity;
  session.last_seen = now;
  session.job_running = o.job_running;
  session.by_file_time = o.by_file_time;
  if (!o.job_running) session.gap = std::max(now - o.last_activity, Nanoseconds(0));
  set_group(session.group, o);
}

void IdleGaps::look(BootTime now, WallTime wall, const std::vector<Observation>& all) {
  if (last_look != BootTime{}) {
    const Nanoseconds pause = std::max(now - last_look, Nanoseconds(0));
    recent.longest_pause = std::max(recent.longest_pause, pause);
    recent.watched += pause;
    ++recent.looks;
  }
  last_look = now;
  last_look_wall = wall;
  if (recent.watched >= kTallyFor) {
    older = std::exchange(recent, {});
    recent.since = wall;
  }

  auto at = live.begin();
  const auto leave = [&] {
    if (at->second.restored && now - resumed_at < kFoundAgainWithin) {
      ++at;
      return;
    }
    recent.add(at->second, wall);
    at = live.erase(at);
  };
  std::uint64_t unrecorded = 0;
  for (const Observation& o : all) {
    const SessionId& id = o.session->id;
    while (at != live.end() && at->first < id) leave();
    if (at == live.end() || at->first != id) {
      if (live.size() >= kMaxLive) {
        ++unrecorded;
        continue;
      }
      at = live.try_emplace(at, id,
                            GapSession{.group = {},
                                       .user = printable(o.session->user, kNameBytes),
                                       .tty = printable(o.session->tty_name, kNameBytes),
                                       .first_seen = std::min(o.last_activity, now),
                                       .last_activity = o.last_activity});
    }
    see(at->second, o, now, wall);
    ++at;
  }
  while (at != live.end()) leave();
  recent.unrecorded = std::max(recent.unrecorded, unrecorded);
}

void IdleGaps::resume(BootTime now, WallTime wall, bool same_boot) {
  resumed_at = now;
  if (same_boot && last_look <= now) {
    if (last_look != BootTime{}) recent.not_watched += now - last_look;
    for (auto& [id, session] : live) session.restored = true;
    last_look = {};
    return;
  }
  for (const auto& [id, session] : live) recent.add(session, last_look_wall);
  live.clear();
  last_look = {};
  recent.not_watched += std::max<Nanoseconds>(wall - last_look_wall, Nanoseconds(0));
}

GapTally IdleGaps::total() const {
  GapTally all = older;
  if (all.since == WallTime{}) all.since = recent.since;
  all.add(recent);
  for (const auto& [id, session] : live) all.add(session, last_look_wall);
  return all;
}

}  // namespace idlewarden

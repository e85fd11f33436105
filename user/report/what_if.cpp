// SPDX-License-Identifier: Apache-2.0
#include "report/what_if.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "base/duration.h"
#include "base/text.h"

namespace idlewarden {
namespace {

constexpr std::size_t kMostLimits = 12;

// Sessions whose longest gap reached the limit of this index.
template <class Counts>
std::uint64_t ended_by(const Counts& longest, std::size_t limit) {
  return std::accumulate(longest.begin() + static_cast<std::ptrdiff_t>(limit) + 1, longest.end(),
                         std::uint64_t{0});
}

std::size_t index_of(Seconds limit) {
  return limits_reached(limit) - 1;
}

WhatIf::Hit hit_of(const std::vector<UserHit>& hits, std::size_t limit) {
  WhatIf::Hit sum;
  for (const UserHit& hit : hits) {
    if (hit.reached <= limit) continue;
    sum.sessions += hit.sessions;
    sum.last = std::max(sum.last, hit.last);
  }
  return sum;
}

void add_groups(WhatIf& out, const GapTally& all) {
  for (const auto& [key, counts] : all.groups) {
    const bool spared = key.spared != Spared::no;
    out.sessions += counts.sessions;
    out.time += counts.time;
    if (spared) out.spared += counts.sessions;
    WhatIf::Group group{key, counts.sessions, counts.time, {}, {}};
    for (WhatIf::Limit& limit : out.limits) {
      const std::size_t i = index_of(limit.limit);
      group.ended.push_back(ended_by(counts.longest, i));
      group.warned.push_back(counts.warned[i]);
      if (spared) continue;
      limit.ended += group.ended.back();
      limit.warned += group.warned.back();
    }
    out.groups.push_back(std::move(group));
  }
}

void add_users(WhatIf& out, const GapTally& all) {
  for (const auto& [name, hits] : all.users) {
    WhatIf::User user{name, {}};
    for (WhatIf::Limit& limit : out.limits) {
      user.hits.push_back(hit_of(hits, index_of(limit.limit)));
      if (user.hits.back().sessions > 0) ++limit.users;
    }
    if (user.hits.front().sessions > 0) out.users.push_back(std::move(user));
  }
  std::ranges::stable_sort(out.users, std::greater(), [](const WhatIf::User& user) {
    return std::pair(user.hits.front().sessions, user.hits.front().last);
  });
  for (WhatIf::Limit& limit : out.limits) {
    limit.sessions_of_others = ended_by(all.other_users, index_of(limit.limit));
  }
}

void add_idle_now(WhatIf& out, const IdleGaps& gaps) {
  for (const auto& [id, session] : gaps.live) {
    // One that was not found again yet may be gone.
    if (session.group.spared != Spared::no || session.job_running || session.restored) continue;
    for (WhatIf::Limit& limit : out.limits) {
      if (session.gap >= limit.limit) ++limit.idle_now;
    }
    const Nanoseconds by_file =
        session.by_file_time ? session.last_seen - *session.by_file_time : Nanoseconds(0);
    const Seconds shortest = out.limits.front().limit;
    if (session.gap < shortest && by_file < shortest) continue;
    auto& list = session.gap < shortest ? out.by_file_time : out.idle_now;
    list.push_back({id, session.group.kind, session.user, session.tty,
                    session.gap < shortest ? by_file : session.gap});
  }
  for (std::vector<WhatIf::IdleNow>* list : {&out.idle_now, &out.by_file_time}) {
    std::ranges::stable_sort(*list, std::greater(), &WhatIf::IdleNow::idle);
    if (list->size() > WhatIf::kMostIdle) list->resize(WhatIf::kMostIdle);
  }
}

}  // namespace

Result<std::vector<Seconds>> what_if_limits(std::string_view text) {
  using std::chrono::minutes;
  if (text.empty())
    return std::vector<Seconds>{minutes(5), minutes(10), minutes(15), minutes(30), minutes(60)};
  std::set<Seconds> limits;
  for (const std::string& word : split(text, ',')) {
    const auto limit = parse_duration(word);
    if (!limit) {
      return fail(fmt::format("'{}' is no duration", printable(word, 64)), "as in 90, 5m, 1h30m");
    }
    if (*limit < kGapLimits.front()) {
      return fail(fmt::format("{} is too short: idle times are counted from {} on",
                              format_duration(*limit), format_duration(kGapLimits.front())));
    }
    limits.insert(*limit);
  }
  if (limits.size() > kMostLimits) {
    return fail(fmt::format("at most {} limits at a time", kMostLimits));
  }
  return std::vector<Seconds>(limits.begin(), limits.end());
}

WhatIf what_if(const IdleGaps& gaps, const std::vector<Seconds>& limits) {
  const GapTally all = gaps.total();
  WhatIf out;
  out.since = all.since;
  out.as_of = gaps.last_look_wall;
  out.watched = all.watched;
  out.not_watched = all.not_watched;
  if (all.looks > 0) out.mean_pause = all.watched / static_cast<std::int64_t>(all.looks);
  out.longest_pause = all.longest_pause;
  out.warn = gaps.warn;
  out.live = static_cast<std::uint64_t>(
      std::ranges::count_if(gaps.live, [](const auto& entry) { return !entry.second.restored; }));
  out.ended_by_us = all.ended_by_us;
  out.cut = all.cut;
  out.unrecorded = all.unrecorded;
  for (const Seconds asked : limits) {
    WhatIf::Limit& limit = out.limits.emplace_back();
    limit.asked = asked;
    limit.limit = kGapLimits[index_of(asked)];
  }
  add_groups(out, all);
  add_users(out, all);
  add_idle_now(out, gaps);
  return out;
}

}  // namespace idlewarden

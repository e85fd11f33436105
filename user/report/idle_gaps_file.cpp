// SPDX-License-Identifier: Apache-2.0
#include "report/idle_gaps_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "report/text.h"

namespace idlewarden {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFormat = "idlewarden idle gaps";
constexpr int kVersion = 1;

// Thrown and caught in this file only, beside the library's own.
struct Broken {
  std::string why;
};
void expect(bool holds, const char* why) {
  if (!holds) throw Broken{why};
}

// Wall times are kept to the second, everything else to the nanosecond.
std::int64_t unix_time(WallTime t) {
  return std::chrono::floor<Seconds>(t).time_since_epoch().count();
}
WallTime wall_time(const Json& json) {
  const auto seconds = json.get<std::int64_t>();
  expect(seconds >= 0 && seconds < 1LL << 33, "a time is out of range");
  return WallTime(Seconds(seconds));
}
// Small enough for two of them to be added.
Nanoseconds span(const Json& json) {
  const auto ns = json.get<std::int64_t>();
  expect(ns >= 0 && ns < 1LL << 61, "a length of time is out of range");
  return Nanoseconds(ns);
}
Seconds long_span(const Json& json) {
  const auto seconds = json.get<std::int64_t>();
  expect(seconds >= 0 && seconds < 1LL << 50, "a length of time is out of range");
  return Seconds(seconds);
}
BootTime boot(const Json& json) {
  return BootTime(span(json));
}
std::uint64_t number(const Json& json) {
  expect(json.is_number_unsigned(), "a count is not one");
  return json.get<std::uint64_t>();
}
std::string name(const Json& json) {
  return printable(json.get<std::string>(), 64);
}

template <class Array>
void get_counts(const Json& json, Array& counts) {
  expect(json.is_array() && json.size() == counts.size(), "a histogram has another length");
  std::ranges::transform(json, counts.begin(), number);
}

Json group_json(const GapGroup& group) {
  return {
      {"kind", to_string(group.kind)}, {"rule", group.rule}, {"spared", to_string(group.spared)}};
}

GapGroup group_from(const Json& json) {
  const auto kind = kind_from(json.at("kind").get<std::string>());
  expect(kind.has_value(), "a kind of session is not known");
  const auto spared = json.at("spared").get<std::string>();
  for (const Spared one : {Spared::no, Spared::never, Spared::alert}) {
    if (to_string(one) == spared) return {*kind, name(json.at("rule")), one};
  }
  throw Broken{"what spares a group is not known"};
}

Json tally_json(const GapTally& tally) {
  Json groups = Json::array();
  for (const auto& [key, counts] : tally.groups) {
    Json group = group_json(key);
    group["sessions"] = counts.sessions;
    group["seconds"] = counts.time.count();
    group["longest"] = counts.longest;
    group["warned"] = counts.warned;
    groups.push_back(std::move(group));
  }
  Json users = Json::object();
  for (const auto& [user, hits] : tally.users) {
    Json& list = users[user] = Json::array();
    for (const UserHit& hit : hits) {
      list.push_back(Json::array({hit.reached, hit.sessions, unix_time(hit.last)}));
    }
  }
  return {{"since", unix_time(tally.since)},
          {"looks", tally.looks},
          {"watched_ns", tally.watched.count()},
          {"longest_pause_ns", tally.longest_pause.count()},
          {"not_watched_ns", tally.not_watched.count()},
          {"ended_by_us", tally.ended_by_us},
          {"cut", tally.cut},
          {"unrecorded", tally.unrecorded},
          {"groups", std::move(groups)},
          {"users", std::move(users)},
          {"other_users", tally.other_users}};
}

std::vector<UserHit> hits_from(const Json& json) {
  std::vector<UserHit> hits;
  expect(json.is_array() && !json.empty(), "a user without a session");
  for (const Json& hit : json) {
    const std::uint64_t reached = number(hit.at(0));
    expect(reached > 0 && reached <= kGapLimits.size(), "a user's gap is out of range");
    expect(hits.empty() || hits.back().reached < reached, "a user's gaps are out of order");
    hits.push_back({.reached = static_cast<std::uint32_t>(reached),
                    .sessions = number(hit.at(1)),
                    .last = wall_time(hit.at(2))});
  }
  return hits;
}

GapTally tally_from(const Json& json) {
  GapTally tally;
  tally.since = wall_time(json.at("since"));
  tally.looks = number(json.at("looks"));
  tally.watched = span(json.at("watched_ns"));
  tally.longest_pause = span(json.at("longest_pause_ns"));
  tally.not_watched = span(json.at("not_watched_ns"));
  tally.ended_by_us = number(json.at("ended_by_us"));
  tally.cut = number(json.at("cut"));
  tally.unrecorded = number(json.at("unrecorded"));
  for (const Json& group : json.at("groups")) {
    GroupCounts& counts = tally.groups[group_from(group)];
    counts.sessions = number(group.at("sessions"));
    counts.time = long_span(group.at("seconds"));
    get_counts(group.at("longest"), counts.longest);
    get_counts(group.at("warned"), counts.warned);
  }
  for (const auto& [user, hits] : json.at("users").items()) {
    tally.users[printable(user, 64)] = hits_from(hits);
  }
  expect(tally.users.size() <= GapTally::kMaxUsers, "too many users");
  get_counts(json.at("other_users"), tally.other_users);
  return tally;
}

Json session_json(const SessionId& id, const GapSession& session) {
  Json json = group_json(session.group);
  json["pid"] = id.leader;
  json["start"] = id.start.time_since_epoch().count();
  json["address"] = id.tty;
  json["user"] = session.user;
  json["tty"] = session.tty;
  json["first_seen"] = session.first_seen.time_since_epoch().count();
  json["last_seen"] = session.last_seen.time_since_epoch().count();
  json["last_activity"] = session.last_activity.time_since_epoch().count();
  json["gap"] = session.gap.count();
  json["longest"] = session.longest.count();
  json["longest_at"] = unix_time(session.longest_at);
  json["warned"] = session.warned;
  return json;
}

void add_session(const Json& json, std::map<SessionId, GapSession>& live) {
  const SessionId id{.leader = json.at("pid").get<pid_t>(),
                     .start = boot(json.at("start")),
                     .tty = number(json.at("address"))};
  GapSession& session = live[id];
  session.group = group_from(json);
  session.user = name(json.at("user"));
  session.tty = name(json.at("tty"));
  session.first_seen = boot(json.at("first_seen"));
  session.last_seen = boot(json.at("last_seen"));
  expect(session.first_seen <= session.last_seen, "a session ends before it begins");
  session.last_activity = boot(json.at("last_activity"));
  session.gap = span(json.at("gap"));
  session.longest = span(json.at("longest"));
  session.longest_at = wall_time(json.at("longest_at"));
  session.warned = number(json.at("warned"));
}

KeptGaps kept_from(const Json& json) {
  expect(json.is_object() && json.value("format", "") == kFormat, "it is no record of idle gaps");
  expect(json.at("version") == kVersion, "it is of another version");
  std::vector<std::int64_t> limits;
  for (const Seconds limit : kGapLimits) limits.push_back(limit.count());
  expect(json.at("limits") == Json(limits), "it counts other limits");
  KeptGaps kept;
  kept.boot_id = json.at("boot_id").get<std::string>();
  IdleGaps& gaps = kept.gaps;
  gaps.last_look = boot(json.at("last_look"));
  gaps.last_look_wall = wall_time(json.at("last_look_wall"));
  gaps.warn = long_span(json.at("warn"));
  gaps.older = tally_from(json.at("older"));
  gaps.recent = tally_from(json.at("recent"));
  for (const Json& session : json.at("live")) add_session(session, gaps.live);
  expect(gaps.live.size() <= IdleGaps::kMaxLive, "too many sessions");
  return kept;
}

}  // namespace

std::string kept_gaps_text(const KeptGaps& kept) {
  const IdleGaps& gaps = kept.gaps;
  Json limits = Json::array();
  for (const Seconds limit : kGapLimits) limits.push_back(limit.count());
  Json live = Json::array();
  for (const auto& [id, session] : gaps.live) live.push_back(session_json(id, session));
  return dump({{"format", kFormat},
               {"version", kVersion},
               {"boot_id", kept.boot_id},
               {"last_look", gaps.last_look.time_since_epoch().count()},
               {"last_look_wall", unix_time(gaps.last_look_wall)},
               {"warn", gaps.warn.count()},
               {"limits", std::move(limits)},
               {"older", tally_json(gaps.older)},
               {"recent", tally_json(gaps.recent)},
               {"live", std::move(live)}}) +
         "\n";
}

Result<KeptGaps> kept_gaps_from(std::string_view text) {
  try {
    return kept_from(Json::parse(text));
  } catch (const Broken& broken) {
    return fail(broken.why);
  } catch (const nlohmann::json::exception& e) {
    return fail(fmt::format("it cannot be read: {}", printable(e.what())));
  }
}

}  // namespace idlewarden

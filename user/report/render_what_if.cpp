// SPDX-License-Identifier: Apache-2.0
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/duration.h"
#include "base/text.h"
#include "report/text.h"
#include "report/what_if.h"

namespace idlewarden {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kColumns = 80;
constexpr std::size_t kIdleShown = 10;

Json moment(WallTime t) {
  return t == WallTime{} ? Json(nullptr) : Json(rfc3339(t));
}

double hours(Seconds s) {
  return to_ms_precision(static_cast<double>(s.count()) / 3600);
}

Json limit_json(const WhatIf::Limit& limit) {
  return {{"asked_seconds", limit.asked.count()},
          {"limit_seconds", limit.limit.count()},
          {"ended", limit.ended},
          {"warned", limit.warned},
          {"users", limit.users},
          {"sessions_of_other_users", limit.sessions_of_others},
          {"idle_now", limit.idle_now}};
}

Json group_json(const WhatIf& w, const WhatIf::Group& group) {
  Json by_limit = Json::array();
  for (std::size_t i = 0; i < w.limits.size(); ++i) {
    by_limit.push_back({{"limit_seconds", w.limits[i].limit.count()},
                        {"ended", group.ended[i]},
                        {"warned", group.warned[i]}});
  }
  return {{"kind", to_string(group.group.kind)},     {"rule", text_or_null(group.group.rule)},
          {"spared", to_string(group.group.spared)}, {"sessions", group.sessions},
          {"session_hours", hours(group.time)},      {"by_limit", std::move(by_limit)}};
}

Json user_json(const WhatIf& w, const WhatIf::User& user) {
  Json by_limit = Json::array();
  for (std::size_t i = 0; i < w.limits.size(); ++i) {
    by_limit.push_back({{"limit_seconds", w.limits[i].limit.count()},
                        {"sessions", user.hits[i].sessions},
                        {"last", moment(user.hits[i].last)}});
  }
  return {{"user", text_or_null(user.name)}, {"by_limit", std::move(by_limit)}};
}

Json idle_json(const WhatIf::IdleNow& one) {
  return {{"session", one.id.text()},
          {"kind", to_string(one.kind)},
          {"user", text_or_null(one.user)},
          {"tty", text_or_null(one.tty)},
          {"idle_seconds", to_ms_precision(to_seconds(one.idle))}};
}

// "2026-11-22 11:10Z"
std::string minute(WallTime t) {
  const std::string text = rfc3339(t);
  return text.substr(0, 10) + " " + text.substr(11, 5) + "Z";
}

std::string plural(std::uint64_t n, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

// Broken between words.
std::string wrapped(std::string_view sentence) {
  std::string out;
  std::size_t column = 0;
  for (const std::string& word : split(sentence, ' ')) {
    if (column > 0 && column + 1 + word.size() > kColumns) {
      out += "\n";
      column = 0;
    }
    if (column > 0) {
      out += " ";
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out + "\n";
}

std::string heading(const WhatIf& w) {
  if (w.as_of == WallTime{}) return "Nothing has been recorded yet.\n";
  std::string out = fmt::format("Recorded {} to {}: {} watched", minute(w.since), minute(w.as_of),
                                short_duration(w.watched));
  if (w.not_watched >= Seconds(1)) {
    out += fmt::format(", {} not", short_duration(w.not_watched));
  }
  out += fmt::format("\n{} ({} live), {:.1f} session-hours",
                     plural(w.sessions, "session", "sessions"), w.live, hours(w.time));
  if (w.spared > 0) {
    out += fmt::format("; {} of them spared by a rule", w.spared);
  }
  return out + "\n";
}

std::string limits_table(const WhatIf& w) {
  const std::uint64_t of = w.sessions - w.spared;
  const auto share = [of](std::uint64_t n) {
    return of == 0 ? std::string("-") : fmt::format("{}%", (n * 100 + of / 2) / of);
  };
  std::string out = "LIMIT     ENDED         WARNED         USERS  IDLE NOW\n";
  for (const WhatIf::Limit& limit : w.limits) {
    out += fmt::format(
        "{:<6}  {:>7} {:>5}  {:>7} {:>5}  {:>7}  {:>8}\n", format_duration(limit.limit),
        limit.ended, share(limit.ended), limit.warned, share(limit.warned),
        fmt::format("{}{}", limit.users, limit.sessions_of_others > 0 ? "+" : ""), limit.idle_now);
  }
  return out;
}

std::string legend(const WhatIf& w) {
  std::string out = wrapped(
      "ENDED: sessions left without input for so long, each counted once. WARNED: sessions in "
      "which a key came after the warning" +
      (w.warn > Seconds(0)
           ? fmt::format(" ({} before the limit, at most half of it). ", format_duration(w.warn))
           : std::string(" (none: warn is 0s). ")) +
      "IDLE NOW: would be ended at once.");
  for (const WhatIf::Limit& limit : w.limits) {
    if (limit.asked == limit.limit) continue;
    out +=
        wrapped(fmt::format("{} is counted as {}, the next shorter time that is kept: no session "
                            "is missed, some may be too many.",
                            format_duration(limit.asked), format_duration(limit.limit)));
  }
  return out;
}

std::string limit_titles(const WhatIf& w) {
  std::string out;
  for (const WhatIf::Limit& limit : w.limits) {
    out += fmt::format(" {:>5}", format_duration(limit.limit));
  }
  return out + "\n";
}

std::string groups_table(const WhatIf& w) {
  std::string out =
      fmt::format("{:<9} {:<16} {:<6} {:>8} {:>6}", "KIND", "RULE", "SPARED", "SESSIONS", "HOURS") +
      limit_titles(w);
  for (const WhatIf::Group& group : w.groups) {
    const std::string rule = group.group.rule.empty() ? "-" : printable(group.group.rule, 256);
    out += fmt::format("{:<9.9} {:<16.16} {:<6} {:>8} {:>6.0f}", to_string(group.group.kind), rule,
                       group.group.spared == Spared::no ? "-" : to_string(group.group.spared),
                       group.sessions, hours(group.time));
    for (const std::uint64_t ended : group.ended) out += fmt::format(" {:>5}", ended);
    out += "\n";
  }
  return out;
}

std::string users_table(const WhatIf& w, std::size_t most) {
  std::string out = fmt::format("{:<24} {:<17}", "USER", "LAST") + limit_titles(w);
  const std::size_t shown = std::min(most, w.users.size());
  for (std::size_t n = 0; n < shown; ++n) {
    const WhatIf::User& user = w.users[n];
    out += fmt::format("{:<24.24} {:<17}", printable(user.name), minute(user.hits.front().last));
    for (const WhatIf::Hit& hit : user.hits) out += fmt::format(" {:>5}", hit.sessions);
    out += "\n";
  }
  const WhatIf::Limit& shortest = w.limits.front();
  if (w.users.size() > shown) {
    out += fmt::format("and {}\n", plural(w.users.size() - shown, "other", "others"));
  }
  if (shortest.sessions_of_others > 0) {
    out += fmt::format("and {} of users whose names were not kept\n",
                       plural(shortest.sessions_of_others, "session", "sessions"));
  }
  return out;
}

// `all`: how many there are, of which `list` has the idlest.
std::string idle_table(const std::vector<WhatIf::IdleNow>& list, std::uint64_t all) {
  std::string out = fmt::format("{:<24} {:<12} {:<9} {:>8}\n", "USER", "TTY", "KIND", "IDLE");
  const std::size_t shown = std::min(kIdleShown, list.size());
  for (std::size_t n = 0; n < shown; ++n) {
    const WhatIf::IdleNow& one = list[n];
    out += fmt::format("{:<24.24} {:<12.12} {:<9.9} {:>8}\n", printable(one.user),
                       one.tty.empty() ? "-" : printable(one.tty), to_string(one.kind),
                       short_duration(one.idle));
  }
  if (all > shown) out += fmt::format("and {}\n", plural(all - shown, "other", "others"));
  return out;
}

std::string idle_now_table(const WhatIf& w) {
  return fmt::format("Idle now for {} or longer; a limit would warn them and end them:\n",
                     format_duration(w.limits.front().limit)) +
         idle_table(w.idle_now, w.limits.front().idle_now);
}

std::string by_file_time_table(const WhatIf& w) {
  return wrapped(fmt::format("Idle for {} or longer by the file times of their terminals, from "
                             "before idlewarden watched them (their users can set these times; no "
                             "session is ended by them):",
                             format_duration(w.limits.front().limit))) +
         idle_table(w.by_file_time, w.by_file_time.size());
}

std::string notes(const WhatIf& w) {
  std::string out;
  if (w.ended_by_us > 0) {
    out +=
        wrapped(fmt::format("idlewarden itself ended {} meanwhile: longer limits than theirs "
                            "would have ended more than is counted here.",
                            plural(w.ended_by_us, "session", "sessions")));
  }
  if (w.cut > 0) {
    out +=
        wrapped(fmt::format("{} cut by a restart over which the last input was forgotten, and "
                            "counted as far as they were seen.",
                            plural(w.cut, "idle time was", "idle times were")));
  }
  if (w.unrecorded > 0) {
    out += wrapped(fmt::format("Up to {} at a time were too many to be recorded.",
                               plural(w.unrecorded, "session", "sessions")));
  }
  if (w.watched + w.not_watched < w.limits.front().limit) {
    out +=
        wrapped(fmt::format("Watched for less than {} so far: who is left alone from now on, is "
                            "told by asking again.",
                            format_duration(w.limits.front().limit)));
  }
  if (w.mean_pause > Nanoseconds(0)) {
    out +=
        wrapped(fmt::format("No idle time is counted too long; each may be too short by two "
                            "looks, which are {:.1f} s apart, {:.1f} s at the most.",
                            to_seconds(w.mean_pause), to_seconds(w.longest_pause)));
  }
  return out;
}

}  // namespace

std::string what_if_json(const WhatIf& w) {
  Json out{{"since", moment(w.since)},
           {"as_of", moment(w.as_of)},
           {"watched_seconds", to_ms_precision(to_seconds(w.watched))},
           {"not_watched_seconds", to_ms_precision(to_seconds(w.not_watched))},
           {"mean_pause_seconds", to_ms_precision(to_seconds(w.mean_pause))},
           {"longest_pause_seconds", to_ms_precision(to_seconds(w.longest_pause))},
           {"warn_seconds", w.warn.count()},
           {"sessions", w.sessions},
           {"spared_sessions", w.spared},
           {"live_sessions", w.live},
           {"session_hours", hours(w.time)},
           {"ended_by_idlewarden", w.ended_by_us},
           {"gaps_cut_by_restart", w.cut},
           {"sessions_not_recorded", w.unrecorded},
           {"limits", Json::array()},
           {"groups", Json::array()},
           {"users", Json::array()},
           {"idle_now", Json::array()},
           {"idle_by_file_time", Json::array()}};
  for (const WhatIf::Limit& limit : w.limits) out["limits"].push_back(limit_json(limit));
  for (const WhatIf::Group& group : w.groups) out["groups"].push_back(group_json(w, group));
  for (const WhatIf::User& user : w.users) out["users"].push_back(user_json(w, user));
  for (const WhatIf::IdleNow& one : w.idle_now) out["idle_now"].push_back(idle_json(one));
  for (const WhatIf::IdleNow& one : w.by_file_time) {
    out["idle_by_file_time"].push_back(idle_json(one));
  }
  return dump(out);
}

std::string what_if_text(const WhatIf& w, int users) {
  std::string out = heading(w);
  if (w.as_of == WallTime{}) return out;
  out += "\n" + limits_table(w) + legend(w) + "\n" + groups_table(w);
  if (!w.users.empty() && users > 0) {
    out += "\n" + users_table(w, static_cast<std::size_t>(users));
  }
  if (!w.idle_now.empty()) out += "\n" + idle_now_table(w);
  if (!w.by_file_time.empty()) out += "\n" + by_file_time_table(w);
  const std::string more = notes(w);
  return more.empty() ? out : out + "\n" + more;
}

}  // namespace idlewarden

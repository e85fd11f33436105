// SPDX-License-Identifier: Apache-2.0
// idlewarden's own policy, and what comes out for the sessions of this host when everything that is
// written somewhere is put together.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/account.h"
#include "base/duration.h"
#include "base/text.h"
#include "limits/lint_parts.h"

namespace idlewarden {
namespace {

// Whatever the later one matches, the earlier one matches: list by list it says the same or
// nothing.
bool covers(const Match& earlier, const Match& later) {
  const auto list = [&](auto member) {
    const auto& wanted = earlier.*member;
    const auto any = [](const std::string& pattern) { return pattern == "*"; };
    return wanted.empty() || wanted == later.*member || std::ranges::all_of(wanted, any);
  };
  const auto same_hours = [](const Hours& a, const Hours& b) {
    return std::ranges::equal(a.days, b.days) && a.from_minute == b.from_minute &&
           a.to_minute == b.to_minute;
  };
  const auto has_kind = [&](Kind kind) {
    return std::ranges::find(earlier.kinds, kind) != earlier.kinds.end();
  };
  const bool kinds =
      earlier.kinds.empty() || (!later.kinds.empty() && std::ranges::all_of(later.kinds, has_kind));
  const bool hours =
      earlier.hours.empty() || std::ranges::equal(earlier.hours, later.hours, same_hours);
  return kinds && hours && list(&Match::users) && list(&Match::groups) && list(&Match::addresses) &&
         list(&Match::hosts) && list(&Match::ttys);
}

// Those of a list that name nobody. A number stands for an account or group without a name.
std::vector<std::string> unknown_names(const Root& root, const std::vector<std::string>& patterns,
                                       Result<bool> (*is_known)(const Root&, const std::string&)) {
  std::vector<std::string> unknown;
  for (const std::string& pattern : patterns) {
    const std::string name = pattern.starts_with('!') ? pattern.substr(1) : pattern;
    if (name.find_first_of("*?") != std::string::npos) continue;
    if (name.find_first_not_of("0123456789") == std::string::npos) continue;
    if (!is_known(root, name).value_or(true)) unknown.push_back(name);
  }
  return unknown;
}

void lint_names(const LintHost& host, LintReport& report) {
  const auto add = [&](const Rule& rule, const char* id, const char* what,
                       const std::vector<std::string>& unknown) {
    if (unknown.empty()) return;
    report.add({.id = id,
                .severity = Severity::warning,
                .where = rule.where,
                .text = printable(rule.text),
                .does = fmt::format("Nothing for {}: rule \"{}\" asks for a {} of that name, and "
                                    "this host has none.",
                                    listed(unknown), printable(rule.name, 60), what),
                .fix = fmt::format("A name of `getent {}`, or none that is not there.",
                                   what == std::string_view("user") ? "passwd" : "group")});
  };
  for (const Rule& rule : host.policy.rules) {
    add(rule, "rule-unknown-user", "user", unknown_names(host.root, rule.match.users, has_account));
    add(rule, "rule-unknown-group", "group",
        unknown_names(host.root, rule.match.groups, has_group));
  }
}

void lint_rules(const LintHost& host, LintReport& report) {
  const auto& rules = host.policy.rules;
  for (const Rule& rule : rules) {
    if (rule.match.hosts.empty()) continue;
    report.add({.id = "rule-never-matches",
                .severity = Severity::error,
                .where = rule.where,
                .text = printable(rule.text),
                .does = fmt::format("Nothing: rule \"{}\" asks for the client's name, and a "
                                    "connection has an address only.",
                                    printable(rule.name, 60)),
                .fix = "match = { addresses = [...] } instead of hosts."});
  }
  for (std::size_t later = 1; later < rules.size(); ++later) {
    for (std::size_t earlier = 0; earlier < later; ++earlier) {
      if (!covers(rules[earlier].match, rules[later].match)) continue;
      report.add(
          {.id = "rule-never-matches",
           .severity = Severity::error,
           .where = rules[later].where,
           .text = printable(rules[later].text),
           .does = fmt::format("Nothing: whatever rule \"{}\" matches, rule \"{}\" at {} "
                               "matches before it.",
                               printable(rules[later].name, 60), printable(rules[earlier].name, 60),
                               rules[earlier].where.text()),
           .fix = "Put the narrower rule first."});
      break;
    }
  }
}

// Nobody means seconds: 15 was to be minutes.
void lint_short(const LintHost& host, LintReport& report) {
  constexpr Seconds kShort{60};
  const auto add = [&](const Rule& rule, const char* id, const char* key, Seconds time) {
    if (time >= kShort) return;
    report.add({.id = id,
                .severity = Severity::warning,
                .where = rule.where,
                .text = printable(rule.text),
                .does = fmt::format("{} = {} is {} seconds.", key, time.count(), time.count()),
                .fix = fmt::format("Write \"{}m\" for minutes.", time.count())});
  };
  for (const Rule& rule : host.policy.rules) {
    if (const auto* limit = std::get_if<Seconds>(&rule.limit)) {
      add(rule, "rule-limit-short", "limit", *limit);
    }
    if (rule.max_session) add(rule, "rule-max-session-short", "max_session", *rule.max_session);
  }
}

std::string spoken(Kind kind) {
  switch (kind) {
    case Kind::ssh: return "an ssh login";
    case Kind::ssh_nopty: return "ssh without a terminal (sftp, commands, forwarding)";
    case Kind::console: return "a console login";
    case Kind::mosh:
    case Kind::dropbear:
    case Kind::telnet:
    case Kind::serial: return fmt::format("a {} login", to_string(kind));
  }
  std::unreachable();
}

std::string policy_file(const LintHost& host) {
  return host.policy.files.empty() ? host.policy_file : host.policy.files.front();
}

void lint_no_limit(const LintHost& host, LintReport& report) {
  for (const Kind kind : {Kind::ssh, Kind::console, Kind::ssh_nopty}) {
    std::vector<std::string> users;
    for (const LintCase& one : host.cases) {
      if (one.subject.kind != kind || one.verdict.limit || one.verdict.decided_by) continue;
      if (!users.empty() && users.back() == one.subject.user) continue;
      users.push_back(one.subject.user);
    }
    if (users.empty()) continue;
    report.add(
        {.id = "no-limit",
         .severity = kind == Kind::ssh_nopty ? Severity::info : Severity::warning,
         .where = {policy_file(host)},
         .text = {},
         .does = fmt::format("Nothing on this host limits {} of {}: it may be idle for ever.",
                             spoken(kind), listed(users)),
         .fix = fmt::format("[[rule]] with limit = \"15m\" and match = {{ kinds = [\"{}\"] }} "
                            "at the end of the policy.",
                            to_string(kind))});
  }
}

bool is_probe(const LintHost& host, const LimitSource& source) {
  return source.directive == "ClientAliveInterval" &&
         *source.limit < host.policy.client_alive_floor;
}

// Two places that name different times for one session.
void lint_contradictions(const LintHost& host, LintReport& report) {
  for (const LintCase& one : host.cases) {
    const LimitSource* const used = one.verdict.used_source();
    if (used == nullptr || !used->limit || one.conditional) continue;
    for (const LimitSource& source : one.verdict.sources) {
      if (&source == used || !source.limit || source.conditional || is_probe(host, source))
        continue;
      if (source.origin == used->origin || *source.limit == *used->limit) continue;
      const std::string other =
          fmt::format("{} at {} says {}", used->directive, printable(used->where.text()),
                      format_duration(*used->limit));
      const bool by_rule = used->origin == Origin::rule;
      if (!by_rule) {
        report.add("limits-contradict", Severity::warning, source,
                   fmt::format("Says {}, but {}: the stricter wins, so this is not the limit.",
                               format_duration(*source.limit), other),
                   "Write the same time in both places.");
      } else if (*source.limit < *used->limit) {
        report.add("rule-looser-than-host", Severity::warning, source,
                   fmt::format("Says {}, but {}, and a rule's own limit holds even where the host "
                               "states a stricter one.",
                               format_duration(*source.limit), other),
                   fmt::format("limit = \"derived\" in the rule, or limit = \"{}\".",
                               format_duration(*source.limit)));
      }
    }
  }
}

void lint_mode(const LintHost& host, LintReport& report) {
  if (host.policy.mode != Mode::audit) return;
  const bool any = std::ranges::any_of(
      host.cases, [](const LintCase& one) { return one.verdict.limit.has_value(); });
  if (!any) return;
  report.add({.id = "mode-audit",
              .severity = Severity::info,
              .where = {policy_file(host)},
              .text = {},
              .does = fmt::format(
                  "{}idlewarden reports whoever goes beyond a limit, and ends nobody.",
                  host.policy.files.empty() ? "Does not exist, so " : "Has mode = \"audit\": "),
              .fix = "mode = \"enforce\", once the reports are what you expect."});
}

}  // namespace

void lint_policy(const LintHost& host, LintReport& report) {
  if (host.policy_error) {
    const Error& error = *host.policy_error;
    Error bare = error;
    bare.where = {};
    bare.hint.clear();
    const bool unread = error.code == EACCES || error.code == EPERM;
    report.add({.id = unread ? "cannot-read" : "policy-refused",
                .severity = Severity::error,
                .where = error.where,
                .text = {},
                .does = unread ? "Nobody knows: it cannot be read by this user."
                               : fmt::format("idlewarden does not start with it: {}.", bare.text()),
                .fix = unread ? "Run lint as root." : error.hint});
    return;
  }
  lint_rules(host, report);
  lint_names(host, report);
  lint_short(host, report);
  lint_no_limit(host, report);
  lint_contradictions(host, report);
  lint_mode(host, report);
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "limits/sshd_limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <set>

#include "base/text.h"

namespace idlewarden {
namespace {

constexpr int kDefaultCountMax = 3;

LimitSource source_of(const SshdVisit& visit) {
  return {.origin = Origin::sshd_config,
          .directive = std::string(to_string(visit.directive->keyword)),
          .where = visit.statement->where,
          .text = printable(visit.statement->text),
          .limit = std::nullopt,
          .reason = {}};
}

// "line 12", or "FILE:12" where that is another file.
std::string place(const SshdStatement& statement, const SshdStatement& seen_from) {
  if (statement.where.line == 0) return "-o on the command line of sshd";
  if (statement.where.file == seen_from.where.file)
    return fmt::format("line {}", statement.where.line);
  return fmt::format("{}:{}", printable(statement.where.file), statement.where.line);
}

// Why a directive is not the one in force.
LimitSource loser(const SshdVisit& visit, const SshdVisit* winner) {
  LimitSource source = source_of(visit);
  if (visit.match != nullptr && !visit.for_connection) {
    const std::string block = printable(visit.match->text);
    source.conditional = visit.matches == SshdMatches::undecided;
    source.reason = source.conditional
                        ? fmt::format("{} is not decided: not all that it asks for is known", block)
                        : block + " does not match";
  } else if (winner != nullptr && winner->match != nullptr && !visit.for_connection) {
    source.reason = fmt::format("{} ({}) matches and overrides it", printable(winner->match->text),
                                place(*winner->match, *visit.statement));
  } else if (winner != nullptr) {
    source.reason = place(*winner->statement, *visit.statement) +
                    (winner->directive->none ? " turns it off" : " came first");
  } else {
    source.reason = "it names no channel type";  // ChannelTimeout with nothing but a comment
  }
  return source;
}

// `count_max`: null where it is the default.
LimitSource client_alive(const SshdVisit& interval, const SshdVisit* count_max) {
  LimitSource source = source_of(interval);
  const int seconds = interval.directive->value;
  const int count = count_max != nullptr ? count_max->directive->value : kDefaultCountMax;
  const std::string spelled = printable(interval.directive->args.at(0).text);
  if (seconds == 0) {
    source.reason = "0 turns it off";
    return source;
  }
  const std::int64_t product = std::int64_t{seconds} * std::max(1, count);
  source.limit = Seconds(std::min<std::int64_t>(product, INT_MAX));
  source.reason = count == 0 ? fmt::format("{} as before OpenSSH 8.2", spelled)
                             : fmt::format("{} x {}", spelled, count);
  return source;
}

LimitSource count_max_source(const SshdVisit& count_max, const SshdVisit* interval) {
  LimitSource source = source_of(count_max);
  const bool checks = interval != nullptr && interval->directive->value > 0;
  if (!checks) {
    source.reason = "says nothing without ClientAliveInterval";
  } else if (count_max.directive->value == 0) {
    source.reason = fmt::format(
        "before OpenSSH 8.2 it ended a session after ClientAliveInterval of {}; since then it "
        "turns "
        "that off",
        place(*interval->statement, *count_max.statement));
  } else {
    source.reason = fmt::format("multiplies ClientAliveInterval of {}",
                                place(*interval->statement, *count_max.statement));
  }
  return source;
}

struct ChannelType {
  std::string name;
  const char* caveat;  // why sshd does not apply a limit for this type to such a session; null
};

std::vector<ChannelType> types_of(Kind kind, const std::vector<SshdChannelTimeout>& timeouts) {
  std::vector<ChannelType> types;
  if (kind == Kind::ssh) {
    types.push_back({"session:shell", nullptr});
  } else {
    types.push_back({"session:command", nullptr});
    types.push_back({"session:subsystem:sftp", nullptr});
    // Other subsystems are known only by being named here.
    for (const SshdChannelTimeout& timeout : timeouts) {
      if (timeout.type.starts_with("session:subsystem:")) types.push_back({timeout.type, nullptr});
    }
  }
  types.push_back(
      {"session", kind == Kind::ssh
                      ? "sshd calls a shell session:shell, so it never applies this"
                      : "sshd calls it session:command or session:subsystem:NAME, so it never "
                        "applies this"});
  types.push_back({"global", nullptr});
  return types;
}

// Of each type that bears on such a session the first element whose pattern fits, as sshd takes it.
void add_channel_timeouts(const SshdVisit& visit, Kind kind, std::vector<LimitSource>& out) {
  std::vector<SshdChannelTimeout> timeouts;
  std::vector<const SshdWord*> words;
  for (const SshdWord& word : visit.directive->args) {
    auto timeout = sshd_channel_timeout(word.text);
    if (!timeout) continue;  // "none"
    timeouts.push_back(std::move(*timeout));
    words.push_back(&word);
  }
  std::set<std::size_t> seen;
  for (const ChannelType& type : types_of(kind, timeouts)) {
    const auto fits = [&](const SshdChannelTimeout& t) { return match_pattern(type.name, t.type); };
    const auto found = std::ranges::find_if(timeouts, fits);
    const auto index = static_cast<std::size_t>(found - timeouts.begin());
    if (found == timeouts.end() || !seen.insert(index).second) continue;
    LimitSource source = source_of(visit);
    if (source.where.line != 0) source.where.column = words[index]->column;
    source.reason = printable(words[index]->text);
    if (found->seconds == 0) {
      source.reason += ": 0 turns it off";
    } else {
      source.limit = Seconds(found->seconds);
      if (type.caveat != nullptr) source.reason += fmt::format(" ({})", type.caveat);
      if (visit.match != nullptr)
        source.reason += " (inside Match sshd applies it only since 10.5)";
    }
    out.push_back(std::move(source));
  }
  if (!seen.empty()) return;
  LimitSource source = source_of(visit);
  source.reason = timeouts.empty()    ? "none turns it off"
                  : kind == Kind::ssh ? "it names no channel type of a shell"
                                      : "it names no channel type of a command or a subsystem";
  out.push_back(std::move(source));
}

void add_winner(const SshdWalk& walk, const SshdVisit& visit, Kind kind,
                std::vector<LimitSource>& out) {
  switch (visit.directive->keyword) {
    case SshdKeyword::client_alive_interval:
      out.push_back(client_alive(visit, walk.winner(SshdKeyword::client_alive_count_max)));
      return;
    case SshdKeyword::client_alive_count_max:
      out.push_back(count_max_source(visit, walk.winner(SshdKeyword::client_alive_interval)));
      return;
    case SshdKeyword::channel_timeout: add_channel_timeouts(visit, kind, out); return;
    case SshdKeyword::unused_connection_timeout: return;
  }
}

}  // namespace

std::vector<LimitSource> sshd_limits(const SshdWalk& walk, Kind kind) {
  std::vector<LimitSource> out;
  // A directive of a file that is included twice is told of once, and as in force if it is so.
  std::set<const SshdDirective*> told;
  for (std::size_t k = 0; k < kSshdKeywords; ++k) {
    if (const auto* winner = walk.winner(static_cast<SshdKeyword>(k)))
      told.insert(winner->directive);
  }
  for (const SshdVisit& visit : walk.visits) {
    const SshdKeyword keyword = visit.directive->keyword;
    if (keyword == SshdKeyword::unused_connection_timeout) continue;
    const SshdVisit* const winner = walk.winner(keyword);
    if (winner == &visit) {
      add_winner(walk, visit, kind, out);
    } else if (told.insert(visit.directive).second) {
      out.push_back(loser(visit, winner));
    }
  }
  return out;
}

}  // namespace idlewarden

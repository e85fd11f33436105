// SPDX-License-Identifier: Apache-2.0
#include "limits/sshd_limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <iterator>
#include <ranges>
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
    source.reason = !source.conditional ? block + " does not match"
                    : std::get<SshdMatch>(visit.match->what).differs_by_release()
                        ? block + " is not decided: OpenSSH reads it in another way since 9.9"
                        : block + " is not decided: not all that it asks for is known";
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

// In seconds; 0: none.
std::int64_t client_alive_product(int interval, int count_max) {
  return std::min<std::int64_t>(std::int64_t{interval} * std::max(1, count_max), INT_MAX);
}

// `otherwise`: the default, where nobody gives one.
int value_of(const SshdVisit* visit, int otherwise) {
  return visit != nullptr ? visit->directive->value : otherwise;
}

// `count_max`: null where it is the default.
LimitSource client_alive(const SshdVisit& interval, const SshdVisit* count_max) {
  LimitSource source = source_of(interval);
  const int seconds = interval.directive->value;
  const int count = value_of(count_max, kDefaultCountMax);
  const std::string spelled = printable(interval.directive->args.at(0).text);
  if (seconds == 0) {
    source.reason = "0 turns it off";
    return source;
  }
  source.limit = Seconds(client_alive_product(seconds, count));
  source.reason = count == 0 ? fmt::format("{} as before OpenSSH 8.2", spelled)
                             : fmt::format("{} x {}", spelled, count);
  return source;
}

// Those that would be in force instead of the winner if the block that they stand in, of which it
// is not known whether it does, matched.
std::vector<const SshdVisit*> rivals(const SshdWalk& walk, SshdKeyword keyword) {
  std::vector<const SshdVisit*> found;
  const SshdVisit* const winner = walk.winner(keyword);
  for (const SshdVisit& visit : walk.visits) {
    if (&visit == winner && visit.match != nullptr) break;
    const bool undecided = visit.matches == SshdMatches::undecided && !visit.for_connection;
    if (undecided && visit.directive->keyword == keyword) found.push_back(&visit);
  }
  return found;
}

// A limit that a Match block might lengthen or take away is none while it is not known for whom
// that block is.
void leave_undecided(LimitSource& source, const SshdVisit& rival) {
  source.limit.reset();
  source.conditional = true;
  source.reason += fmt::format("; {} ({}) is not decided and may loosen it",
                               printable(rival.match->text), place(*rival.match, *rival.statement));
}

void weigh_rivals_of_client_alive(const SshdWalk& walk, Seconds floor, LimitSource& source) {
  const SshdVisit* const interval = walk.winner(SshdKeyword::client_alive_interval);
  const SshdVisit* const count_max = walk.winner(SshdKeyword::client_alive_count_max);
  std::vector<const SshdVisit*> intervals = rivals(walk, SshdKeyword::client_alive_interval);
  std::vector<const SshdVisit*> counts = rivals(walk, SshdKeyword::client_alive_count_max);
  intervals.push_back(interval);
  counts.push_back(count_max);
  for (const SshdVisit* i : intervals) {
    for (const SshdVisit* c : counts) {
      const std::int64_t product =
          client_alive_product(value_of(i, 0), value_of(c, kDefaultCountMax));
      const bool is_limit = product != 0 && product >= floor.count();
      if ((is_limit || source.limit < floor) && product <= source.limit->count()) continue;
      const SshdVisit* const rival = i != interval ? i : c;
      if (rival != nullptr) return leave_undecided(source, *rival);
    }
  }
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

constexpr std::string_view kGlobal = "global";

struct ChannelElements {
  std::vector<SshdChannelTimeout> timeouts;
  std::vector<const SshdWord*> words;  // the same, as they stand there
};

ChannelElements elements_of(const SshdDirective& directive) {
  ChannelElements elements;
  for (const SshdWord& word : directive.args) {
    auto timeout = sshd_channel_timeout(word.text);
    if (!timeout) continue;  // "none"
    elements.timeouts.push_back(std::move(*timeout));
    elements.words.push_back(&word);
  }
  return elements;
}

// As sshd_timeout_of(). The documented spelling, which sshd itself never goes by, is what was meant
// where nothing else is said of the type.
const SshdChannelTimeout* meant_for(const std::string& type,
                                    const std::vector<SshdChannelTimeout>& timeouts) {
  const SshdChannelTimeout* const found = sshd_timeout_of(type, timeouts);
  return found != nullptr ? found : sshd_timeout_of("session", timeouts);
}

// The last one holds, whatever the type (channel_add_timeout() of channels.c).
const SshdChannelTimeout* global_of(const std::vector<SshdChannelTimeout>& timeouts) {
  const auto backwards = timeouts | std::views::reverse;
  const auto found = std::ranges::find(backwards, kGlobal, &SshdChannelTimeout::type);
  return found == backwards.end() ? nullptr : &*found;
}

const char* caveat(const SshdChannel& channel, const SshdChannelTimeout& timeout) {
  const auto fits = [&](const std::string& type) { return match_pattern(type, timeout.type); };
  if (timeout.type == kGlobal || std::ranges::any_of(channel.types, fits)) return "";
  return channel.kind == Kind::ssh
             ? " (sshd calls a shell session:shell, so it never applies this)"
             : " (sshd calls it session:shell, session:command or session:subsystem:NAME, so it "
               "never applies this)";
}

const char* says_nothing_of(const SshdChannel& channel) {
  if (channel.types.empty()) return "nothing runs on this connection that could time out";
  return channel.kind == Kind::ssh ? "it names no channel type of a shell"
                                   : "it names no channel type of what runs here";
}

// What is meant for the types that the channel may have.
struct ChannelChoice {
  std::set<const SshdChannelTimeout*> met;
  const SshdChannelTimeout* longest = nullptr;
  std::string unlimited;  // one of the types that has no limit; empty: none is
};

ChannelChoice choose(const SshdChannel& channel, const std::vector<SshdChannelTimeout>& timeouts) {
  ChannelChoice choice;
  for (const std::string& type : channel.types) {
    const SshdChannelTimeout* const timeout = meant_for(type, timeouts);
    if (timeout != nullptr) choice.met.insert(timeout);
    if (timeout == nullptr || timeout->seconds == 0) {
      if (choice.unlimited.empty()) choice.unlimited = type;
    } else if (choice.longest == nullptr || timeout->seconds > choice.longest->seconds) {
      choice.longest = timeout;
    }
  }
  return choice;
}

void add_channel_timeouts(const SshdVisit& visit, const SshdChannel& channel,
                          std::vector<LimitSource>& out) {
  const auto [timeouts, words] = elements_of(*visit.directive);
  ChannelChoice choice = choose(channel, timeouts);
  const SshdChannelTimeout* const global = channel.types.empty() ? nullptr : global_of(timeouts);
  if (global != nullptr) choice.met.insert(global);
  for (const SshdChannelTimeout* timeout : choice.met) {
    const SshdWord& word = *words[static_cast<std::size_t>(timeout - timeouts.data())];
    LimitSource source = source_of(visit);
    if (source.where.line != 0) source.where.column = word.column;
    source.reason = printable(word.text);
    if (timeout->seconds == 0) {
      source.reason += ": 0 turns it off";
    } else if (timeout != global && !choice.unlimited.empty()) {
      source.conditional = true;
      source.reason +=
          fmt::format(": sshd may call it {}, which has no limit", printable(choice.unlimited));
    } else if (timeout != global && timeout != choice.longest) {
      source.conditional = true;
      source.reason += ": not the longest of those that it may be to sshd";
    } else {
      source.limit = Seconds(timeout->seconds);
      source.reason += caveat(channel, *timeout);
      if (visit.match != nullptr)
        source.reason += " (inside Match sshd applies it only since 10.5)";
    }
    out.push_back(std::move(source));
  }
  if (!choice.met.empty()) return;
  LimitSource source = source_of(visit);
  source.reason = timeouts.empty() ? "none turns it off" : says_nothing_of(channel);
  out.push_back(std::move(source));
}

std::optional<Seconds> strictest(const std::vector<LimitSource>& sources) {
  std::optional<Seconds> least;
  for (const LimitSource& source : sources) {
    if (source.limit) least = std::min(least.value_or(*source.limit), *source.limit);
  }
  return least;
}

void weigh_rivals_of_channel_timeout(const SshdWalk& walk, const SshdChannel& channel,
                                     std::vector<LimitSource>& timeouts) {
  const auto least = strictest(timeouts);
  if (!least) return;
  for (const SshdVisit* rival : rivals(walk, SshdKeyword::channel_timeout)) {
    if (rival->directive->args.empty()) continue;  // sshd goes on to the next one
    std::vector<LimitSource> theirs;
    add_channel_timeouts(*rival, channel, theirs);
    const auto other = strictest(theirs);
    if (other && *other <= *least) continue;
    for (LimitSource& source : timeouts) {
      if (source.limit) leave_undecided(source, *rival);
    }
    return;
  }
}

void add_winner(const SshdWalk& walk, const SshdVisit& visit, const SshdChannel& channel,
                Seconds floor, std::vector<LimitSource>& out) {
  switch (visit.directive->keyword) {
    case SshdKeyword::client_alive_interval: {
      LimitSource source = client_alive(visit, walk.winner(SshdKeyword::client_alive_count_max));
      if (source.limit) weigh_rivals_of_client_alive(walk, floor, source);
      out.push_back(std::move(source));
      return;
    }
    case SshdKeyword::client_alive_count_max:
      out.push_back(count_max_source(visit, walk.winner(SshdKeyword::client_alive_interval)));
      return;
    case SshdKeyword::channel_timeout: {
      std::vector<LimitSource> timeouts;
      add_channel_timeouts(visit, channel, timeouts);
      weigh_rivals_of_channel_timeout(walk, channel, timeouts);
      std::ranges::move(timeouts, std::back_inserter(out));
      return;
    }
    case SshdKeyword::unused_connection_timeout: return;
  }
}

}  // namespace

SshdChannel sshd_channel(Kind kind, Channel channel, const std::vector<SshdSubsystem>& subsystems) {
  if (kind == Kind::ssh) return {kind, {"session:shell"}};
  const auto is = [&](Channel asked) { return channel == asked || channel == Channel::unknown; };
  SshdChannel made{kind, {}};
  if (is(Channel::shell)) made.types.emplace_back("session:shell");
  if (is(Channel::command)) made.types.emplace_back("session:command");
  if (is(Channel::sftp)) made.types.emplace_back("session:subsystem:sftp");
  for (const SshdSubsystem& subsystem : subsystems) {
    if (is(subsystem.is_sftp ? Channel::sftp : Channel::command))
      made.types.push_back("session:subsystem:" + subsystem.name);
  }
  return made;
}

// lookup_timeout() of channels.c.
const SshdChannelTimeout* sshd_timeout_of(std::string_view type,
                                          const std::vector<SshdChannelTimeout>& timeouts) {
  const auto found = std::ranges::find_if(timeouts, [&](const SshdChannelTimeout& timeout) {
    return timeout.type != kGlobal && match_pattern(type, timeout.type);
  });
  return found == timeouts.end() ? nullptr : &*found;
}

std::vector<LimitSource> sshd_limits(const SshdWalk& walk, const SshdChannel& channel,
                                     Seconds floor) {
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
      add_winner(walk, visit, channel, floor, out);
    } else if (told.insert(visit.directive).second) {
      out.push_back(loser(visit, winner));
    }
  }
  return out;
}

}  // namespace idlewarden

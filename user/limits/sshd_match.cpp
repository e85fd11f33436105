// SPDX-License-Identifier: Apache-2.0
#include "limits/sshd_match.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace idlewarden {
namespace {

using What = SshdCriterion::What;
using Criteria = std::vector<SshdCriterion>;

struct Name {
  std::string_view text;
  What what;
};
constexpr std::array kNames{
    Name{"all", What::all},
    Name{"user", What::user},
    Name{"group", What::group},
    Name{"host", What::host},
    Name{"address", What::address},
    Name{"localaddress", What::local_address},
    Name{"localport", What::local_port},
    Name{"rdomain", What::rdomain},
    Name{"version", What::version},
    Name{"invalid-user", What::invalid_user},
};

constexpr const char* kHint =
    "write Match all, or pairs of User, Group, Host, Address, LocalAddress, LocalPort or RDomain "
    "(since OpenSSH 9.9 also Version, and Invalid-User alone) and a list of patterns, as in "
    "Match User bob Address 10.0.0.0/8";

std::optional<What> what_of(std::string_view word) {
  const std::string name = lower(word);
  const auto* found = std::ranges::find(kNames, name, &Name::text);
  if (found == kNames.end()) return std::nullopt;
  return found->what;
}

std::string near_miss(std::string_view word) {
  std::vector<std::string> candidates;
  for (const Name& name : kNames) candidates.emplace_back(name.text);
  return nearest(lower(word), candidates);
}

bool is_comment(const SshdWord& word) {
  return word.text.starts_with('#');
}

Where at(Where where, int column) {
  where.column = column;
  return where;
}

// `argument`: null when there is none.
Result<SshdCriterion> criterion(const SshdWord& name, const SshdWord* argument,
                                const Where& where) {
  const std::string shown = printable(name.text);
  if (argument == nullptr || argument->text.empty() || is_comment(*argument)) {
    return fail_at(at(where, name.column), fmt::format("Match: nothing follows \"{}\"", shown),
                   kHint);
  }
  const auto what = what_of(name.text);
  if (!what) {
    const std::string meant = near_miss(name.text);
    return fail_at(at(where, name.column), fmt::format("Match: unknown criterion \"{}\"", shown),
                   meant.empty() ? kHint : "write " + meant);
  }
  SshdCriterion made{*what, argument->text, 0};
  const std::string value = printable(argument->text);
  if (*what == What::local_port) {
    const auto port = sshd_port(argument->text);
    if (!port) {
      return fail_at(at(where, argument->column),
                     fmt::format("Match LocalPort: \"{}\" is not a port", value),
                     "write one number from 0 to 65535");
    }
    made.port = *port;
  }
  if ((*what == What::address || *what == What::local_address) &&
      !match_address_list({}, argument->text)) {
    return fail_at(at(where, argument->column),
                   fmt::format("Match {}: \"{}\" has an empty entry or a network whose length does "
                               "not fit its address",
                               shown, value),
                   "write a network with its host part zero, as in 10.0.0.0/8");
  }
  return made;
}

std::unexpected<Error> all_is_alone(const Where& where, const SshdWord& name) {
  return fail_at(at(where, name.column), "Match: \"all\" cannot be combined with other criteria",
                 "write Match all on a line of its own, or leave \"all\" out");
}

std::unexpected<Error> nothing_asked(const Where& where) {
  return fail_at(where, "Match has no criterion", kHint);
}

Result<Criteria> read_delimited(SshdScanner scanner, const Where& where) {
  Criteria criteria;
  while (const auto name = scanner.word()) {
    if (name->text.empty()) break;
    if (is_comment(*name)) {
      scanner.skip_rest();
      break;
    }
    const auto argument = scanner.word();
    if (what_of(name->text) == What::all) {
      const bool alone = !argument || argument->text.empty() || is_comment(*argument);
      if (!criteria.empty() || !alone) return all_is_alone(where, *name);
      if (argument && is_comment(*argument)) scanner.skip_rest();
      criteria.push_back({});
      break;
    }
    auto made = criterion(*name, argument ? &*argument : nullptr, where);
    if (!made) return std::unexpected(made.error());
    // These two came later than this way of reading.
    if (made->what == What::version || made->what == What::invalid_user) {
      return fail_at(at(where, name->column),
                     fmt::format("Match: \"{}\" needs OpenSSH 9.9 or later", printable(name->text)),
                     kHint);
    }
    criteria.push_back(std::move(*made));
  }
  if (criteria.empty()) return nothing_asked(where);
  if (!scanner.at_end()) {
    return fail_at(where, "Match has an extra argument at the end of the line", kHint);
  }
  return criteria;
}

// "user=bob" is the criterion and its argument in one word.
std::optional<std::pair<SshdWord, SshdWord>> joined(const SshdWord& word) {
  const std::size_t equals = word.text.find('=');
  if (equals == std::string::npos) return std::nullopt;
  const auto what = what_of(std::string_view(word.text).substr(0, equals));
  if (!what || *what == What::all || *what == What::invalid_user) return std::nullopt;
  return std::pair(
      SshdWord{word.text.substr(0, equals), word.column},
      SshdWord{word.text.substr(equals + 1), word.column + static_cast<int>(equals) + 1});
}

Result<Criteria> read_arguments(const std::vector<SshdWord>& words, const Where& where) {
  Criteria criteria;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const SshdWord& word = words[i];
    if (is_comment(word)) break;
    const auto what = what_of(word.text);
    if (what == What::all) {
      const bool alone = i + 1 == words.size() || is_comment(words[i + 1]) ||
                         (words[i + 1].text.empty() && i + 2 == words.size());
      if (!criteria.empty() || !alone) return all_is_alone(where, word);
      criteria.push_back({});
      break;
    }
    if (what == What::invalid_user) {
      criteria.push_back({.what = What::invalid_user, .pattern = {}});
      continue;
    }
    const auto pair = joined(word);
    const SshdWord* argument = pair ? &pair->second : nullptr;
    if (!pair && i + 1 < words.size()) argument = &words[++i];
    auto made = criterion(pair ? pair->first : word, argument, where);
    if (!made) return std::unexpected(made.error());
    criteria.push_back(std::move(*made));
  }
  if (criteria.empty()) return nothing_asked(where);
  return criteria;
}

SshdMatches verdict(bool matches) {
  return matches ? SshdMatches::yes : SshdMatches::no;
}

// Any group that a negated pattern names undoes the match; else one that matches is enough.
SshdMatches match_groups(const std::vector<std::string>& groups, const std::string& patterns) {
  bool found = false;
  for (const std::string& group : groups) {
    const int matched = match_pattern_list(group, patterns, false);
    if (matched < 0) return SshdMatches::no;
    found = found || matched > 0;
  }
  return verdict(found);
}

SshdMatches evaluate(const SshdCriterion& criterion, const SshdConnection& connection) {
  const auto list = [&](const std::string& value, bool fold_case = false) {
    if (value.empty()) return SshdMatches::undecided;
    return verdict(match_pattern_list(value, criterion.pattern, fold_case) == 1);
  };
  const auto addresses = [&](const std::string& value) {
    if (value.empty()) return SshdMatches::undecided;
    return verdict(match_address_list(value, criterion.pattern) == 1);
  };
  switch (criterion.what) {
    case What::all: return SshdMatches::yes;
    case What::user: return list(connection.user);
    case What::group:
      if (connection.user.empty() && connection.groups.empty()) return SshdMatches::undecided;
      return match_groups(connection.groups, criterion.pattern);
    case What::host: return list(connection.host, true);
    case What::address: return addresses(connection.address);
    case What::local_address: return addresses(connection.local_address);
    case What::local_port:
      if (!connection.local_port) return SshdMatches::undecided;
      return verdict(*connection.local_port == criterion.port);
    case What::rdomain: return list(connection.rdomain);
    case What::version: return list(connection.version);
    case What::invalid_user: return verdict(connection.invalid_user);
  }
  return SshdMatches::no;
}

// "OpenSSH_10.5p1": 9.9 or later. Unknown: no.
bool since_9_9(std::string_view version) {
  constexpr std::string_view kPrefix = "OpenSSH_";
  if (!version.starts_with(kPrefix)) return false;
  version.remove_prefix(kPrefix.size());
  const std::size_t dot = version.find('.');
  if (dot == std::string_view::npos) return false;
  const auto major = sshd_number(version.substr(0, dot), 1000);
  const std::string_view rest = version.substr(dot + 1);
  const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  const auto minor = sshd_number(rest.substr(0, digits), 1000);
  return major && minor && (*major > 9 || (*major == 9 && *minor >= 9));
}

}  // namespace

Result<SshdMatch> SshdMatch::parse(SshdScanner scanner, const Where& where, SshdGrammar grammar) {
  SshdMatch match;
  std::optional<Error> refusal;
  const auto keep = [&](Result<Criteria> reading, std::optional<Criteria>& place) {
    if (reading) {
      place = std::move(*reading);
    } else if (!refusal) {
      refusal = reading.error();
    }
  };
  if (grammar != SshdGrammar::since_9_9) keep(read_delimited(scanner, where), match.before_9_9_);
  if (grammar != SshdGrammar::before_9_9) {
    const auto words = scanner.arguments();
    keep(words ? read_arguments(*words, where) : nothing_asked(where), match.since_9_9_);
  }
  if (!match.before_9_9_ && !match.since_9_9_) return std::unexpected(*refusal);
  return match;
}

template <class Ask>
SshdMatches SshdMatch::by_reading(const SshdConnection& connection, Ask ask) const {
  if (!before_9_9_) return ask(*since_9_9_);
  if (!since_9_9_) return ask(*before_9_9_);
  if (!connection.version.empty()) {
    return ask(since_9_9(connection.version) ? *since_9_9_ : *before_9_9_);
  }
  const SshdMatches before = ask(*before_9_9_);
  return before == ask(*since_9_9_) ? before : SshdMatches::undecided;
}

SshdMatches SshdMatch::at_start(const SshdConnection& connection) const {
  return by_reading(connection, [&](const Criteria& criteria) {
    for (const SshdCriterion& asked : criteria) {
      if (asked.what != What::all && asked.what != What::version) return SshdMatches::no;
      if (evaluate(asked, connection) != SshdMatches::yes) return SshdMatches::no;
    }
    return SshdMatches::yes;
  });
}

SshdMatches SshdMatch::for_connection(const SshdConnection& connection) const {
  return by_reading(connection, [&](const Criteria& criteria) {
    SshdMatches result = SshdMatches::yes;
    for (const SshdCriterion& asked : criteria) {
      const SshdMatches one = evaluate(asked, connection);
      if (one == SshdMatches::no) return SshdMatches::no;
      if (one == SshdMatches::undecided) result = SshdMatches::undecided;
    }
    return result;
  });
}

bool SshdMatch::differs_by_release() const {
  return before_9_9_ && since_9_9_ && *before_9_9_ != *since_9_9_;
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "limits/sshd_walk.h"

namespace idlewarden {
namespace {

class Walker {
 public:
  Walker(SshdWalk& out, const SshdConnection& connection) : out_(out), connection_(connection) {}

  // What a file inherits from the line that includes it, and what it leaves behind for its own next
  // line. Both readings go on side by side.
  struct State {
    const SshdStatement* match = nullptr;
    SshdMatches matches = SshdMatches::yes;
    bool at_start = true;
    bool for_connection = false;
    bool never_at_start = false;  // in a closed block: a Match inside cannot open anything
    bool never_for_connection = false;
  };

  void file(const SshdFile& in, State state) {
    for (const SshdStatement& statement : in.statements) {
      if (const auto* directive = std::get_if<SshdDirective>(&statement.what)) {
        out_.visits.push_back({&statement, directive, state.match, state.at_start,
                               state.for_connection, state.matches});
      } else if (const auto* match = std::get_if<SshdMatch>(&statement.what)) {
        enter(statement, *match, state);
      } else {
        State inner = state;
        inner.never_at_start = !state.at_start;
        // Outside of every block the second reading is closed only for what was read at the start.
        inner.never_for_connection = state.match != nullptr && !state.for_connection;
        for (const SshdFile* included : std::get<SshdInclude>(statement.what).files) {
          file(*included, inner);
        }
      }
    }
  }

 private:
  void enter(const SshdStatement& statement, const SshdMatch& match, State& state) const {
    state.at_start = !state.never_at_start && match.at_start(connection_) == SshdMatches::yes;
    if (state.never_for_connection) return;  // `match` stays the block around: it is what is closed
    state.match = &statement;
    state.matches = match.for_connection(connection_);
    state.for_connection = state.matches == SshdMatches::yes;
  }

  SshdWalk& out_;
  const SshdConnection& connection_;
};

bool says_nothing(const SshdDirective& directive) {
  return directive.keyword == SshdKeyword::channel_timeout && directive.args.empty();
}

}  // namespace

SshdWalk walk_sshd(const SshdSyntax& syntax, const SshdConnection& connection) {
  SshdWalk walk;
  for (const SshdStatement& option : syntax.options) {
    walk.visits.push_back({.statement = &option,
                           .directive = std::get_if<SshdDirective>(&option.what),
                           .at_start = true});
  }
  Walker(walk, connection).file(*syntax.main, {});
  auto overrides = walk.winners;
  for (std::size_t i = 0; i < walk.visits.size(); ++i) {
    const SshdVisit& visit = walk.visits[i];
    if (says_nothing(*visit.directive)) continue;
    const auto keyword = static_cast<std::size_t>(visit.directive->keyword);
    // UnusedConnectionTimeout none is the one that does not wait its turn.
    const auto settle = [&](std::optional<std::size_t>& winner) {
      if (!winner || visit.directive->none) winner = i;
    };
    if (visit.at_start) settle(walk.winners.at(keyword));
    if (visit.for_connection) settle(overrides.at(keyword));
  }
  for (std::size_t k = 0; k < kSshdKeywords; ++k) {
    if (overrides.at(k)) walk.winners.at(k) = overrides.at(k);
  }
  return walk;
}

}  // namespace idlewarden

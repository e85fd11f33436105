// SPDX-License-Identifier: Apache-2.0
// How sshd goes through its configuration: once when it starts, where Match blocks are closed (but
// for `Match all`), and once more for a connection, where only the Match blocks that it matches are
// open. What the second reading finds overrides the first; within each, the first value wins
// (servconf.c: parse_server_config_depth, copy_set_server_options).
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "limits/sshd_syntax.h"

namespace idlewarden {

// One directive, met at one place of the walk. The same directive is met twice where its file is
// included twice.
struct SshdVisit {
  const SshdStatement* statement = nullptr;
  const SshdDirective* directive = nullptr;
  const SshdStatement* match = nullptr;    // the Match block that it stands in; null: none
  bool at_start = false;                   // open when sshd starts
  bool for_connection = false;             // open for this connection
  SshdMatches matches = SshdMatches::yes;  // of `match`
};

struct SshdWalk {
  std::vector<SshdVisit> visits;  // in sshd's order, -o first
  // By keyword, which of the visits is in force; none: the default holds.
  std::array<std::optional<std::size_t>, kSshdKeywords> winners{};

  const SshdVisit* winner(SshdKeyword keyword) const {
    const auto& index = winners.at(static_cast<std::size_t>(keyword));
    return index ? &visits[*index] : nullptr;
  }
};

SshdWalk walk_sshd(const SshdSyntax& syntax, const SshdConnection& connection);

}  // namespace idlewarden

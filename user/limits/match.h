// SPDX-License-Identifier: Apache-2.0
// Whether a rule's `match` holds for a subject. Patterns, negation and CIDR mean what they mean in
// sshd_config's Match (match.c, addrmatch.c); what is not known of the subject matches nothing: a
// rule that would match if it were known is undecided().
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "limits/limit.h"
#include "limits/policy.h"

namespace idlewarden {

// "" if it matches, else the first key of `match` that does not ("users", "hours", ...). `hosts`
// never does.
std::string mismatch(const Match& match, const Subject& subject, WallTime wall);
// It matches but for the address, which is not known.
bool undecided(const Match& match, const Subject& subject, WallTime wall);

bool matches_everything(const Match& match);
// Wants an address or a host's name, but of kinds that have none.
bool matches_nothing(const Match& match);

// What may stand in a list. sshd takes a mistyped address for a pattern, which then never matches;
// here it is an error.
Result<void> check_pattern(const std::string& pattern);
Result<void> check_address(const std::string& address);
// A user, a group: no blanks around it (inside there may be some: "domain users").
Result<void> check_account(const std::string& pattern);
Result<void> check_host(const std::string& pattern);
Result<void> check_tty(const std::string& pattern);  // "pts/*", not "/dev/pts/*"
// A list of negations alone matches nothing.
bool only_negated(const std::vector<std::string>& list);

}  // namespace idlewarden

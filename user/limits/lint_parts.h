// SPDX-License-Identifier: Apache-2.0
// The parts of lint, one for each kind of file, and what they share.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "limits/lint.h"

namespace idlewarden {

class LintReport {
 public:
  explicit LintReport(const LintHost& host) : host_(host) {}

  // What was said of a place is not said again.
  void add(LintFinding finding);
  // About a line that a reader has found. A column that it did not note is looked up.
  void add(std::string id, Severity severity, const LimitSource& source, std::string does,
           std::string fix);

  // For a setting that works, but not as well as it seems: no matter where idlewarden ends the
  // sessions of all these kinds.
  Severity weakness(std::initializer_list<Kind> kinds) const;

  std::vector<LintFinding> take();

 private:
  const LintHost& host_;
  std::vector<LintFinding> findings_;
};

void lint_sshd(const LintHost& host, LintReport& report);
void lint_shells(const LintHost& host, LintReport& report);
void lint_logind(const LintHost& host, LintReport& report);
void lint_policy(const LintHost& host, LintReport& report);

// "alice, bob and 3 others".
std::string listed(const std::vector<std::string>& names);

}  // namespace idlewarden

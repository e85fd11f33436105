// SPDX-License-Identifier: Apache-2.0
// What lint found, as text for a person (`width` columns at most; 0: no bound) and as JSON.
#pragma once

#include <string>
#include <vector>

#include "limits/lint.h"
#include "limits/lint_controls.h"

namespace idlewarden {

std::string lint_text(const LintHost& host, const std::vector<LintFinding>& findings, int width);
std::string lint_json(const LintHost& host, const std::vector<LintFinding>& findings);

// Evidence for an auditor.
std::string compliance_text(const LintHost& host, const Compliance& compliance, int width);
std::string compliance_json(const LintHost& host, const Compliance& compliance);

}  // namespace idlewarden

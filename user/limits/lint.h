// SPDX-License-Identifier: Apache-2.0
// What on a host does not do what it seems to, each with the way out: settings that sshd, the
// shells and logind accept and that end no idle session, or not all of them, or earlier or later
// than they say. Data in, findings out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "limits/lint_host.h"

namespace idlewarden {

// error: it does nothing of what it says, or cannot be read. warning: it does less, or something
// else. info: nothing is wrong, but it is not what it may be taken for.
enum class Severity { info, warning, error };
std::string_view to_string(Severity severity);

struct LintFinding {
  std::string id;  // "client-alive-is-liveness": stays the same over releases
  Severity severity = Severity::warning;
  Where where;       // no line: it is about what is nowhere
  std::string text;  // that line, printable
  std::string does;  // what it really does
  std::string fix;   // what to write instead
};

// The gravest first, then by place.
std::vector<LintFinding> lint(const LintHost& host);

}  // namespace idlewarden

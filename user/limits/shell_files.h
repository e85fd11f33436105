// SPDX-License-Identifier: Apache-2.0
// Which files which shell reads when it is started as the login shell on a terminal, and in which
// order: bash(1) INVOCATION, zsh(1) STARTUP/SHUTDOWN FILES, ksh93(1), mksh(1), dash(1), tcsh(1).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "limits/shell_interpreter.h"

namespace idlewarden::shell {

enum class Family { bash, bash_as_sh, dash, ksh93, mksh, zsh, csh, without_timeout };

struct ShellKind {
  Family family = Family::without_timeout;
  std::string name;     // "bash": what it is, links resolved
  bool certain = true;  // false: an `sh` of which nobody here knows what it is
};
ShellKind shell_kind(const Root& root, const std::string& path);
Dialect dialect_of(Family family);

// PAM's /etc/environment (pam_env(8)), then the files.
void start(Interpreter& interpreter, State& state, const Root& root, const ShellUser& user,
           Family family, Findings& findings);
// The administrator's files that are meant for this shell, whether or not another one is seen to
// read them.
std::vector<std::string> administrators_files(const Root& root, Family family);

}  // namespace idlewarden::shell

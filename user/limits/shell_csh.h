// SPDX-License-Identifier: Apache-2.0
// csh and tcsh: another language, read for its one variable `autologout` (tcsh(1)), which counts
// minutes.
#pragma once

#include "limits/shell_findings.h"
#include "limits/shell_timeout.h"

namespace idlewarden::shell {

struct CshPasses {
  Pass seen;    // through the files that a login reads
  Pass unseen;  // and through those of the administrator that none of them is seen to read
};
// `users_files`: whether the files in the user's home are read too.
CshPasses csh_passes(Findings& findings, const ShellUser& user, bool users_files);

}  // namespace idlewarden::shell

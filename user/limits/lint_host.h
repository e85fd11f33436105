// SPDX-License-Identifier: Apache-2.0
// What lint looks at: the files of one host that say how long a session may be idle, read once.
// Nothing of the tree is executed, and no daemon is asked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/account.h"
#include "base/files.h"
#include "limits/limit.h"
#include "limits/logind.h"
#include "limits/policy.h"
#include "limits/shell_timeout.h"
#include "limits/sshd_syntax.h"
#include "limits/sshd_version.h"

namespace idlewarden {

// A shell that an account logs in with, or that /etc/shells offers.
struct LintShell {
  std::string name;                // "bash": links resolved as far as that tells what it is
  bool has_timeout = false;        // knows TMOUT or autologout at all
  bool counts_minutes = false;     // autologout
  std::vector<std::string> users;  // who logs in with it; none: only offered
  ShellTimeouts times;             // of the system's files
};

// An account's own start-up files.
struct LintUser {
  Account account;
  std::string shell;  // the name of a LintShell
  ShellTimeouts times;
};

// One kind of session of one account, and what idlewarden's policy on this host makes of it.
struct LintCase {
  Subject subject;
  Verdict verdict;
  bool conditional = false;  // the rule matches from some addresses or ttys, or at some hours only
};

struct LintHost {
  explicit LintHost(Root tree) : root(std::move(tree)) {}

  Root root;
  std::string sshd_file;
  std::string policy_file;
  Policy policy;  // the built-in one where the files cannot be read
  std::optional<Error> policy_error;
  std::optional<SshdSyntax> sshd;  // none: no sshd_config, or an error
  std::optional<Error> sshd_error;
  std::optional<SshdVersion> version;
  LogindTimes logind;
  std::vector<LintShell> shells;
  std::vector<LintUser> users;
  std::vector<LintCase> cases;
  std::size_t accounts_left_out = 0;  // more than anybody wants to wait for
};

struct LintOptions {
  std::string policy_file = kDefaultPolicyFile;
  std::string sshd_file = "/etc/ssh/sshd_config";
};
LintHost look_at_host(const Root& root, const LintOptions& options);

// Every session of this kind is ended at its limit by idlewarden, as its policy says.
bool enforced(const LintHost& host, Kind kind);

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// TMOUT (bash, ksh, zsh) and autologout (tcsh) in the files that a login shell reads. The files are
// read as text and never executed.
#pragma once

#include <sys/types.h>

#include <compare>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/files.h"
#include "limits/limit.h"

namespace idlewarden {

namespace shell {
class ScriptCache;
}

// How the user came in, as far as it shows in the shell's environment: OpenSSH sets SSH_CONNECTION
// and its like, a terminal of the machine's own has none of them.
enum class Login { unknown, ssh, local };

// All that an answer depends on but for the files.
struct ShellUser {
  uid_t uid = 0;
  std::string home;
  std::string shell;                     // "/bin/bash"; its base name decides which files are read
  std::string name = {};                 // empty: not known
  std::optional<gid_t> gid = {};         // the primary one; none: not known
  std::vector<std::string> groups = {};  // names, the primary one first; empty: not known
  Login login = Login::unknown;
  bool foreign = false;         // a container's, whose permissions are not judged from outside
  std::string address = {};     // of the client of a Login::ssh; empty: not known
  bool home_is_silent = false;  // it does not answer: nothing in it is asked for, all is unknown
  friend auto operator<=>(const ShellUser&, const ShellUser&) = default;
};

struct ShellTimeouts {
  // What a login may really start with, strictest-of to be taken by the caller. Usually one; more
  // where a condition was not decided (marked conditional) or a user's file tightens.
  std::vector<LimitSource> in_force;
  // The other assignments, each with the reason why it does not hold: "overwritten by FILE:LINE",
  // "readonly since FILE:LINE", "unset by FILE:LINE", "a user's own file can only tighten".
  std::vector<LimitSource> overruled;
  // Of the TMOUT that the system's files leave behind, as far as it is certain.
  bool readonly = false;
  bool exported = false;
  // Whatever the open conditions in the system's files come to, they set no longer one than this;
  // none: or perhaps none at all.
  std::optional<Seconds> at_most;
  // Files that could not be read; the first so many are what the system's files alone led to.
  std::vector<Error> problems;
  std::size_t systems_problems = 0;
  std::set<std::string> unread;  // of these, by path
  // What was looked at, existing or not: by the system's files alone, for watching, and what else
  // the user's own files led to, which can be any path there is.
  std::vector<std::string> files;
  std::vector<std::string> users_files;
  bool home_is_silent = false;  // as the user's
};

// The system's files, then the user's own: a user's own files can only tighten. What cannot be
// decided without running it is a source with no limit, conditional, and says so; a weaker or later
// undecided line never removes a limit that was decided.
ShellTimeouts shell_timeouts(const Root& root, const ShellUser& user);
// The same; files that `scripts` knows and that have not changed are not parsed again.
ShellTimeouts shell_timeouts(const Root& root, const ShellUser& user, shell::ScriptCache& scripts);

}  // namespace idlewarden

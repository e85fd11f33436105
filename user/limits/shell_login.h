// SPDX-License-Identifier: Apache-2.0
// What the start-up files can ask about the login that they are run for: its environment, and the
// output of id(1), groups(1), whoami(1), logname(1), often searched by grep(1).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "limits/shell_timeout.h"
#include "limits/shell_value.h"

namespace idlewarden::shell {

// The variables that login(1) and sshd(8) set, or leave unset, for this user.
std::map<std::string, Value> environment_of(const ShellUser& user);

// What a variable holds before any file sets it, where that is not "unset": the shell has set it
// itself, or a login's environment may bring it.
std::optional<Values> before_all_files(Dialect dialect, std::string_view name);

// What the command prints, without newlines at the end, in all the ways that it may.
Values printed_by(const std::vector<std::string>& words, const ShellUser& user);
// `text` after `tr ' ' '\n'`; unknown for any other command.
Value changed_by(const std::vector<std::string>& words, std::string text);
// Whether this grep finds something in `text`. Known for what all of its dialects read alike: plain
// words, and the expressions below.
Tri found_by(const std::vector<std::string>& words, const std::string& text);
// Whether an extended regular expression is found in the value. Known for those of names, ^, $, (,
// | and ).
Tri found_by_expression(const std::string& expression, const Value& value);

// As grep -w: no letter, digit or _ touches it.
bool has_word(std::string_view text, std::string_view word);

}  // namespace idlewarden::shell

// SPDX-License-Identifier: Apache-2.0
// A csh script as its commands, one line's words each.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "limits/shell_lexer.h"

namespace idlewarden::shell {

struct CshWord {
  std::string text;      // quotes removed; a `command` keeps its backquotes
  bool literal = false;  // from single quotes: nothing in it is replaced
  bool special = false;  // an unquoted operator: ( ) && || | < > & and so on
};

struct CshCommand {
  int line = 0;
  bool doubtful = false;  // behind && or ||: whether it runs is not decided here
  std::vector<CshWord> words;
};

std::vector<CshCommand> csh_commands(std::string_view text, Budget& budget);

}  // namespace idlewarden::shell

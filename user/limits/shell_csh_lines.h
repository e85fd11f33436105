// SPDX-License-Identifier: Apache-2.0
// A csh script as its commands, one line's words each.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "limits/shell_lexer.h"

namespace idlewarden::shell {

struct CshWord {
  std::string text = {};    // quotes removed; a `command` keeps its backquotes
  std::string quotes = {};  // for each character of the text ', " or a blank; short: blanks follow
  bool quoted = false;      // some of it, or all that there is: ""
  bool special = false;     // an unquoted operator: ( ) && || | < > & and so on

  char quote(std::size_t at) const { return at < quotes.size() ? quotes[at] : ' '; }
  CshWord from(std::size_t at) const;
};

struct CshCommand {
  int line = 0;
  bool doubtful = false;       // behind && or ||: whether it runs is not decided here
  bool broken = false;         // the shell stops at its line: no match for a quote or ( or !event
  bool forked = false;         // part of a pipeline, or in the background
  bool ends_line = true;       // a way out of here is taken only at the line's end
  std::vector<CshWord> words;  // without redirections and what they name; never empty

  // Of a builtin or a keyword; "" in quotes, where it is neither, and of what sets nothing here.
  std::string_view name() const {
    return forked || words.front().quoted ? std::string_view() : words.front().text;
  }
};

std::vector<CshCommand> csh_commands(std::string_view text, Budget& budget);

}  // namespace idlewarden::shell

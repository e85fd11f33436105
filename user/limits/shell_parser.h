// SPDX-License-Identifier: Apache-2.0
// From tokens to commands, one line's worth at a time, as a shell reads a script.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "limits/shell_lexer.h"
#include "limits/shell_syntax.h"

namespace idlewarden::shell {

class Parser {
 public:
  Parser(std::string_view text, Budget& budget, int first_line = 1) : lexer_(text, budget) {
    lexer_.rewind(0, first_line);
    take();
  }

  // The commands up to the next newline outside of any of them; nullopt at the end of the text, and
  // when failed(): then what starts at error_line() is no command that is understood here.
  std::optional<Command> next();
  bool failed() const { return failed_ || lexer_.failed(); }
  int error_line() const { return start_line_; }
  std::size_t nodes() const { return lexer_.nodes(); }
  // Goes on with the line after error_line().
  void resume();

 private:
  void take();
  bool at_word(std::string_view text) const;
  bool at_end_of_list() const;
  bool accept_word(std::string_view text);
  void expect_word(std::string_view text);
  void expect(std::string_view op);
  void skip_newlines();

  Command parse_list(bool one_line);
  Command parse_and_or();
  Command parse_pipeline();
  Command parse_command();
  Command parse_group(std::string_view close);
  Command parse_parenthesised();
  Command parse_if();
  Command parse_loop(bool until);
  Command parse_each();
  void parse_each_words(Command& each);
  Command parse_case();
  bool parse_pattern(Command& choice);
  Command parse_test();
  Word parse_expression();
  Command parse_simple();
  Command parse_function(std::string name);
  bool parse_redirection(Command& command);
  Command fail();

  Lexer lexer_;
  Token token_;
  std::size_t start_ = 0;  // where what next() reads starts
  int start_line_ = 1;
  int depth_ = 0;
  bool failed_ = false;
};

}  // namespace idlewarden::shell

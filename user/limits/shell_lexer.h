// SPDX-License-Identifier: Apache-2.0
// Tokens of a shell script: words with their quoting and expansions, operators, newlines;
// comments, line continuations and here-documents are gone (XCU 2.2, 2.3, 2.7.4).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "limits/shell_budget.h"
#include "limits/shell_syntax.h"

namespace idlewarden::shell {

inline constexpr std::string_view kMetacharacters = " \t\n;&|<>()";

struct Token {
  enum class Kind { word, op, newline, end };
  Kind kind = Kind::end;
  std::string op;
  std::string descriptor;  // the number in front of a redirection
  Word word;
  int line = 0;
  std::size_t position = 0;  // of its first character

  bool is(std::string_view text) const { return kind == Kind::op && op == text; }
};

class Lexer {
 public:
  Lexer(std::string_view text, Budget& budget) : text_(text), budget_(budget) {}

  Token next();
  // The word after << was taken: its document starts after the next newline.
  void expect_here_document(const std::string& delimiter, bool strip_tabs);
  // Text up to "))", after "((" was taken; nullopt: these are two subshells.
  std::optional<std::string> arithmetic_rest();
  // The whole text as if it stood between double quotes.
  Word quoted_text();

  bool failed() const { return failed_; }
  // Words, their parts and operators so far, each of them kNode of the Budget.
  std::size_t nodes() const { return nodes_; }
  std::size_t position() const { return position_; }
  int line() const { return line_; }
  void rewind(std::size_t position, int line) { position_ = position, line_ = line; }
  // Past an error: on with the line after `line`.
  void resume_after(int line, std::size_t position);

 private:
  struct HereDocument {
    std::string delimiter;
    bool strip_tabs;
  };
  void add_nodes(std::size_t n);
  char at(std::size_t ahead = 0) const;
  void advance(std::size_t n = 1);
  void skip_blanks();
  void skip_here_documents();
  std::string operator_here() const;
  Word read_word();
  bool read_quote(Word& word);
  void read_parenthesised(Word& word);
  void read_single_quoted(Word& word);
  void read_ansi_quoted(Word& word);
  void read_double_quoted(Word& word);
  void read_dollar(Word& word, bool quoted);
  void read_braced(Word& word, bool quoted);
  void read_backquoted(Word& word, bool quoted);
  Word read_operand(bool quoted);
  // The index of the parenthesis that closes the one before `from`; npos: none does.
  std::size_t closing(std::size_t from, int depth = 0) const;
  std::size_t closing_arithmetic(std::size_t from) const;

  std::string_view text_;
  Budget& budget_;
  std::size_t position_ = 0;
  int line_ = 1;
  int depth_ = 0;
  std::size_t nodes_ = 0;
  bool failed_ = false;
  std::vector<HereDocument> here_documents_;
};

}  // namespace idlewarden::shell

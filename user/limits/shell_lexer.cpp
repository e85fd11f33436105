// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_lexer.h"

#include <algorithm>
#include <array>

namespace idlewarden::shell {
namespace {

bool digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

char Lexer::at(std::size_t ahead) const {
  return position_ + ahead < text_.size() ? text_[position_ + ahead] : '\0';
}

void Lexer::advance(std::size_t n) {
  n = std::min(n, text_.size() - position_);
  if (!budget_.spend(n)) failed_ = true;
  line_ += static_cast<int>(std::ranges::count(text_.substr(position_, n), '\n'));
  position_ += n;
}

void Lexer::resume_after(int line, std::size_t position) {
  failed_ = false;
  depth_ = 0;
  here_documents_.clear();
  rewind(position, line);
  const auto newline = text_.find('\n', position_);
  advance(newline == std::string_view::npos ? text_.size() : newline + 1 - position_);
}

void Lexer::skip_blanks() {
  while (!failed_) {
    if (at() == ' ' || at() == '\t') {
      advance();
    } else if (at() == '\\' && at(1) == '\n') {
      advance(2);
    } else {
      break;
    }
  }
  if (at() != '#' || position_ >= text_.size()) return;
  const auto newline = text_.find('\n', position_);
  advance((newline == std::string_view::npos ? text_.size() : newline) - position_);
}

std::string Lexer::operator_here() const {
  // Longest first.
  static constexpr std::array<std::string_view, 24> kOperators = {
      ";;&", "&>>", "<<<", "<<-", ";;", ";&", ";|", "&&", "&>", "||", "|&", "<<",
      "<&",  "<>",  ">>",  ">&",  ">|", ";",  "&",  "|",  "<",  ">",  "(",  ")"};
  for (std::string_view op : kOperators) {
    if (text_.substr(position_, op.size()) == op) return std::string(op);
  }
  return {};
}

void Lexer::add_nodes(std::size_t n) {
  nodes_ += n;
  if (!budget_.spend(n * Budget::kNode)) failed_ = true;
}

Token Lexer::next() {
  skip_blanks();
  Token token;
  token.line = line_;
  token.position = position_;
  if (failed_ || position_ >= text_.size()) return token;
  if (at() == '\n') {
    advance();
    skip_here_documents();
    token.kind = Token::Kind::newline;
    return token;
  }
  const bool substitution = (at() == '<' || at() == '>') && at(1) == '(';
  token.op = substitution ? "" : operator_here();
  if (!token.op.empty()) {
    advance(token.op.size());
    token.kind = Token::Kind::op;
    add_nodes(1);
    return token;
  }
  token.kind = Token::Kind::word;
  token.word = read_word();
  add_nodes(1 + token.word.parts.size());
  const auto text = token.word.plain(true);
  // A number that touches a redirection is a part of it.
  if ((at() == '<' || at() == '>') && text && !text->empty() && std::ranges::all_of(*text, digit)) {
    token = next();
    token.descriptor = *text;
  }
  return token;
}

void Lexer::expect_here_document(const std::string& delimiter, bool strip_tabs) {
  here_documents_.push_back({delimiter, strip_tabs});
}

void Lexer::skip_here_documents() {
  for (const HereDocument& document : here_documents_) {
    while (position_ < text_.size() && !failed_) {
      const auto newline = std::min(text_.find('\n', position_), text_.size());
      std::string_view row = text_.substr(position_, newline - position_);
      advance(row.size() + 1);
      if (document.strip_tabs) row.remove_prefix(std::min(row.find_first_not_of('\t'), row.size()));
      if (row == document.delimiter) break;
    }
  }
  here_documents_.clear();
}

Word Lexer::read_word() {
  Word word{.parts = {}, .line = line_};
  while (!failed_ && position_ < text_.size()) {
    const char c = at();
    if (read_quote(word)) continue;
    if (c == '(') {
      // After an extended pattern's or an array's first character it belongs to the word.
      const bool literal = !word.parts.empty() && word.parts.back().kind == Part::Kind::literal &&
                           !word.parts.back().quoted && !word.parts.back().text.empty();
      const char before = literal ? word.parts.back().text.back() : '\0';
      if (before == '\0' || !std::string_view("=?*+@!").contains(before)) break;
      read_parenthesised(word);
    } else if ((c == '<' || c == '>') && at(1) == '(') {
      advance();
      read_parenthesised(word);
    } else if (kMetacharacters.contains(c)) {
      break;
    } else {
      word.add_literal(std::string_view(&text_[position_], 1), false);
      advance();
    }
  }
  return word;
}

// A quote or an expansion that starts here, as outside of double quotes.
bool Lexer::read_quote(Word& word) {
  switch (at()) {
    case '\'': read_single_quoted(word); return true;
    case '"': read_double_quoted(word); return true;
    case '`': read_backquoted(word, false); return true;
    case '$': read_dollar(word, false); return true;
    case '\\':
      if (at(1) != '\n') word.add_literal(text_.substr(position_ + 1, 1), true);
      advance(2);
      return true;
  }
  return false;
}

void Lexer::read_parenthesised(Word& word) {
  const std::size_t end = closing(position_ + 1);
  if (end == std::string_view::npos) {
    failed_ = true;
    return;
  }
  word.add_part(Part::Kind::opaque, false, text_.substr(position_ + 1, end - position_ - 1));
  word.parts.back().op = '(';
  advance(end + 1 - position_);
}

void Lexer::read_single_quoted(Word& word) {
  const auto end = text_.find('\'', position_ + 1);
  if (end == std::string_view::npos) {
    failed_ = true;
    return;
  }
  word.add_literal(text_.substr(position_ + 1, end - position_ - 1), true);
  advance(end + 1 - position_);
}

void Lexer::read_ansi_quoted(Word& word) {
  advance(2);
  bool escapes = false;
  std::string text;
  while (!failed_ && position_ < text_.size() && at() != '\'') {
    if (at() == '\\') {
      escapes = true;
      advance();
    }
    text += at();
    advance();
  }
  if (position_ >= text_.size()) failed_ = true;
  advance();
  // Escapes stand in prompts and terminal strings, never in a number of seconds.
  if (escapes) {
    word.add_part(Part::Kind::opaque, true, text);
  } else {
    word.add_literal(text, true);
  }
}

void Lexer::read_double_quoted(Word& word) {
  advance();
  word.add_literal("", true);
  while (!failed_) {
    if (position_ >= text_.size()) {
      failed_ = true;
      return;
    }
    const char c = at();
    if (c == '"') {
      advance();
      return;
    }
    if (c == '\\' && std::string_view("$`\"\\\n").contains(at(1))) {
      if (at(1) != '\n') word.add_literal(text_.substr(position_ + 1, 1), true);
      advance(2);
    } else if (c == '$') {
      read_dollar(word, true);
    } else if (c == '`') {
      read_backquoted(word, true);
    } else {
      word.add_literal(text_.substr(position_, 1), true);
      advance();
    }
  }
}

Word Lexer::quoted_text() {
  Word word{.parts = {}, .line = line_};
  while (!failed_ && position_ < text_.size()) {
    if (at() == '$') {
      read_dollar(word, true);
    } else if (at() == '`') {
      read_backquoted(word, true);
    } else {
      word.add_literal(text_.substr(position_, 1), true);
      advance();
    }
  }
  return word;
}

}  // namespace idlewarden::shell

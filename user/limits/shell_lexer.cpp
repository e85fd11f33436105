// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_lexer.h"

#include <algorithm>
#include <array>

namespace idlewarden::shell {
namespace {

constexpr int kMaxDepth = 40;
constexpr std::string_view kMetacharacters = " \t\n;&|<>()";

bool name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool digit(char c) {
  return c >= '0' && c <= '9';
}
bool name_char(char c) {
  return name_start(c) || digit(c);
}

void add_literal(Word& word, std::string_view text, bool quoted) {
  if (word.parts.empty() || word.parts.back().kind != Part::Kind::literal ||
      word.parts.back().quoted != quoted) {
    word.parts.push_back(
        {.kind = Part::Kind::literal, .quoted = quoted, .text = {}, .op = {}, .operand = {}});
  }
  word.parts.back().text += text;
}

void add_part(Word& word, Part::Kind kind, bool quoted, std::string_view text) {
  word.parts.push_back(
      {.kind = kind, .quoted = quoted, .text = std::string(text), .op = {}, .operand = {}});
}

}  // namespace

std::optional<std::string> Word::plain(bool unquoted) const {
  std::string text;
  for (const Part& part : parts) {
    if (part.kind != Part::Kind::literal || (unquoted && part.quoted)) return std::nullopt;
    text += part.text;
  }
  return text;
}

bool Word::mentions(std::string_view name) const {
  return std::ranges::any_of(parts, [&](const Part& part) {
    return part.text.contains(name) ||
           (!part.operand.empty() && part.operand.front().mentions(name));
  });
}

bool is_name(std::string_view text) {
  return !text.empty() && name_start(text.front()) && std::ranges::all_of(text, name_char);
}

std::optional<Assignment> as_assignment(const Word& word) {
  if (word.parts.empty()) return std::nullopt;
  const Part& first = word.parts.front();
  if (first.kind != Part::Kind::literal || first.quoted) return std::nullopt;
  std::size_t end = 0;
  while (end < first.text.size() && name_char(first.text[end])) ++end;
  Assignment assignment;
  assignment.name = first.text.substr(0, end);
  assignment.value.line = word.line;
  if (!is_name(assignment.name)) return std::nullopt;
  if (end < first.text.size() && first.text[end] == '[') {
    const auto close = first.text.find("]", end);
    if (close == std::string::npos) return std::nullopt;
    assignment.array = true;
    end = close + 1;
  }
  if (first.text.substr(end, 2) == "+=") {
    assignment.append = true;
    ++end;
  }
  if (end >= first.text.size() || first.text[end] != '=') return std::nullopt;
  assignment.value.parts.assign(word.parts.begin(), word.parts.end());
  assignment.value.parts.front().text.erase(0, end + 1);
  if (assignment.value.parts.front().text.empty()) {
    assignment.value.parts.erase(assignment.value.parts.begin());
    // NAME=( stays one word with an opaque part.
    if (!assignment.value.parts.empty() && assignment.value.parts.front().op == "(") {
      assignment.array = true;
    }
  }
  return assignment;
}

char Lexer::at(std::size_t ahead) const {
  return position_ + ahead < text_.size() ? text_[position_ + ahead] : '\0';
}

void Lexer::advance(std::size_t n) {
  n = std::min(n, text_.size() - position_);
  if (!budget_.spend_characters(n)) failed_ = true;
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
    return token;
  }
  token.kind = Token::Kind::word;
  token.word = read_word();
  const auto text = token.word.plain(true);
  // A number that touches a redirection is a part of it.
  if ((at() == '<' || at() == '>') && text && !text->empty() && std::ranges::all_of(*text, digit)) {
    return next();
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
      add_literal(word, std::string_view(&text_[position_], 1), false);
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
      if (at(1) != '\n') add_literal(word, text_.substr(position_ + 1, 1), true);
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
  add_part(word, Part::Kind::opaque, false, text_.substr(position_ + 1, end - position_ - 1));
  word.parts.back().op = "(";
  advance(end + 1 - position_);
}

void Lexer::read_single_quoted(Word& word) {
  const auto end = text_.find('\'', position_ + 1);
  if (end == std::string_view::npos) {
    failed_ = true;
    return;
  }
  add_literal(word, text_.substr(position_ + 1, end - position_ - 1), true);
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
    add_part(word, Part::Kind::opaque, true, text);
  } else {
    add_literal(word, text, true);
  }
}

void Lexer::read_double_quoted(Word& word) {
  advance();
  add_literal(word, "", true);
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
      if (at(1) != '\n') add_literal(word, text_.substr(position_ + 1, 1), true);
      advance(2);
    } else if (c == '$') {
      read_dollar(word, true);
    } else if (c == '`') {
      read_backquoted(word, true);
    } else {
      add_literal(word, text_.substr(position_, 1), true);
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
      add_literal(word, text_.substr(position_, 1), true);
      advance();
    }
  }
  return word;
}

void Lexer::read_backquoted(Word& word, bool quoted) {
  std::size_t end = position_ + 1;
  while (end < text_.size() && text_[end] != '`') end += text_[end] == '\\' ? 2 : 1;
  if (end >= text_.size()) {
    failed_ = true;
    return;
  }
  add_part(word, Part::Kind::command, quoted, text_.substr(position_ + 1, end - position_ - 1));
  advance(end + 1 - position_);
}

void Lexer::read_dollar(Word& word, bool quoted) {
  const char c = at(1);
  if (c == '(') {
    const bool arithmetic = at(2) == '(';
    std::size_t end = arithmetic ? closing_arithmetic(position_ + 3) : std::string_view::npos;
    if (end != std::string_view::npos) {
      add_part(word, Part::Kind::arithmetic, quoted,
               text_.substr(position_ + 3, end - position_ - 3));
      advance(end + 2 - position_);
      return;
    }
    end = closing(position_ + 2);
    if (end == std::string_view::npos) {
      failed_ = true;
      return;
    }
    add_part(word, Part::Kind::command, quoted, text_.substr(position_ + 2, end - position_ - 2));
    advance(end + 1 - position_);
  } else if (c == '[') {
    const auto end = text_.find(']', position_);
    if (end == std::string_view::npos) {
      failed_ = true;
      return;
    }
    add_part(word, Part::Kind::arithmetic, quoted,
             text_.substr(position_ + 2, end - position_ - 2));
    advance(end + 1 - position_);
  } else if (c == '{') {
    read_braced(word, quoted);
  } else if (c == '\'' && !quoted) {
    read_ansi_quoted(word);
  } else if (c == '"' && !quoted) {
    advance();
  } else if (name_start(c)) {
    std::size_t length = 1;
    while (name_char(at(1 + length))) ++length;
    add_part(word, Part::Kind::parameter, quoted, text_.substr(position_ + 1, length));
    advance(1 + length);
  } else if (c != '\0' && std::string_view("@*#?$!-0123456789").contains(c)) {
    add_part(word, Part::Kind::parameter, quoted, text_.substr(position_ + 1, 1));
    advance(2);
  } else {
    add_literal(word, "$", quoted);
    advance();
  }
}

void Lexer::read_braced(Word& word, bool quoted) {
  advance(2);
  std::size_t length = 0;
  if (name_start(at())) {
    while (name_char(at(length))) ++length;
  } else if (at() != '\0' && std::string_view("@*?$-0123456789").contains(at())) {
    length = 1;
    while (digit(at()) && digit(at(length))) ++length;
  }
  Part part{.kind = length == 0 ? Part::Kind::opaque : Part::Kind::parameter,
            .quoted = quoted,
            .text = std::string(text_.substr(position_, length)),
            .op = {},
            .operand = {}};
  advance(length);
  static constexpr std::array<std::string_view, 18> kOperators = {
      ":-", ":=", ":+", ":?", "##", "%%", "//", "^^", ",,",
      "-",  "=",  "+",  "?",  "#",  "%",  "/",  "^",  ","};
  for (std::string_view op : kOperators) {
    if (length > 0 && text_.substr(position_, op.size()) == op) {
      part.op = op;
      advance(op.size());
      break;
    }
  }
  // An index, a substring, a zsh flag.
  if (part.op.empty() && at() != '}') part.kind = Part::Kind::opaque;
  // Within double quotes a single quote is itself, but not in a pattern.
  const bool pattern = !part.op.empty() && std::string_view("#%/^,").contains(part.op.front());
  Word operand = read_operand(quoted && !pattern);
  if (part.kind == Part::Kind::opaque) {
    for (const Part& inner : operand.parts) part.text += inner.text;
  } else if (!part.op.empty()) {
    part.operand.push_back(std::move(operand));
  }
  word.parts.push_back(std::move(part));
}

// Up to and with the brace that closes the expansion.
Word Lexer::read_operand(bool quoted) {
  Word word{.parts = {}, .line = line_};
  if (++depth_ > kMaxDepth) failed_ = true;
  while (!failed_) {
    if (position_ >= text_.size()) {
      failed_ = true;
    } else if (at() == '}') {
      advance();
      break;
    } else if (quoted && at() == '\'') {
      add_literal(word, "'", true);
      advance();
    } else if (!read_quote(word)) {
      add_literal(word, text_.substr(position_, 1), quoted);
      advance();
    }
  }
  --depth_;
  return word;
}

std::optional<std::string> Lexer::arithmetic_rest() {
  const std::size_t end = closing_arithmetic(position_);
  if (end == std::string_view::npos) return std::nullopt;
  std::string text(text_.substr(position_, end - position_));
  advance(end + 2 - position_);
  return text;
}

std::size_t Lexer::closing_arithmetic(std::size_t from) const {
  int open = 0;
  for (std::size_t i = from; i < text_.size() && budget_.spend_characters(1); ++i) {
    if (text_[i] == '(') ++open;
    if (text_[i] != ')') continue;
    if (open-- > 0) continue;
    return text_.substr(i, 2) == "))" ? i : std::string_view::npos;
  }
  return std::string_view::npos;
}

std::size_t Lexer::closing(std::size_t from, int depth) const {
  if (depth > kMaxDepth) return std::string_view::npos;
  int open = 0;
  int cases = 0;  // `case` without its `esac`: there a pattern's parenthesis closes nothing
  bool word_start = true;
  bool in_double = false;
  for (std::size_t i = from; i < text_.size() && budget_.spend_characters(1); ++i) {
    const char c = text_[i];
    if (c == '\\') {
      ++i;
    } else if (c == '"') {
      in_double = !in_double;
    } else if (c == '\'' && !in_double) {
      i = text_.find('\'', i + 1);
      if (i == std::string_view::npos) return i;
    } else if (in_double && c == '$' && text_.substr(i, 2) == "$(") {
      i = closing(i + 2, depth + 1);
      if (i == std::string_view::npos) return i;
    } else if (in_double) {
      continue;
    } else if (c == '#' && word_start) {
      i = text_.find('\n', i);
      if (i == std::string_view::npos) return i;
      continue;  // what follows starts a word, too
    } else if (c == '(') {
      ++open;
    } else if (c == ')') {
      if (open == 0 && cases == 0) return i;
      if (open > 0) --open;
    } else if (word_start && text_.substr(i, 5) == "case ") {
      ++cases;
    } else if (word_start && text_.substr(i, 4) == "esac" && cases > 0) {
      --cases;
    }
    word_start = kMetacharacters.contains(c);
  }
  return std::string_view::npos;
}

}  // namespace idlewarden::shell

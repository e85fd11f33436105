// SPDX-License-Identifier: Apache-2.0
// What begins with a dollar sign or a backquote, and where it ends.
#include <algorithm>
#include <array>

#include "limits/shell_lexer.h"

namespace idlewarden::shell {
namespace {

constexpr int kMaxDepth = 40;

bool digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

void Lexer::read_backquoted(Word& word, bool quoted) {
  std::size_t end = position_ + 1;
  while (end < text_.size() && text_[end] != '`') end += text_[end] == '\\' ? 2 : 1;
  if (end >= text_.size()) {
    failed_ = true;
    return;
  }
  word.add_part(Part::Kind::command, quoted, text_.substr(position_ + 1, end - position_ - 1));
  advance(end + 1 - position_);
}

void Lexer::read_dollar(Word& word, bool quoted) {
  const char c = at(1);
  if (c == '(') {
    const bool arithmetic = at(2) == '(';
    std::size_t end = arithmetic ? closing_arithmetic(position_ + 3) : std::string_view::npos;
    if (end != std::string_view::npos) {
      word.add_part(Part::Kind::arithmetic, quoted,
                    text_.substr(position_ + 3, end - position_ - 3));
      advance(end + 2 - position_);
      return;
    }
    end = closing(position_ + 2);
    if (end == std::string_view::npos) {
      failed_ = true;
      return;
    }
    word.add_part(Part::Kind::command, quoted, text_.substr(position_ + 2, end - position_ - 2));
    advance(end + 1 - position_);
  } else if (c == '[') {
    const auto end = text_.find(']', position_);
    if (end == std::string_view::npos) {
      failed_ = true;
      return;
    }
    word.add_part(Part::Kind::arithmetic, quoted, text_.substr(position_ + 2, end - position_ - 2));
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
    word.add_part(Part::Kind::parameter, quoted, text_.substr(position_ + 1, length));
    advance(1 + length);
  } else if (c != '\0' && std::string_view("@*#?$!-0123456789").contains(c)) {
    word.add_part(Part::Kind::parameter, quoted, text_.substr(position_ + 1, 1));
    advance(2);
  } else {
    word.add_literal("$", quoted);
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
      word.add_literal("'", true);
      advance();
    } else if (!read_quote(word)) {
      word.add_literal(text_.substr(position_, 1), quoted);
      advance();
    }
  }
  --depth_;
  add_nodes(1 + word.parts.size());
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
  for (std::size_t i = from; i < text_.size() && budget_.spend(1); ++i) {
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
  for (std::size_t i = from; i < text_.size() && budget_.spend(1); ++i) {
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

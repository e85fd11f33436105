// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_syntax.h"

#include <algorithm>

namespace idlewarden::shell {

bool name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool name_char(char c) {
  return name_start(c) || (c >= '0' && c <= '9');
}

void Word::add_literal(std::string_view literal, bool quoted) {
  if (parts.empty() || parts.back().kind != Part::Kind::literal || parts.back().quoted != quoted) {
    add_part(Part::Kind::literal, quoted, {});
  }
  parts.back().text += literal;
}

void Word::add_part(Part::Kind kind, bool quoted, std::string_view text) {
  parts.push_back(
      {.kind = kind, .quoted = quoted, .text = std::string(text), .op = {}, .operand = {}});
}

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

bool is_all_arguments(const Word& word) {
  if (word.parts.empty()) return false;
  // A double quote begins with an empty literal.
  const Part& last = word.parts.back();
  const bool alone = word.parts.size() == 1 ||
                     (word.parts.size() == 2 && word.parts.front().kind == Part::Kind::literal &&
                      word.parts.front().text.empty());
  return alone && last.kind == Part::Kind::parameter && last.text == "@" && last.op.empty();
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
    const auto close = first.text.find(']', end);
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

}  // namespace idlewarden::shell

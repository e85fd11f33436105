// SPDX-License-Identifier: Apache-2.0
#include "limits/sshd_lexer.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <utility>

namespace idlewarden {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

void strip_end(std::string& text) {
  while (text.size() > 1 && std::string_view(" \t\r\n\f").contains(text.back())) text.pop_back();
}

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(kBlanks, at), text.size());
}

// strtol(3): blanks, a sign, digits. Saturates just above INT_MAX, where everything is refused.
std::optional<std::int64_t> take_number(std::string_view& text) {
  std::size_t i = std::min(text.find_first_not_of(" \t\n\v\f\r"), text.size());
  const bool negative = i < text.size() && text[i] == '-';
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
  const std::size_t first = i;
  std::int64_t number = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
    number = std::min<std::int64_t>(number * 10 + (text[i] - '0'), std::int64_t{INT_MAX} + 1);
  }
  if (i == first) return std::nullopt;
  text.remove_prefix(i);
  return negative ? -number : number;
}

// Takes the unit off; the end is a unit of its own.
std::optional<int> take_unit(std::string_view& text) {
  if (text.empty()) return 1;
  const char letter = text.front();
  text.remove_prefix(1);
  switch (letter) {
    case 's':
    case 'S': return 1;
    case 'm':
    case 'M': return 60;
    case 'h':
    case 'H': return 3600;
    case 'd':
    case 'D': return 86400;
    case 'w':
    case 'W': return 604800;
    default: return std::nullopt;
  }
}

}  // namespace

std::vector<SshdLine> sshd_lines(std::string_view content) {
  std::vector<SshdLine> lines;
  bool joined = false;
  for (int number = 1; !content.empty(); ++number) {
    const std::size_t end = content.find('\n');
    std::string_view piece = content.substr(0, end);
    content.remove_prefix(end == std::string_view::npos ? content.size() : end + 1);
    const std::size_t indent = std::min(piece.find_first_not_of(" \t\r"), piece.size());
    piece.remove_prefix(indent);
    const std::size_t nul = piece.find('\0');
    const bool joins_next = nul != std::string_view::npos;
    piece = piece.substr(0, nul);
    if (joined) {
      lines.back().text += piece;
    } else {
      lines.push_back({number, static_cast<int>(indent), std::string(piece)});
    }
    joined = joins_next;
  }
  for (SshdLine& line : lines) strip_end(line.text);
  return lines;
}

SshdLine sshd_option_line(std::string_view option) {
  SshdLine line{0, 0, std::string(option)};
  strip_end(line.text);
  return line;
}

std::optional<SshdWord> SshdScanner::word() {
  if (!at_) return std::nullopt;
  const std::string& text = line_->text;
  const std::size_t first = *at_;
  const auto column = static_cast<int>(first) + line_->indent + 1;
  const std::size_t end = text.find_first_of(" \t\r\n\"=", first);
  if (end == std::string::npos) {
    at_.reset();
    return SshdWord{text.substr(first), column};
  }
  if (text[end] == '"') {
    const std::size_t closing = text.find('"', end + 1);
    if (closing == std::string::npos) {
      at_.reset();
      return std::nullopt;
    }
    at_ = skip_blanks(text, closing + 1);
    return SshdWord{text.substr(first, end - first) + text.substr(end + 1, closing - end - 1),
                    column};
  }
  std::size_t next = skip_blanks(text, end + 1);
  if (text[end] != '=' && next < text.size() && text[next] == '=')
    next = skip_blanks(text, next + 1);
  at_ = next;
  return SshdWord{text.substr(first, end - first), column};
}

std::optional<std::vector<SshdWord>> SshdScanner::arguments() const {
  std::vector<SshdWord> words;
  if (!at_) return words;
  const std::string_view text = line_->text;
  for (std::size_t i = *at_; i < text.size(); ++i) {
    if (text[i] == ' ' || text[i] == '\t') continue;
    if (text[i] == '#') break;
    SshdWord word{{}, static_cast<int>(i) + line_->indent + 1};
    char quote = 0;
    for (; i < text.size(); ++i) {
      const char c = text[i];
      const char next = i + 1 < text.size() ? text[i + 1] : '\0';
      if (c == '\\') {
        const bool escapes =
            next == '\'' || next == '"' || next == '\\' || (quote == 0 && next == ' ');
        word.text += escapes ? text[++i] : c;
      } else if (quote == 0 && (c == ' ' || c == '\t')) {
        break;
      } else if (quote == 0 && (c == '"' || c == '\'')) {
        quote = c;
      } else if (quote != 0 && c == quote) {
        quote = 0;
      } else {
        word.text += c;
      }
    }
    if (quote != 0) return std::nullopt;
    words.push_back(std::move(word));
  }
  return words;
}

std::optional<int> sshd_time(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::int64_t total = 0;
  while (!text.empty()) {
    const auto number = take_number(text);
    const auto unit = take_unit(text);
    if (!number || !unit || *number < 0 || *number > INT_MAX / *unit) return std::nullopt;
    total += *number * *unit;
    if (total > INT_MAX) return std::nullopt;
  }
  return static_cast<int>(total);
}

std::optional<int> sshd_number(std::string_view text, int largest) {
  const auto number = take_number(text);
  if (!number || !text.empty() || *number < 0 || *number > largest) return std::nullopt;
  return static_cast<int>(*number);
}

std::optional<int> sshd_port(const std::string& text) {
  if (const auto number = sshd_number(text, 65535)) return number;
  servent entry{};
  servent* found = nullptr;
  char buffer[1024];
  if (::getservbyname_r(text.c_str(), "tcp", &entry, buffer, sizeof buffer, &found) != 0 ||
      !found) {
    return std::nullopt;
  }
  return ntohs(static_cast<std::uint16_t>(found->s_port));
}

}  // namespace idlewarden

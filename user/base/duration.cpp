// SPDX-License-Identifier: Apache-2.0
#include "base/duration.h"

#include <fmt/format.h>

#include <array>
#include <climits>
#include <cstdint>
#include <utility>

namespace idlewarden {

std::optional<Seconds> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::int64_t total = 0;
  bool seconds_seen = false;
  std::size_t i = 0;
  while (i < text.size()) {
    std::int64_t number = 0;
    const std::size_t first = i;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
      number = number * 10 + (text[i] - '0');
      if (number > INT_MAX) return std::nullopt;
    }
    if (i == first) return std::nullopt;
    std::int64_t unit = 1;
    const char letter = i < text.size() ? text[i++] : 's';
    switch (letter | 0x20) {
      case 's':
        if (std::exchange(seconds_seen, true)) return std::nullopt;
        break;
      case 'm': unit = 60; break;
      case 'h': unit = 3600; break;
      case 'd': unit = 86400; break;
      case 'w': unit = 604800; break;
      default: return std::nullopt;
    }
    total += number * unit;
    if (total > INT_MAX) return std::nullopt;
  }
  return Seconds(total);
}

std::string format_duration(Seconds d) {
  constexpr std::array<std::pair<std::int64_t, char>, 5> kUnits{
      {{604800, 'w'}, {86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}}};
  std::int64_t left = d.count();
  if (left < 0) return "-" + format_duration(-d);
  if (left == 0) return "0s";
  std::string out;
  for (const auto& [unit, letter] : kUnits) {
    if (left >= unit) out += fmt::format("{}{}", left / unit, letter);
    left %= unit;
  }
  return out;
}

}  // namespace idlewarden

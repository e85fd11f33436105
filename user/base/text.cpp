// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

namespace idlewarden {
namespace {

struct Decoded {
  std::uint32_t character = 0;
  std::size_t length = 0;  // 0: not valid UTF-8 here
};

// RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF.
Decoded decode_utf8(std::string_view s) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || s.size() < length) return {};
  std::uint32_t c = first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    c = c << 6 | (byte(i) & 0x3fU);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (c < kSmallest[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return {};
  return {c, length};
}

bool harmless(std::uint32_t c) {
  if (c < 0x20 || (c >= 0x7f && c <= 0x9f)) return false;
  if (c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e)) return false;
  return c < 0x2066 || c > 0x2069;
}

// Letters to change, add, drop, or swap with their neighbour; one row of the table at a time.
std::size_t distance_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, last);
    std::swap(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] =
          std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row.back();
}

}  // namespace

std::string printable(std::string_view raw, std::size_t limit) {
  std::string clean;
  bool replaced = false;
  for (std::size_t i = 0; i < raw.size();) {
    const Decoded d = decode_utf8(raw.substr(i));
    std::string piece;
    if (d.length == 0) {
      piece = fmt::format("\\x{:02x}", static_cast<unsigned char>(raw[i]));
    } else if (!harmless(d.character)) {
      piece = d.character < 0x100 ? fmt::format("\\x{:02x}", d.character)
                                  : fmt::format("\\u{{{:x}}}", d.character);
    } else {
      piece = std::string(raw.substr(i, d.length));
    }
    if (!replaced && (d.length == 0 || !harmless(d.character))) {
      // From the first replacement on, a backslash of the text itself must stay tellable.
      replaced = true;
      std::string escaped;
      for (char c : clean) escaped += c == '\\' ? std::string("\\\\") : std::string(1, c);
      clean = std::move(escaped);
    } else if (replaced && piece == "\\") {
      piece = "\\\\";
    }
    if (clean.size() + piece.size() > limit) return clean + "…";
    clean += piece;
    i += d.length == 0 ? 1 : d.length;
  }
  return clean;
}

std::string_view trim(std::string_view s) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = s.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(kBlanks) - first + 1);
}

std::vector<std::string> split(std::string_view s, char separator) {
  std::vector<std::string> fields;
  while (true) {
    const auto end = s.find(separator);
    fields.emplace_back(s.substr(0, end));
    if (end == std::string_view::npos) return fields;
    s.remove_prefix(end + 1);
  }
}

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

std::string lower(std::string_view s) {
  std::string out(s);
  std::ranges::transform(out, out.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  });
  return out;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = word.size() / 3 + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = distance_between(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace idlewarden

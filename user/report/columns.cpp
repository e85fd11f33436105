// SPDX-License-Identifier: Apache-2.0
#include "report/columns.h"

#include <wchar.h>

#include <algorithm>
#include <cstring>

namespace idlewarden {
namespace {

struct Character {
  std::size_t bytes = 1;
  int columns = 1;  // -1: unknown
};

// `s` is not empty.
Character first_character(std::string_view s) {
  const auto first = static_cast<unsigned char>(s[0]);
  if (first < 0x80) return {.bytes = 1, .columns = first >= 0x20 && first < 0x7f ? 1 : -1};
  wchar_t wide = 0;
  std::mbstate_t state{};
  const std::size_t bytes = std::mbrtowc(&wide, s.data(), s.size(), &state);
  if (bytes == 0 || bytes > s.size()) {
    std::size_t length = 1;
    while (length < s.size() && (static_cast<unsigned char>(s[length]) & 0xc0) == 0x80) ++length;
    return {.bytes = length};
  }
  return {.bytes = bytes, .columns = ::wcwidth(wide)};
}

std::string_view mark(Charset charset) {
  return charset == Charset::utf8 ? "…" : "~";
}

}  // namespace

Utf8Locale::Utf8Locale() : ours_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
  if (ours_ != nullptr) before_ = ::uselocale(ours_);
}

Utf8Locale::~Utf8Locale() {
  if (ours_ == nullptr) return;
  ::uselocale(before_);
  ::freelocale(ours_);
}

std::string drawable(std::string_view s, Charset charset) {
  std::string out;
  while (!s.empty()) {
    const Character c = first_character(s);
    const bool shown = c.columns >= 0 && (charset == Charset::utf8 || c.bytes == 1);
    out += shown ? s.substr(0, c.bytes) : "?";
    s.remove_prefix(c.bytes);
  }
  return out;
}

int columns_of(std::string_view s) {
  int total = 0;
  while (!s.empty()) {
    const Character c = first_character(s);
    total += std::max(0, c.columns);
    s.remove_prefix(c.bytes);
  }
  return total;
}

std::string keep_head(std::string_view s, int width, Charset charset) {
  if (columns_of(s) <= width) return std::string(s);
  if (width <= 0) return "";
  std::string out;
  int used = 1;  // of the mark
  while (!s.empty()) {
    const Character c = first_character(s);
    if (used + c.columns > width) break;
    out += s.substr(0, c.bytes);
    used += c.columns;
    s.remove_prefix(c.bytes);
  }
  return out.append(mark(charset));
}

std::string keep_tail(std::string_view s, int width, Charset charset) {
  int columns = columns_of(s);
  if (columns <= width) return std::string(s);
  if (width <= 0) return "";
  while (!s.empty() && columns + 1 > width) {
    const Character c = first_character(s);
    columns -= c.columns;
    s.remove_prefix(c.bytes);
  }
  return std::string(mark(charset)).append(s);
}

}  // namespace idlewarden

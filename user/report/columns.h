// SPDX-License-Identifier: Apache-2.0
// How many columns of a terminal a text takes, and how it is made to take fewer. All texts here
// went through printable() and then drawable().
#pragma once

#include <locale.h>

#include <string>
#include <string_view>

namespace idlewarden {

// wcwidth(3) knows how many columns a character takes, but only in a UTF-8 locale; this thread
// wears one as long as such an object lives. Where the host has none, every character counts as 1.
class Utf8Locale {
 public:
  Utf8Locale();
  ~Utf8Locale();
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  locale_t ours_;
  locale_t before_ = nullptr;
};

// What a terminal can show: UTF-8, or ASCII alone.
enum class Charset { utf8, ascii };

// Characters that take an unknown number of columns, or that the terminal cannot show, become "?".
std::string drawable(std::string_view s, Charset charset);

int columns_of(std::string_view s);
// Cut to `width` columns; what was cut is marked by "…" (ASCII: "~").
std::string keep_head(std::string_view s, int width, Charset charset = Charset::utf8);
std::string keep_tail(std::string_view s, int width, Charset charset = Charset::utf8);

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// HTML that cannot be written by anybody else: markup is what stands in this program's source, and
// all other text is escaped.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <string>
#include <string_view>

namespace idlewarden {

// Only of a literal: whatever is not known when this is compiled does not compile.
struct Markup {
  consteval explicit(false) Markup(const char* literal) : text(literal) {}
  std::string_view text;
};

class Html {
 public:
  Html& operator<<(Markup markup) {
    out_ += markup.text;
    return *this;
  }
  // As text or between the double quotes of an attribute. Give it printable() text.
  Html& say(std::string_view text) {
    for (const char c : text) {
      switch (c) {
        case '&': out_ += "&amp;"; break;
        case '<': out_ += "&lt;"; break;
        case '>': out_ += "&gt;"; break;
        case '"': out_ += "&quot;"; break;
        case '\'': out_ += "&#39;"; break;
        default: out_ += c;
      }
    }
    return *this;
  }
  Html& say(std::integral auto number) { return say(std::string_view(fmt::format("{}", number))); }
  // Of this program's own, as it is: a style, a script.
  Html& verbatim(std::string_view own) {
    out_ += own;
    return *this;
  }

  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace idlewarden

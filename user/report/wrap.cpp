// SPDX-License-Identifier: Apache-2.0
#include "report/wrap.h"

#include <algorithm>

#include "base/text.h"

namespace idlewarden {

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string wrap(std::string_view text, int width, std::string_view first) {
  std::string out(first);
  const std::string indent(columns(first), ' ');
  std::size_t used = indent.size();
  bool at_start = true;
  for (const std::string& word : split(text, ' ')) {
    const std::size_t wide = columns(word);
    if (!at_start && width > 0 && used + 1 + wide > static_cast<std::size_t>(width)) {
      out += "\n" + indent;
      used = indent.size();
      at_start = true;
    }
    out += (at_start ? "" : " ") + word;
    used += wide + (at_start ? 0 : 1);
    at_start = false;
  }
  return out;
}

}  // namespace idlewarden

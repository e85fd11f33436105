// SPDX-License-Identifier: Apache-2.0
#include "limits/policy_depth.h"

#include <algorithm>

namespace idlewarden {

std::optional<int> line_with_deep_key(std::string_view text) {
  constexpr int kMost = 8;
  int line = 1;
  int dots = 0;
  std::string_view quote;  // what ends the string that we are in
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    if (rest[0] == '\n') {
      ++line;
      dots = 0;
      if (quote.size() == 1) quote = {};  // not closed: toml++ refuses the file there
    } else if (!quote.empty()) {
      if (rest[0] == '\\' && quote[0] == '"') {
        if (rest.size() < 2 || rest[1] != '\n') ++i;
      } else if (rest.starts_with(quote)) {
        i += quote.size() - 1;
        // Up to two quotes right before the closing three belong to the string.
        for (int more = 0;
             quote.size() == 3 && more < 2 && text.substr(i + 1, 1) == quote.substr(0, 1); ++more) {
          ++i;
        }
        quote = {};
      }
    } else if (rest[0] == '#') {
      i += std::min(rest.find('\n'), rest.size()) - 1;
    } else if (rest[0] == '"' || rest[0] == '\'') {
      const bool multi_line = rest.starts_with("\"\"\"") || rest.starts_with("'''");
      quote = rest.substr(0, multi_line ? 3 : 1);
      i += quote.size() - 1;
    } else if (rest[0] == '.' && ++dots > kMost) {
      return line;
    }
  }
  return std::nullopt;
}

}  // namespace idlewarden

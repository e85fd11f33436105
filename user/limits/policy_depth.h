// SPDX-License-Identifier: Apache-2.0
// A guard before toml++, which bounds the nesting of values but not the parts of a dotted key, and
// frees tables recursively: a line of a hundred thousand dots would overflow the stack.
#pragma once

#include <optional>
#include <string_view>

namespace idlewarden {

// The first line with more than 8 dots outside of strings and comments; no honest one has them.
std::optional<int> line_with_deep_key(std::string_view text);

}  // namespace idlewarden

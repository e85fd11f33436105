// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace idlewarden {

// Breaks at blanks so that no line is wider than `width` columns where that can be done (0: no
// bound). `first` stands before the first line, as many blanks before the others. No final newline.
std::string wrap(std::string_view text, int width, std::string_view first);

// Characters, not bytes: what a column is wide.
std::size_t columns(std::string_view text);

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// Text that somebody else chose (user names, process names, lines of files) on its way to a log,
// a terminal, JSON or a metric. It passes through printable() once, where it enters the program's
// own records, and is then safe everywhere.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace idlewarden {

// Valid UTF-8 without control characters (C0, DEL, C1, bidirectional overrides, U+2028/9): what is
// not becomes \xHH (a byte) or \u{HHHH} (a character), and a backslash becomes \\ where anything
// was replaced. At most `limit` bytes; what is cut ends in "…".
std::string printable(std::string_view raw, std::size_t limit = 256);

std::string_view trim(std::string_view s);  // blanks (space, tab, CR, LF) off both ends
std::vector<std::string> split(std::string_view s, char separator);  // empty fields are kept
std::string lower(std::string_view s);                               // ASCII only
std::string_view base_name(std::string_view path);                   // behind the last slash

// Of the candidates the one most alike to `word` (edit distance at most 1/3 of it), or "".
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace idlewarden

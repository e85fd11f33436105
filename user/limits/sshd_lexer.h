// SPDX-License-Identifier: Apache-2.0
// The letters of sshd_config: lines, words, quotes, numbers, times. A file has two ways of
// splitting a line into words, and which one applies is part of the language: the keyword (and
// before OpenSSH 9.9 the criteria of Match) are delimited by blanks, double quotes and one '='; the
// arguments are an argument vector with both quotes, backslashes and a trailing comment. (misc.c of
// OpenSSH 9.2 to 10.5: strdelim, argv_split, convtime, a2port; servconf.c: load_server_config.)
//
// There is no continuation of lines: a backslash at the end of one is an argument.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace idlewarden {

struct SshdLine {
  int number = 0;  // of the file, 1-based
  int indent = 0;  // blanks that stood before `text`
  std::string text;
};

// Blanks in front (space, tab, CR) and behind (also LF and form feed, but never the only character)
// are gone. A NUL swallows the rest of its line with the line's end, as it does in sshd.
std::vector<SshdLine> sshd_lines(std::string_view content);
// The same for one line that is in no file: the argument of -o.
SshdLine sshd_option_line(std::string_view option);

struct SshdWord {
  std::string text;
  int column = 0;  // 1-based, in the file's line
};

// Takes a line apart from left to right.
class SshdScanner {
 public:
  explicit SshdScanner(const SshdLine& line, std::size_t at = 0) : line_(&line), at_(at) {}

  // The next delimited word, which is empty between delimiters. nullopt at the end, and after a
  // double quote that is never closed.
  std::optional<SshdWord> word();
  // The rest as an argument vector, up to a comment; nullopt: a quote is not closed. Takes nothing.
  std::optional<std::vector<SshdWord>> arguments() const;
  // Nothing is left. A comment that was met ends the line too.
  bool at_end() const { return !at_ || *at_ >= line_->text.size(); }
  void skip_rest() { at_.reset(); }

 private:
  const SshdLine* line_;
  std::optional<std::size_t> at_;
};

// TIME FORMATS, as OpenSSH up to 10.2 reads them, in seconds; nullopt: not a time. 10.3 refuses a
// sign, blanks and seconds that stand twice (which are read here: refusing them would lose a
// limit), and accepts a fraction of seconds (refused here, as 9.2 does: what it means differs by
// version).
std::optional<int> sshd_time(std::string_view text);
std::optional<int> sshd_number(std::string_view text, int largest);  // strtonum(s, 0, largest)
std::optional<int> sshd_port(const std::string& text);               // a number or a tcp service

}  // namespace idlewarden

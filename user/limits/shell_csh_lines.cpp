// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_csh_lines.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace idlewarden::shell {
namespace {

class Reader {
 public:
  Reader(std::string_view text, Budget& budget) : text_(text), budget_(budget) {}

  std::vector<CshCommand> read() {
    while (position_ < text_.size() && budget_.spend(1)) {
      const char c = text_[position_];
      if (c == '\n') {
        end_word();
        end_command(false);
        ++line_;
        ++position_;
        skip_here_document();
      } else if (c == ' ' || c == '\t' || c == '\r') {
        end_word();
        ++position_;
      } else if (c == '#' && !in_word_) {
        position_ = std::min(text_.find('\n', position_), text_.size());
      } else if (c == ';') {
        end_word();
        end_command(false);
        ++position_;
      } else if (!read_quoted(c) && !read_operator()) {
        add(c);
        ++position_;
      }
    }
    end_word();
    end_command(false);
    return std::move(commands_);
  }

 private:
  void add(char c) {
    in_word_ = true;
    word_.text += c;
  }

  void end_word() {
    if (in_word_) {
      if (command_.words.empty()) command_.line = line_;
      if (expect_delimiter_) delimiter_ = word_.text;
      expect_delimiter_ = false;
      command_.words.push_back(std::move(word_));
    }
    word_ = {};
    in_word_ = false;
  }

  void end_command(bool next_is_doubtful) {
    if (!command_.words.empty()) commands_.push_back(std::move(command_));
    command_ = {};
    command_.doubtful = next_is_doubtful;
  }

  bool read_quoted(char c) {
    if (c == '\\') {
      const char next = position_ + 1 < text_.size() ? text_[position_ + 1] : '\n';
      if (next == '\n') {
        end_word();
        ++line_;
      } else {
        add(next);
      }
      position_ += 2;
      return true;
    }
    if (c != '\'' && c != '"' && c != '`') return false;
    // A quote does not run over the end of its line, but for a backslash.
    std::size_t end = position_ + 1;
    while (end < text_.size() && text_[end] != c && text_[end] != '\n') ++end;
    in_word_ = true;
    if (c == '\'') word_.literal = true;
    const bool kept = c == '`';
    word_.text += text_.substr(position_ + (kept ? 0 : 1), end - position_ - (kept ? 0 : 1));
    if (kept) word_.text += '`';
    position_ = end < text_.size() && text_[end] == c ? end + 1 : end;
    return true;
  }

  bool read_operator() {
    static constexpr std::array<std::string_view, 9> kOperators = {"&&", "||", "<<", "(", ")",
                                                                   "<",  ">",  "|",  "&"};
    for (std::string_view op : kOperators) {
      if (text_.substr(position_, op.size()) != op) continue;
      end_word();
      position_ += op.size();
      if (op == "(") ++depth_of_command();
      if (op == ")" && depth_of_command() > 0) --depth_of_command();
      if ((op == "&&" || op == "||") && depth_of_command() == 0) {
        depth_ = 0;
        end_command(true);
        return true;
      }
      if (op == "<<") expect_delimiter_ = true;
      command_.words.push_back({.text = std::string(op), .literal = false, .special = true});
      if (command_.line == 0) command_.line = line_;
      return true;
    }
    return false;
  }

  int& depth_of_command() {
    if (command_.words.empty()) depth_ = 0;
    return depth_;
  }

  void skip_here_document() {
    if (delimiter_.empty()) return;
    while (position_ < text_.size()) {
      const auto end = std::min(text_.find('\n', position_), text_.size());
      const std::string_view row = text_.substr(position_, end - position_);
      budget_.spend(row.size() + 1);
      position_ = std::min(end + 1, text_.size());
      ++line_;
      if (row == delimiter_) break;
    }
    delimiter_.clear();
  }

  std::string_view text_;
  Budget& budget_;
  std::size_t position_ = 0;
  int line_ = 1;
  int depth_ = 0;
  bool in_word_ = false;
  bool expect_delimiter_ = false;
  std::string delimiter_;
  CshWord word_;
  CshCommand command_;
  std::vector<CshCommand> commands_;
};

}  // namespace

std::vector<CshCommand> csh_commands(std::string_view text, Budget& budget) {
  return Reader(text, budget).read();
}

}  // namespace idlewarden::shell

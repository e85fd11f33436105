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
        end_line();
        ++line_;
        ++position_;
        skip_here_document();
      } else if (c == ' ' || c == '\t' || c == '\r') {
        end_word();
        ++position_;
      } else if (c == '#' && !word_.text.ends_with('$') && !word_.text.ends_with("${")) {
        position_ = std::min(text_.find('\n', position_), text_.size());
      } else if (c == ';' && depth_ == 0) {
        end_word();
        end_command(false);
        ++position_;
      } else if (!read_quoted(c) && !read_operator()) {
        broken_ = broken_ || names_event();
        add(c);
        ++position_;
      }
    }
    end_line();
    return std::move(commands_);
  }

 private:
  void add(char c, char quote = ' ') {
    in_word_ = true;
    if (quote != ' ') {
      word_.quoted = true;
      word_.quotes.resize(word_.text.size(), ' ');
      word_.quotes += quote;
    }
    word_.text += c;
  }

  void end_word() {
    if (in_word_) {
      if (command_.words.empty()) command_.line = line_;
      if (expect_delimiter_) delimiter_ = word_.text;
      if (!redirected_) command_.words.push_back(std::move(word_));
      expect_delimiter_ = redirected_ = false;
    }
    word_ = {};
    in_word_ = false;
  }

  void end_command(bool next_is_doubtful) {
    broken_ = broken_ || depth_ > 0 || redirected_;
    if (!command_.words.empty()) commands_.push_back(std::move(command_));
    command_ = {};
    command_.doubtful = next_is_doubtful;
    depth_ = 0;
    redirected_ = false;
  }

  void end_line() {
    end_word();
    end_command(false);
    if (std::exchange(broken_, false)) {
      if (commands_.size() == first_of_line_) commands_.push_back({.line = line_, .words = {{}}});
      commands_[first_of_line_].broken = true;
    }
    for (std::size_t i = first_of_line_; i + 1 < commands_.size(); ++i) {
      commands_[i].ends_line = false;
    }
    first_of_line_ = commands_.size();
  }

  // A ! of the history, quoted or not: what comes before a login's first prompt names no event.
  bool names_event() const {
    return text_[position_] == '!' && !text_.substr(0, position_).ends_with('\\') &&
           position_ + 1 < text_.size() &&
           !std::string_view(" \t\n=~(\"';|").contains(text_[position_ + 1]);
  }

  bool read_quoted(char c) {
    if (c == '\\') {
      const char next = position_ + 1 < text_.size() ? text_[position_ + 1] : '\n';
      if (next == '\n') {
        end_word();
        ++line_;
      } else {
        add(next, '\'');
      }
      position_ += 2;
      return true;
    }
    if (c != '\'' && c != '"' && c != '`') return false;
    // A quote does not run over the end of its line, but for a backslash.
    const char quote = c == '`' ? ' ' : c;
    in_word_ = true;
    word_.quoted = word_.quoted || quote != ' ';
    if (c == '`') add(c);
    bool odd = false;
    for (++position_; position_ < text_.size() && text_[position_] != c; ++position_) {
      if (text_.substr(position_, 2) == "\\\n") {
        ++position_;
        ++line_;
      } else if (text_[position_] == '\n') {
        break;
      }
      broken_ = broken_ || names_event();
      if (c == '"' && text_[position_] == '`') odd = !odd;
      add(text_[position_], quote);
    }
    if (c == '`') add(c);
    if (position_ < text_.size() && text_[position_] == c) {
      ++position_;
      broken_ = broken_ || odd;
    } else {
      broken_ = true;
    }
    return true;
  }

  bool read_operator() {
    static constexpr std::array<std::string_view, 9> kOperators = {"&&", "||", "<<", "(", ")",
                                                                   "<",  ">",  "|",  "&"};
    for (std::string_view op : kOperators) {
      if (text_.substr(position_, op.size()) != op) continue;
      end_word();
      position_ += op.size();
      if (op == "(") ++depth_;
      if (op == ")") close();
      if (op == "<<") expect_delimiter_ = true;
      if (depth_ == 0 && op != ")") {
        read_control(op);
      } else {
        command_.words.push_back({.text = std::string(op), .special = true});
        if (command_.line == 0) command_.line = line_;
      }
      return true;
    }
    return false;
  }

  void close() {
    // ( commands ) that are none.
    broken_ = broken_ || depth_ == 0 || (depth_ == 1 && command_.words.size() == 1);
    depth_ = std::max(depth_ - 1, 0);
  }

  // An operator outside of all parentheses: it is no part of an expression.
  void read_control(std::string_view op) {
    if (op == "&&" || op == "||") {
      end_command(true);
    } else if (op == "&") {
      command_.forked = true;
      end_command(false);
    } else if (op == "|") {
      if (text_.substr(position_, 1) == "&") ++position_;
      command_.forked = true;
    } else {
      // <, <<, > with all that can follow it: >>&!
      for (std::string_view more : {">", "&", "!"}) {
        if (op == ">" && text_.substr(position_, 1) == more) ++position_;
      }
      redirected_ = true;
    }
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
  bool redirected_ = false;  // the next word is a file's
  bool broken_ = false;      // somewhere on this line
  std::size_t first_of_line_ = 0;
  std::string delimiter_;
  CshWord word_;
  CshCommand command_;
  std::vector<CshCommand> commands_;
};

}  // namespace

CshWord CshWord::from(std::size_t at) const {
  return {.text = text.substr(at),
          .quotes = quotes.substr(std::min(at, quotes.size())),
          .quoted = quoted,
          .special = special};
}

std::vector<CshCommand> csh_commands(std::string_view text, Budget& budget) {
  return Reader(text, budget).read();
}

}  // namespace idlewarden::shell

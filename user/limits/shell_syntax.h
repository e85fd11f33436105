// SPDX-License-Identifier: Apache-2.0
// A shell script as a tree, as far as the search for one variable needs it: POSIX.1-2017 XCU 2
// (Shell Command Language) with the common extensions of bash, ksh and zsh. Plain data.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace idlewarden::shell {

struct Word;

struct Part {
  enum class Kind {
    literal,     // text
    parameter,   // ${text op operand}
    arithmetic,  // $((text))
    command,     // $(text), `text`
    opaque,      // an array, a flag or an indirection: only a running shell knows
  };
  Kind kind = Kind::literal;
  bool quoted = false;
  std::string text;
  std::string op;             // "", ":-", "-", ":=", "=", ":+", "+", ":?", "?", "#", "%", "/" ...
  std::vector<Word> operand;  // none or one
};

struct Word {
  std::vector<Part> parts;
  int line = 0;

  // The text when nothing in it needs a shell; `unquoted` asks that no part is quoted.
  std::optional<std::string> plain(bool unquoted = false) const;
  bool mentions(std::string_view name) const;
  void add_literal(std::string_view literal, bool quoted);
  void add_part(Part::Kind kind, bool quoted, std::string_view text);
};

struct Assignment {
  std::string name;
  bool append = false;
  bool array = false;  // NAME=(...) or NAME[...]=
  Word value;
};
// NAME=value, NAME+=value, NAME[i]=value; nullopt: an ordinary word.
std::optional<Assignment> as_assignment(const Word& word);
// "$@" or $@
bool is_all_arguments(const Word& word);
// [A-Za-z_], [A-Za-z0-9_], and a name made of them.
bool name_start(char c);
bool name_char(char c);
bool is_name(std::string_view text);

struct Command {
  enum class Kind {
    simple,      // assignments, words
    test,        // [[ words ]]
    arithmetic,  // (( words[0] ))
    list,        // children in sequence
    pipeline,    // children side by side
    and_if,      // children[0] && children[1]
    or_if,       // children[0] || children[1]
    background,  // children[0] &
    subshell,    // ( children )
    branch,      // condition, body, condition, body, ..., or else an odd last body
    loop,        // while/until: condition, body
    each,        // for/select `name` in `words`: body
    choice,      // case words[0]: one child for each of `patterns`
    function,    // `name`: body
  };
  Kind kind = Kind::simple;
  int line = 0;
  bool negated = false;     // ! in front; `until` for a loop
  std::string name;         // of a function, of a loop's variable
  bool keyword = false;     // function: `function name`, not `name()`
  bool open_ended = false;  // each: the list is not written here; choice: has ;& or ;;&
  bool fed = false;         // simple: < or its like
  bool diverted = false;    // simple: > or its like, but for errors (2>)
  std::vector<Assignment> assignments;
  std::vector<Word> words;
  std::vector<std::vector<Word>> patterns;
  std::vector<Command> children;
};

}  // namespace idlewarden::shell

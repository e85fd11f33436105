// SPDX-License-Identifier: Apache-2.0
// Simple commands: assignments, the built-in commands that touch variables or read files.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "limits/shell_interpreter.h"

namespace idlewarden::shell {
namespace {

constexpr std::array<std::string_view, 6> kDeclarations = {"export",  "readonly", "declare",
                                                           "typeset", "local",    "integer"};

template <class List>
bool one_of(std::string_view name, const List& list) {
  return std::ranges::find(list, name) != list.end();
}

std::string no_value(const Value& value) {
  return value.kind == Value::Kind::unset ? "unset" : "its value is only known when the shell runs";
}

}  // namespace

// The finding that stands for this value of the watched variable.
int Interpreter::note(const Value& value, int line, const std::string& fate) {
  budget().spend_steps(2);
  Finding finding;
  finding.source.origin = Origin::tmout;
  finding.source.directive = kWatched;
  finding.source.where = {file().path, line};
  finding.source.text = file().line(line);
  finding.users_own = file().users_own;
  finding.fate = fate;
  if (value.kind == Value::Kind::text) {
    Timeout timeout = timeout_of(dialect_, value.text);
    finding.source.limit = timeout.limit;
    finding.source.reason = std::move(timeout.reason);
    finding.source.malformed = timeout.malformed;
  } else {
    finding.source.reason = no_value(value);
    finding.undecided = value.kind != Value::Kind::unset;
  }
  const int index = findings_.add(finding);
  if (fate.empty()) findings_.at(index).fate.clear();
  return index;
}

void Interpreter::note_undecided(const std::string& directive, int line,
                                 const std::string& reason) {
  Finding finding;
  finding.source.origin = Origin::tmout;
  finding.source.directive = directive;
  finding.source.where = {file().path, line};
  finding.source.text = file().line(line);
  finding.source.reason = reason;
  finding.users_own = file().users_own;
  finding.undecided = true;
  undecided_.push_back(findings_.add(finding));
}

// ksh's TMOUT is a number at once, whatever was assigned.
void Interpreter::make_number(Values& values) const {
  if (dialect_ != Dialect::ksh93 && dialect_ != Dialect::mksh) return;
  for (Value& value : values) {
    if (value.kind != Value::Kind::text) continue;
    const auto limit = timeout_of(dialect_, value.text).limit;
    value.text = limit ? std::to_string(limit->count()) : "0";
  }
}

// False: the variable is read-only.
bool Interpreter::store(State& state, const std::string& name, Values values, int line) {
  const bool watched = name == kWatched;
  // What is not followed to its end changes nothing that was found.
  if (budget().spent()) return true;
  if (!state.alive) {
    for (const Value& value : values) {
      if (watched && value.kind != Value::Kind::unset) note(value, line, state.why_not);
    }
    return true;
  }
  Variable& variable = state.at(name);
  const Where here{file().path, line};
  if (watched) {
    for (Value& value : values) {
      if (value.source < 0) value.source = note(value, line, "");
      if (variable.readonly == Tri::yes) {
        std::string since;
        for (const Value& old : variable.values) {
          if (old.source >= 0) since = findings_.at(old.source).source.where.text();
        }
        findings_.at(value.source).fate =
            since.empty() ? "TMOUT is read-only there" : "read-only since " + since;
      }
    }
  }
  if (variable.readonly == Tri::yes) return false;
  if (watched) make_number(values);
  if (watched && variable.readonly == Tri::no) {
    for (const Value& old : variable.values) {
      if (old.source < 0 || std::ranges::find(values, old) != values.end()) continue;
      const bool gone = values.size() == 1 && values.front().kind == Value::Kind::unset;
      findings_.at(old.source).fate = (gone ? "unset by " : "overwritten by ") + here.text();
    }
  }
  if (variable.readonly == Tri::unknown) unite(values, variable.values);
  variable.values = std::move(values);
  return true;
}

bool Interpreter::assign(State& state, const Assignment& assignment) {
  Values values{Value::unknown()};
  if (!assignment.array) values = expand(assignment.value, state);
  const Variable& old = state.get(assignment.name);
  if (assignment.append) {
    Values before = old.values;
    for (Value& value : before) value.source = -1;
    const bool number = dialect_ == Dialect::ksh93 || dialect_ == Dialect::mksh;
    const bool adds = old.integer || (assignment.name == kWatched && number);
    values = adds ? Values{Value::unknown()} : each_followed_by(before, values, budget());
  }
  if (old.integer) {
    Values numbers;
    for (const Value& value : values) {
      unite(numbers, value.kind == Value::Kind::text ? expand_arithmetic(value.text, state)
                                                     : Values{Value::unknown()});
    }
    values = std::move(numbers);
  }
  return store(state, assignment.name, std::move(values), assignment.value.line);
}

// After an attempt on a read-only variable: what each shell gives up (bash the rest of the command
// line, mksh that of the first file, ksh93 and zsh the rest of the file).
Tri Interpreter::refuse(State& state, bool plain_assignment) {
  if (!state.alive) return Tri::no;
  if (dialect_ == Dialect::bash && !plain_assignment) return Tri::no;
  // From where it goes on: functions on the way end, and what is local to them with them.
  std::size_t to = frames_.size() - 1;
  if (dialect_ == Dialect::mksh) to = 0;
  if (dialect_ == Dialect::ksh93 || dialect_ == Dialect::zsh) {
    while (to > 0 && frames_[to]->is_function) --to;
  }
  auto after = fork(state, budget());
  if (!after) return Tri::no;
  for (std::size_t i = frames_.size() - 1; i > to; --i) restore(*after, *frames_[i]);
  const bool line_only = dialect_ == Dialect::bash || dialect_ == Dialect::mksh;
  join(line_only ? frames_[to]->discarded : frames_[to]->returned, *after);
  state.alive = false;
  state.why_not = "not reached: an error before it, on a read-only variable";
  return Tri::no;
}

Tri Interpreter::run_simple(const Command& command, State& state) {
  if (command.words.empty()) {
    Tri status = Tri::yes;
    for (const Assignment& assignment : command.assignments) {
      if (!assign(state, assignment)) return refuse(state, true);
      for (const Part& part : assignment.value.parts) {
        if (part.kind == Part::Kind::command) status = Tri::unknown;
      }
    }
    return status;
  }
  std::size_t first = 0;
  std::optional<std::string> name = command.words[0].plain();
  static constexpr std::array<std::string_view, 3> kPrefixes = {"builtin", "command", "noglob"};
  while (name && one_of(*name, kPrefixes) && first + 1 < command.words.size() &&
         !command.words[first + 1].plain().value_or("-").starts_with('-')) {
    name = command.words[++first].plain();
  }
  if (name && !command.assignments.empty()) keep_assignments(*name, command, state);
  if (name) {
    if (one_of(*name, kDeclarations)) return declare(*name, command, first + 1, state);
    if (const auto found = functions_.find(*name); found != functions_.end()) {
      return call(found->second, arguments_of(command, first + 1, state), state);
    }
    return run_builtin(*name, command, first + 1, state);
  }
  // For what ${NAME:=value} leaves behind.
  for (const Word& word : command.words) expand(word, state);
  return Tri::unknown;
}

// Assignments before a command last where that is a special built-in (XCU 2.14); in bash only for
// the names that `export` and `readonly` are given.
void Interpreter::keep_assignments(const std::string& name, const Command& command, State& state) {
  static constexpr std::array<std::string_view, 13> kSpecial = {
      ":",   ".",      "eval", "exec",  "exit",  "export", "readonly",
      "set", "return", "trap", "unset", "break", "typeset"};
  if (dialect_ == Dialect::zsh || !one_of(name, kSpecial)) return;
  for (const Assignment& assignment : command.assignments) {
    const bool given = std::ranges::any_of(
        command.words, [&](const Word& word) { return word.plain() == assignment.name; });
    const bool marks = given && (name == "export" || name == "readonly");
    if (marks || dialect_ != Dialect::bash) assign(state, assignment);
  }
}

Tri Interpreter::run_builtin(const std::string& name, const Command& command, std::size_t first,
                             State& state) {
  const std::vector<Word>& words = command.words;
  const std::string argument =
      first < words.size() ? words[first].plain().value_or("") : std::string();
  if (name == "[" || name == "test") return run_test(command, first, state);
  if (name == "." || name == "source") {
    if (first >= words.size()) return Tri::no;
    // What it is given is its own $1, or nobody's.
    if (first + 1 < words.size() && state.alive) set_arguments(state, std::nullopt);
    return source(words[first], state);
  }
  if (name == "unset") return unset(command, first, state);
  if (name == "eval" || name == "emulate") return evaluate(command, first, state);
  if (name == "trap") trap(command, first, state);
  if (name == "unfunction" || name == "autoload") {
    touch_functions(command, first, name == "autoload", state);
  }
  if (name == "set" || name == "shift") change_arguments(name, command, first, state);
  if (name == "let") {
    Tri last = Tri::unknown;
    for (std::size_t i = first; i < words.size(); ++i) {
      last = compute(words[i].plain().value_or("?"), state);
    }
    return last;
  }
  if (name == "return") {
    Tri status = Tri::unknown;
    if (!argument.empty()) status = argument == "0" ? Tri::yes : Tri::no;
    Frame& frame = *frames_.back();
    if (state.alive) frame.status = frame.returned ? either(frame.status, status) : status;
    leave(state, frames_.back()->returned,
          "not reached: `return` on " + Where{file().path, command.line}.text());
    return Tri::unknown;
  }
  if (name == "exit" || name == "logout") {
    leave(state, exited_, "not reached: `exit` on " + Where{file().path, command.line}.text());
    return Tri::unknown;
  }
  if ((name == "break" || name == "continue") && !loops_.empty()) {
    leave_loops(name == "break", argument, state);
    return Tri::yes;
  }
  static constexpr std::array<std::string_view, 7> kReaders = {
      "read", "mapfile", "readarray", "printf", "getopts", "vared", "wait"};
  if (one_of(name, kReaders)) make_unknown(command, first, state);
  for (std::size_t i = first; i < words.size(); ++i) expand(words[i], state);
  if (name == ":" || name == "true") return Tri::yes;
  if (name == "false") return Tri::no;
  if (name == "tty" && argument == "-s") return Tri::yes;
  if (name == "shopt" && first + 1 < words.size() && dialect_ == Dialect::bash) {
    const std::string option = words[first + 1].plain().value_or("");
    if (argument == "-q" && option == "login_shell") return Tri::yes;
    if ((argument == "-oq" || argument == "-qo") && option == "posix") return Tri::no;
  }
  return Tri::unknown;
}

// Variables that a command fills: read NAME, printf -v NAME.
void Interpreter::make_unknown(const Command& command, std::size_t first, State& state) {
  for (std::size_t i = first; i < command.words.size(); ++i) {
    const std::string name = command.words[i].plain().value_or("");
    if (is_name(name)) store(state, name, {Value::unknown()}, command.words[i].line);
  }
}

Tri Interpreter::declare(const std::string& name, const Command& command, std::size_t first,
                         State& state) {
  Variable attributes;
  bool global = false;
  bool ignored = false;
  attributes.integer = name == "integer";
  if (name == "readonly") attributes.readonly = Tri::yes;
  if (name == "export") attributes.exported = Tri::yes;
  for (; first < command.words.size(); ++first) {
    const std::string flags = command.words[first].plain().value_or("");
    if (flags.size() < 2 || (flags[0] != '-' && flags[0] != '+')) break;
    const bool on = flags[0] == '-';
    for (char flag : flags.substr(1)) {
      if (flag == 'r' && on) attributes.readonly = Tri::yes;
      if (flag == 'x' && on) attributes.exported = Tri::yes;
      if (flag == 'i' && on) attributes.integer = true;
      if (flag == 'g') global = true;
      if ((flag == 'f' || flag == 'F' || flag == 'p') && on) ignored = true;
    }
  }
  if (ignored) return Tri::yes;
  // zsh exports globally, but `readonly` is a `typeset` there.
  const bool zsh = dialect_ == Dialect::zsh;
  const bool exports =
      name == "export" || (zsh ? attributes.exported == Tri::yes : name == "readonly");
  Tri status = Tri::yes;
  for (; first < command.words.size() && status == Tri::yes; ++first) {
    status = declare_one(command.words[first], attributes, !global && !exports, state);
  }
  return status;
}

Tri Interpreter::declare_one(const Word& word, const Variable& attributes, bool local,
                             State& state) {
  const auto assignment = as_assignment(word);
  const std::string name = assignment ? assignment->name : word.plain().value_or("");
  if (!is_name(name)) {
    // `export "$name=600"`
    const Values values = expand(word, state);
    if (values.size() == 1 && values.front().kind == Value::Kind::text) {
      const std::string& text = values.front().text;
      const auto equals = text.find('=');
      if (equals == std::string::npos || !is_name(text.substr(0, equals))) return Tri::unknown;
      return store(state, text.substr(0, equals), {Value::of(text.substr(equals + 1))}, word.line)
                 ? Tri::yes
                 : refuse(state, false);
    }
    if (state.alive && word.mentions(kWatched)) {
      note_undecided(kWatched, word.line, "which variable it sets is only known when it runs");
    }
    return Tri::unknown;
  }
  if (local) hide(state, name);
  if (attributes.integer && state.alive) state.at(name).integer = true;
  if (assignment && !assign(state, *assignment)) return refuse(state, false);
  if (!state.alive) return Tri::yes;
  Variable& variable = state.at(name);
  if (attributes.readonly == Tri::yes) variable.readonly = Tri::yes;
  if (attributes.exported == Tri::yes) variable.exported = Tri::yes;
  return Tri::yes;
}

Tri Interpreter::unset(const Command& command, std::size_t first, State& state) {
  Tri status = Tri::yes;
  for (std::size_t i = first; i < command.words.size(); ++i) {
    const std::string name = command.words[i].plain().value_or("");
    if (name == "-f") {
      touch_functions(command, i, false, state);
      return status;
    }
    if (!is_name(name) || !state.alive) continue;
    if (!store(state, name, {Value{}}, command.words[i].line)) {
      status =
          dialect_ == Dialect::zsh || dialect_ == Dialect::posix ? refuse(state, false) : Tri::no;
    } else if (state.get(name).readonly == Tri::no) {
      state.at(name).exported = Tri::no;
      state.at(name).integer = false;
    }
  }
  return status;
}

Tri Interpreter::source(const Word& word, State& state) {
  const Values paths = expand(word, state);
  std::optional<State> after;
  Tri status = Tri::unknown;
  const bool known = known_but_for_outside(paths);
  for (const Value& path : paths) {
    auto way = fork(state, budget());
    if (!way) return Tri::unknown;
    if (path.kind != Value::Kind::text || !path.text.contains('/')) {
      if (state.alive && !known) {
        note_undecided(".", word.line, "which file it reads is only known when the shell runs");
      }
    } else {
      const std::string full =
          path.text.starts_with('/') ? path.text : user_.home + "/" + path.text;
      read_file(*way, full);
      status = file_status_;
    }
    join(after, *way);
  }
  if (after) state = std::move(*after);
  return paths.size() == 1 ? status : Tri::unknown;
}

// eval WORDS; emulate DIALECT -c TEXT. Text that is known is followed like a file.
Tri Interpreter::evaluate(const Command& command, std::size_t first, State& state) {
  const bool emulate = command.words[first - 1].plain() == "emulate";
  std::string text;
  bool known = true;
  bool mentioned = false;
  bool traps = false;
  for (std::size_t i = first; i < command.words.size(); ++i) {
    mentioned = mentioned || command.words[i].mentions(kWatched);
    traps = traps || command.words[i].mentions("ALRM") || command.words[i].mentions(kAlarmFunction);
    const Values values = expand(command.words[i], state);
    known = known && values.size() == 1 && values.front().kind == Value::Kind::text;
    if (known) text += (text.empty() ? "" : " ") + values.front().text;
  }
  if (emulate) {
    const auto option = text.find(" -c ");
    if (option == std::string::npos) return Tri::unknown;
    text.erase(0, option + 4);
  }
  if (known) {
    const std::vector<Piece> pieces = parse_script(text, budget().left(), command.line);
    pay_nodes(pieces, budget());
    return run_script(state, pieces);
  }
  if (traps) store(state, kAlarmTrap, {Value::unknown()}, command.line);
  if (mentioned && state.alive) {
    note_undecided(kWatched, command.line, "what `eval` makes of it is only known when it runs");
  }
  return Tri::unknown;
}

}  // namespace idlewarden::shell

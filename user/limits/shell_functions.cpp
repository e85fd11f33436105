// SPDX-License-Identifier: Apache-2.0
// Functions: what is defined, called, and local to them.
#include <algorithm>
#include <array>
#include <utility>

#include "limits/shell_interpreter.h"
#include "limits/shell_login.h"

namespace idlewarden::shell {
namespace {

constexpr std::size_t kMaxBodies = 8;
constexpr std::size_t kMaxArguments = 9;

bool names(const Word& word, std::string_view function) {
  return std::ranges::any_of(word.parts, [&](const Part& part) {
    return has_word(part.text, function) ||
           (!part.operand.empty() && names(part.operand.front(), function));
  });
}

// Whether it hands the function's name on, as a trap, an alias or a hook does. Calls as such are
// followed, and some commands call nothing.
bool hands_on(const Command& command, std::string_view function) {
  constexpr auto kOnlyAsk = std::to_array<std::string_view>(
      {"[", "test", "echo", "grep", "id", "logger", "type", ".", "source"});
  const auto named = [&](const Word& word) { return names(word, function); };
  if (std::ranges::any_of(command.children,
                          [&](const Command& child) { return hands_on(child, function); }) ||
      std::ranges::any_of(command.assignments,
                          [&](const Assignment& assignment) { return named(assignment.value); })) {
    return true;
  }
  const std::vector<Word>& words = command.words;
  if (command.kind == Command::Kind::each) return std::ranges::any_of(words, named);
  if (command.kind != Command::Kind::simple || words.empty()) return false;
  const auto name = words.front().plain();
  if (!name) return std::ranges::any_of(words, named);
  // export -f, unset -f
  const bool attributes = words.size() > 1 && words[1].plain() == "-f";
  if (attributes || std::ranges::find(kOnlyAsk, *name) != kOnlyAsk.end()) return false;
  return std::ranges::any_of(words.begin() + 1, words.end(), named);
}

// zsh calls functions of these names itself, ksh93 those of a variable.
bool is_hook(Dialect dialect, const std::string& function) {
  constexpr auto kHooks = std::to_array<std::string_view>(
      {"chpwd", "periodic", "precmd", "preexec", "zshaddhistory", "zshexit"});
  if (dialect == Dialect::ksh93) return function.contains('.');
  return dialect == Dialect::zsh &&
         (function.starts_with("TRAP") || std::ranges::find(kHooks, function) != kHooks.end());
}

}  // namespace

void Interpreter::define(const Command& command) {
  Function& function = functions_[command.name];
  // Where it is not known whether this definition is reached, an earlier one may still hold.
  if (doubts_ == 0) {
    function.bodies.clear();
    function.certain = true;
  }
  if (function.bodies.size() >= kMaxBodies) return;
  const Frame& frame = *frames_.back();
  // Not a copy, but a share in the whole that it stands in.
  function.bodies.push_back({std::shared_ptr<const Command>(frame.whole, &command.children.front()),
                             frame.file, command.keyword});
}

Tri Interpreter::call(Function& function, const Arguments& arguments, State& state) {
  if (!state.alive || frames_.size() >= kMaxFrames) return Tri::unknown;
  function.called = true;
  const std::vector<Body> bodies = function.bodies;
  const bool certain = function.certain;
  std::optional<Doubt> doubt;
  if (!certain || bodies.size() > 1) doubt.emplace(doubts_);
  if (certain && bodies.size() == 1) return call_body(bodies.front(), arguments, state);
  std::optional<State> after;
  bool all = certain;
  for (const Body& body : bodies) {
    auto way = fork(state, budget());
    all = all && way;
    if (!way) break;
    call_body(body, arguments, *way);
    join(after, *way);
  }
  if (all && after) {
    state = std::move(*after);
  } else if (after) {
    state.join(*after);
  }
  return Tri::unknown;
}

Tri Interpreter::call_body(const Body& body, const Arguments& arguments, State& state) {
  frames_.push_back(std::make_unique<Frame>());
  frames_.back()->file = body.file;
  frames_.back()->whole = body.command;
  frames_.back()->is_function = true;
  frames_.back()->doubts = doubts_;
  frames_.back()->keyword = body.keyword;
  // ksh93 gives a `function` its own copy of TMOUT.
  if (dialect_ == Dialect::ksh93 && body.keyword) {
    frames_.back()->outer.emplace(kWatched, Hidden{state.get(kWatched), false});
  }
  budget().spend_steps(4);
  for (std::size_t i = 0; i <= kMaxArguments; ++i) {
    const std::string name = i == 0 ? "#" : std::to_string(i);
    frames_.back()->outer.emplace(
        name, Hidden{.variable = state.get(name), .absent = !state.variables.contains(name)});
  }
  set_arguments(state, arguments);
  std::vector<Loop*> outside = std::exchange(loops_, {});
  Tri status = run(*body.command, state);
  loops_ = std::move(outside);
  const std::unique_ptr<Frame> frame = std::move(frames_.back());
  frames_.pop_back();
  if (frame->returned) {
    status = state.alive ? either(status, frame->status) : frame->status;
    frame->returned->join(state);
    state = std::move(*frame->returned);
  }
  restore(state, *frame);
  if (frame->discarded) {
    restore(*frame->discarded, *frame);
    join(frames_.back()->discarded, *frame->discarded);
  }
  return status;
}

// The words from `first` on, where it is known how many they come out as.
Interpreter::Arguments Interpreter::arguments_of(const Command& command, std::size_t first,
                                                 State& state) {
  std::vector<Values> all;
  for (std::size_t i = first; i < command.words.size(); ++i) {
    const Word& word = command.words[i];
    const bool quoted = std::ranges::all_of(word.parts, &Part::quoted);
    if (quoted && is_all_arguments(word)) {
      const Arguments current = current_arguments(state);
      if (!current) return std::nullopt;
      all.insert(all.end(), current->begin(), current->end());
      continue;
    }
    const Values values = expand(word, state);
    // Without quotes it may be none or many, and the names of files.
    const auto one = [](const Value& value) {
      return value.kind == Value::Kind::text && !value.text.empty() &&
             value.text.find_first_of(" \t\n*?[{~") == std::string::npos;
    };
    const bool single = std::ranges::all_of(word.parts, [](const Part& part) {
      return part.kind == Part::Kind::literal || part.kind == Part::Kind::arithmetic ||
             (part.kind == Part::Kind::parameter && part.text != "@");
    });
    const bool literal = word.plain().has_value();
    if (!single || (!quoted && !std::ranges::all_of(values, one)) ||
        (!quoted && !literal && state.variables.contains("IFS"))) {
      return std::nullopt;
    }
    all.push_back(values);
  }
  return all;
}

Interpreter::Arguments Interpreter::current_arguments(const State& state) {
  const Values& count = state.get("#").values;
  if (count.size() != 1 || count.front().kind != Value::Kind::text) return std::nullopt;
  std::vector<Values> all;
  while (std::to_string(all.size()) != count.front().text) {
    all.push_back(argument(state, std::to_string(all.size() + 1)));
    if (all.size() > kMaxArguments) return std::nullopt;
  }
  return all;
}

void Interpreter::set_arguments(State& state, const Arguments& arguments) {
  const bool known = arguments && arguments->size() <= kMaxArguments;
  const std::size_t count = known ? arguments->size() : 0;
  for (std::size_t i = 1; i <= kMaxArguments; ++i) {
    const std::string name = std::to_string(i);
    state.variables.erase(name);
    if (i > count) continue;
    Values& values = state.at(name).values;
    values = (*arguments)[i - 1];
    for (Value& value : values) value.source = -1;
  }
  state.at("#").values = {known ? Value::of(std::to_string(count)) : Value::unknown()};
}

Values Interpreter::argument(const State& state, const std::string& name) {
  if (!state.variables.contains("#")) return {Value::unknown()};
  if (const auto found = state.variables.find(name); found != state.variables.end()) {
    return found->second.values;
  }
  // $5 of two.
  const Values& count = state.get("#").values;
  const bool beyond = name.size() == 1 && name >= "1" && name <= "9" && count.size() == 1 &&
                      count.front().kind == Value::Kind::text && count.front().text < name;
  return {beyond ? Value{} : Value::unknown()};
}

// set WORDS, shift [N]
void Interpreter::change_arguments(const std::string& name, const Command& command,
                                   std::size_t first, State& state) {
  const auto plain = [&](std::size_t i) { return command.words[i].plain().value_or("?"); };
  const std::size_t size = command.words.size();
  if (!state.alive) return;
  if (name == "set" && first < size && plain(first) == "--") {
    set_arguments(state, arguments_of(command, first + 1, state));
  } else if (name == "set") {
    for (std::size_t i = first; i < size; ++i) {
      if (!plain(i).starts_with('-') && !plain(i).starts_with('+')) {
        set_arguments(state, std::nullopt);
      }
    }
  } else if (state.variables.contains("#")) {
    Arguments left = current_arguments(state);
    const std::string by = first < size ? plain(first) : "1";
    const bool known = left && by.size() == 1 && by >= "0" && by <= "9" &&
                       static_cast<std::size_t>(by[0] - '0') <= left->size();
    if (known) left->erase(left->begin(), left->begin() + (by[0] - '0'));
    set_arguments(state, known ? left : std::nullopt);
  }
}

void Interpreter::hide(State& state, const std::string& name) {
  if (!state.alive) return;
  for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame) {
    if (!(*frame)->is_function) continue;
    // In ksh93 name() is no scope of its own; `function name` is.
    if (dialect_ == Dialect::ksh93 && !(*frame)->keyword) return;
    if (state.get(name).readonly != Tri::yes && budget().spend(weight(state.get(name).values))) {
      (*frame)->outer.try_emplace(name, Hidden{state.get(name), doubts_ > (*frame)->doubts});
      state.at(name) = Variable{};
    }
    return;
  }
}

// What `local` hid comes back at the end of the function.
void Interpreter::restore(State& state, const Frame& frame) const {
  for (const auto& [name, hidden] : frame.outer) {
    if (hidden.absent) {
      state.variables.erase(name);
      continue;
    }
    Variable& variable = state.at(name);
    if (hidden.perhaps) {
      unite(variable.values, hidden.variable.values);
      variable.readonly = either(variable.readonly, hidden.variable.readonly);
    } else {
      variable = hidden.variable;
    }
  }
}

bool Interpreter::may_be_called(const std::string& name) {
  if (is_hook(dialect_, name)) return true;
  for (const std::string& path : visited_) {
    const auto script = findings_.read(path, false);
    if (!script || !budget().spend(script->text.size() / 4)) continue;
    if (!has_word(script->text, name)) continue;
    for (const Piece& piece : script->pieces(budget())) {
      if (!piece.command || hands_on(*piece.command, name)) return true;
    }
  }
  return false;
}

void Interpreter::trap_alarm(State& state, bool set, int line) {
  if (dialect_ != Dialect::zsh) return;
  store(state, kAlarmTrap, {set ? Value::of(Where{file().path, line}.text()) : Value{}}, line);
}

// trap COMMAND SIGNAL...; a lone - or a signal in the place of COMMAND takes traps away.
void Interpreter::trap(const Command& command, std::size_t first, State& state) {
  if (dialect_ != Dialect::zsh || !state.alive) return;
  const auto is_alarm = [](const Value& value) {
    return value.text == "ALRM" || value.text == "SIGALRM" || value.text == "14";
  };
  std::optional<State> after;
  for (Fields& words : fields(command.words, first, state)) {
    if (!words.empty() && words.front().text == "--") words.erase(words.begin());
    auto way = fork(state, budget());
    if (!way) return;
    const bool all = words.size() == 1 && words.front().text == "-";
    if (all || std::ranges::any_of(words, is_alarm)) {
      trap_alarm(*way, !all && words.front().text != "-" && !is_alarm(words.front()), command.line);
    } else if (words.size() > 1 && !std::ranges::all_of(words, &Value::known)) {
      store(*way, kAlarmTrap, {Value::unknown()}, command.line);
    }
    join(after, *way);
  }
  if (after) {
    state = std::move(*after);
  } else {
    store(state, kAlarmTrap, {Value::unknown()}, command.line);
  }
}

// unset -f, unfunction, autoload
void Interpreter::touch_functions(const Command& command, std::size_t first, bool set,
                                  State& state) {
  for (std::size_t i = first; i < command.words.size(); ++i) {
    if (command.words[i].plain() == kAlarmFunction) trap_alarm(state, set, command.line);
  }
}

void Interpreter::run_uncalled_functions(State& state) {
  for (auto& [name, function] : functions_) {
    if (function.called || function.bodies.empty()) continue;
    const auto& file = function.bodies.back().file;
    const bool sets =
        file->text.contains(kWatched) || (dialect_ == Dialect::zsh && file->text.contains("ALRM"));
    if (file->users_own || !sets) continue;
    const auto without = fork(state, budget());
    if (!without) return;
    frames_.push_back(std::make_unique<Frame>());
    frames_.back()->file = file;
    if (may_be_called(name)) {
      call(function, std::nullopt, state);
      state.join(*without);
    } else {
      for (const Body& body : function.bodies) {
        frames_.back()->file = body.file;
        run_unreached(*body.command, state, "in a function that this login is not seen to call");
      }
    }
    frames_.pop_back();
  }
}

}  // namespace idlewarden::shell

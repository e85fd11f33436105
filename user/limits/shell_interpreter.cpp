// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_interpreter.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "limits/shell_login.h"

namespace idlewarden::shell {
namespace {

constexpr std::size_t kMaxVisits = 600;
constexpr int kMaxDepth = 200;

}  // namespace

Interpreter::Interpreter(Findings& findings, const ShellUser& user, Dialect dialect,
                         bool users_files)
    : findings_(findings), user_(user), dialect_(dialect), users_files_(users_files) {}

State Interpreter::initial_state() const {
  State state;
  const auto set = [&](const std::string& name, Value value, Tri exported = Tri::no) {
    state.variables[name] = {
        .values = {std::move(value)}, .readonly = Tri::no, .exported = exported, .integer = false};
  };
  set(kWatched, Value{});
  set(kAlarmTrap, Value{});
  set("HOME", Value::of(user_.home), Tri::yes);
  set("SHELL", Value::of(user_.shell), Tri::yes);
  for (const auto& [name, value] : environment_of(user_)) set(name, value, Tri::yes);
  set("PATH", Value::nonempty(), Tri::yes);
  set("TERM", Value::nonempty(), Tri::yes);
  set("PS1", Value::nonempty());
  for (const char* name : {"BASH", "BASH_VERSION", "ZSH_VERSION", "ZSH_NAME", "KSH_VERSION"}) {
    set(name, Value{});
  }
  if (dialect_ == Dialect::bash || dialect_ == Dialect::zsh) {
    set("UID", Value::of(std::to_string(user_.uid)));
    set("EUID", Value::of(std::to_string(user_.uid)));
  }
  if (dialect_ == Dialect::bash) {
    set("BASH", Value::of(user_.shell));
    set("BASH_VERSION", Value::nonempty());
    set("POSIXLY_CORRECT", Value{});
  }
  if (dialect_ == Dialect::zsh) {
    set("ZSH_VERSION", Value::nonempty());
    set("ZSH_NAME", Value::nonempty());
  }
  if (dialect_ == Dialect::mksh || dialect_ == Dialect::ksh93) {
    set(kWatched, Value::of("0"));  // a number, always set
    // ksh93 sets its prompt before or after its files, as the version may be.
    if (dialect_ == Dialect::ksh93) state.variables["PS1"].values = {Value{}, Value::nonempty()};
    set("KSH_VERSION", Value::nonempty());
  }
  return state;
}

void Interpreter::import(State& state, const std::string& name, const std::string& text,
                         const Where& where, const std::string& line) {
  Value value = Value::of(text);
  if (name == kWatched) {
    Timeout timeout = timeout_of(dialect_, text);
    Finding finding;
    finding.source = {.origin = Origin::tmout,
                      .directive = kWatched,
                      .where = where,
                      .text = line,
                      .limit = timeout.limit,
                      .reason = timeout.reason,
                      .malformed = timeout.malformed};
    value.source = findings_.add(finding);
  }
  Variable& variable = state.at(name);
  variable.values = {std::move(value)};
  variable.exported = Tri::yes;
}

bool Interpreter::is_users_own(const std::string& path) const {
  return findings_.is_users_own(path, std::ranges::any_of(frames_, [](const auto& frame) {
                                  return frame->file && frame->file->users_own;
                                }));
}

Tri Interpreter::read_file(State& state, const std::string& path) {
  const bool users_own = is_users_own(path);
  file_status_ = Tri::unknown;
  if (users_own && !users_files_) return Tri::no;
  if (frames_.size() >= kMaxFrames || ++visits_ > kMaxVisits) {
    findings_.problem({.what = "is one file too many to follow, so a TMOUT in it is not seen",
                       .where = {path},
                       .hint = {}});
    return Tri::unknown;
  }
  // A file that reads itself is followed once; what lets it end is not known here.
  const auto again = std::ranges::count_if(
      frames_, [&](const auto& frame) { return !frame->is_function && frame->file->path == path; });
  if (again > 1 || budget().spent()) return Tri::unknown;
  visited_.insert(path);
  const auto script = findings_.read(path, users_own);
  if (!script) {
    file_status_ = findings_.unread().contains(path) ? Tri::unknown : Tri::no;
    return findings_.is_closed(path) ? Tri::yes : findings_.is_there(path, users_own);
  }
  frames_.push_back(std::make_unique<Frame>());
  frames_.back()->file = script;
  std::vector<Loop*> outside = std::exchange(loops_, {});
  Tri status = run_script(state, script->pieces(budget()));
  loops_ = std::move(outside);
  Frame& frame = *frames_.back();
  if (frame.returned) {
    status = state.alive ? either(status, frame.status) : frame.status;
    frame.returned->join(state);
    state = std::move(*frame.returned);
  }
  frames_.pop_back();
  file_status_ = status;
  return Tri::yes;
}

Tri Interpreter::run_script(State& state, const std::vector<Piece>& pieces) {
  const auto outer_whole = frames_.back()->whole;
  std::optional<State> stopped;
  Tri status = Tri::yes;
  for (const Piece& piece : pieces) {
    if (budget().spend(piece.units) && piece.command) {
      auto outer = std::exchange(frames_.back()->discarded, std::nullopt);
      frames_.back()->whole = piece.command;
      status = run(*piece.command, state);
      if (frames_.back()->discarded) {
        state.join(*frames_.back()->discarded);
        status = Tri::unknown;
      }
      frames_.back()->discarded = std::move(outer);
    } else if (budget().spend(state.weight())) {
      // A shell gives the rest of the file up here; but it may be that only this reader errs.
      join(stopped, state);
      // As zsh's `TRAPALRM() { zle reset-prompt }`, which ends without a ; before its }.
      if (dialect_ == Dialect::zsh && file().text.contains("ALRM")) {
        store(state, kAlarmTrap, {Value::unknown()}, piece.line);
      }
    }
    if (budget().spent()) {
      findings_.problem({.what = "takes too long to follow, so a TMOUT further on is not seen",
                         .where = {file().path, piece.line},
                         .hint = {}});
      break;
    }
  }
  frames_.back()->whole = outer_whole;
  if (!stopped) return status;
  state.join(*stopped);
  return Tri::unknown;
}

void Interpreter::leave(State& state, std::optional<State>& by, const std::string& why) {
  if (!state.alive || !budget().spend(state.weight())) return;
  join(by, state);
  state.alive = false;
  state.why_not = why;
}

State Interpreter::settled(const State& state) const {
  State end = state;
  if (!end.alive && exited_) end = *exited_;
  return end;
}

Tri Interpreter::run(const Command& command, State& state) {
  const std::size_t size = 1 + (command.words.size() + command.assignments.size()) / 4;
  if (!budget().spend_steps(size)) return Tri::unknown;
  if (depth_ > kMaxDepth) {
    findings_.problem({.what = "is nested too deeply to follow, so a TMOUT there is not seen",
                       .where = {file().path, command.line},
                       .hint = {}});
    return Tri::unknown;
  }
  ++depth_;
  const Tri status = run_plain(command, state);
  --depth_;
  return command.negated && command.kind != Command::Kind::loop ? !status : status;
}

Tri Interpreter::run_plain(const Command& command, State& state) {
  switch (command.kind) {
    case Command::Kind::simple: return run_simple(command, state);
    case Command::Kind::test: return run_extended_test(command, state);
    case Command::Kind::arithmetic: return compute(command.words.front().parts.front().text, state);
    case Command::Kind::list: return run_list(command, state);
    case Command::Kind::pipeline: return run_pipeline(command, state);
    case Command::Kind::and_if:
    case Command::Kind::or_if: return run_both(command, state);
    case Command::Kind::background:
    case Command::Kind::subshell:
      for (const Command& child : command.children) {
        run_unreached(child, state, "is set in a subshell only");
      }
      return Tri::unknown;
    case Command::Kind::branch: return run_branch(command, state);
    case Command::Kind::loop: return run_loop(command, state);
    case Command::Kind::each: return run_each(command, state);
    case Command::Kind::choice: return run_choice(command, state);
    case Command::Kind::function:
      if (state.alive) {
        define(command);
        if (command.name == kAlarmFunction) trap_alarm(state, true, command.line);
      }
      return Tri::yes;
  }
  std::unreachable();
}

Tri Interpreter::run_list(const Command& command, State& state) {
  Tri status = Tri::yes;
  for (const Command& child : command.children) status = run(child, state);
  return status;
}

Tri Interpreter::run_both(const Command& command, State& state) {
  const Tri left = run(command.children[0], state);
  const bool conjunction = command.kind == Command::Kind::and_if;
  const Tri goes_on = conjunction ? left : !left;
  if (goes_on == Tri::yes) return run(command.children[1], state);
  if (goes_on == Tri::no) {
    run_unreached(command.children[1], state, "its condition does not hold for this login");
    return left;
  }
  const Doubt doubt(doubts_);
  const auto skipped = fork(state, budget());
  if (!skipped) return Tri::unknown;
  const Tri right = run(command.children[1], state);
  state.join(*skipped);
  return conjunction ? left && right : left || right;
}

// Looks into what is not run, so that what stands there can be shown with the reason.
void Interpreter::run_unreached(const Command& command, const State& state,
                                const std::string& why) {
  auto copy = fork(state, budget());
  if (!copy) return;
  if (copy->alive) copy->why_not = why;
  copy->alive = false;
  run(command, *copy);
}

Tri Interpreter::run_branch(const Command& command, State& state) {
  const std::string why = "its condition does not hold for this login";
  std::optional<State> taken;
  std::optional<Doubt> doubt;
  std::size_t i = 0;
  for (; i + 1 < command.children.size(); i += 2) {
    const Tri condition = run(command.children[i], state);
    const Command& body = command.children[i + 1];
    if (condition == Tri::no) {
      run_unreached(body, state, why);
      continue;
    }
    if (condition == Tri::yes) {
      for (std::size_t k = i + 2; k < command.children.size(); ++k) {
        run_unreached(command.children[k], state, why);
      }
      run(body, state);
      break;
    }
    if (!doubt) doubt.emplace(doubts_);
    auto way = fork(state, budget());
    if (!way) break;
    run(body, *way);
    join(taken, *way);
  }
  if (i + 1 == command.children.size()) run(command.children[i], state);
  if (taken) state.join(*taken);
  return Tri::unknown;
}

Tri Interpreter::run_choice(const Command& command, State& state) {
  const Values subject = expand(command.words.front(), state);
  std::optional<State> taken;
  bool decided = false;
  for (std::size_t i = 0; i < command.children.size(); ++i) {
    Tri match = Tri::no;
    if (!decided) {
      for (const Word& word : command.patterns[i]) {
        const Values patterns = expand(word, state, true);
        std::optional<Tri> all;
        for (const Value& value : subject) {
          Tri any = Tri::no;
          for (const Value& pattern : patterns) {
            const Tri one = matches(value, pattern);
            any = &pattern == &patterns.front() ? one : either(any, one);
          }
          all = all ? either(*all, any) : any;
        }
        match = match || all.value_or(Tri::unknown);
      }
      // ;& goes on into the next one's commands: not told apart here.
      if (command.open_ended && match != Tri::no) match = Tri::unknown;
    }
    if (match == Tri::no && !command.open_ended) {
      run_unreached(command.children[i], state, "its condition does not hold for this login");
      continue;
    }
    std::optional<Doubt> doubt;
    if (match != Tri::yes || taken) doubt.emplace(doubts_);
    auto way = fork(state, budget());
    if (!way) break;
    run(command.children[i], *way);
    join(taken, *way);
    if (match == Tri::yes) {
      decided = true;
      state.alive = false;
    }
  }
  if (taken) {
    if (decided) {
      state = std::move(*taken);
    } else {
      state.join(*taken);
    }
  }
  return Tri::unknown;
}

// Every part runs in a subshell; ksh93's and zsh's last one does not.
Tri Interpreter::run_pipeline(const Command& command, State& state) {
  const bool last_stays = dialect_ == Dialect::ksh93 || dialect_ == Dialect::zsh;
  const Tri found = found_in(command, state);
  for (const Command& child : command.children) {
    if (last_stays && &child == &command.children.back()) {
      run(child, state);
    } else {
      run_unreached(child, state, "is set in a subshell only");
    }
  }
  return found;
}

// The answer of `id -nG | grep -qw NAME` and its like.
Tri Interpreter::found_in(const Command& pipeline, State& state) {
  const Command& grep = pipeline.children.back();
  if (grep.fed) return Tri::unknown;
  const Values outputs =
      output(std::span(pipeline.children).first(pipeline.children.size() - 1), state);
  std::optional<Tri> answer;
  for (const auto& words : texts(grep, state)) {
    for (const Value& text : outputs) {
      Tri one = Tri::unknown;
      std::size_t letters = 0;
      for (const std::string& word : words) letters += word.size();
      if (text.kind == Value::Kind::text && budget().spend_search(text.text.size(), letters)) {
        one = found_by(words, text.text);
      }
      answer = answer ? either(*answer, one) : one;
    }
  }
  return answer.value_or(Tri::unknown);
}

}  // namespace idlewarden::shell

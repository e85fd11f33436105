// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_csh.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "base/text.h"
#include "limits/shell_csh_lines.h"
#include "limits/shell_csh_scope.h"
#include "limits/shell_findings.h"
#include "limits/shell_login.h"
#include "limits/shell_syntax.h"
#include "limits/shell_value.h"

namespace idlewarden::shell {
namespace {

constexpr const char* kVariable = "autologout";
constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxRounds = 300;

struct Minutes {
  std::optional<Seconds> limit;
  std::string reason;
  bool malformed = false;
};

// tcsh takes the digits that the first word starts with.
Minutes minutes_of(const std::string& text) {
  long minutes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), minutes);
  if (error != std::errc() || end != text.data() + text.size()) {
    return {std::nullopt, printable(text) + " is no number of minutes: write set autologout=15",
            true};
  }
  if (minutes <= 0 || minutes > INT_MAX / 60) {
    return {std::nullopt, printable(text) + " means no limit"};
  }
  return {Seconds(minutes * 60), fmt::format("{} min", minutes)};
}

// Follows one pass through the files. Like the interpreter of the other shells it follows both ways
// where a condition is not known.
class CshPass {
 public:
  CshPass(Findings& findings, const ShellUser& user, bool users_files)
      : findings_(findings),
        user_(user),
        users_files_(users_files),
        budget_(findings.budget()),
        scope_(state_, user, findings) {
    state_.variables[kVariable] = {};
    for (const auto& [name, text] : {std::pair<std::string, std::string>{"home", user.home},
                                     {"HOME", user.home},
                                     {"shell", user.shell},
                                     {"uid", std::to_string(user.uid)},
                                     {"euid", std::to_string(user.uid)}}) {
      state_.variables[name] = {.values = {Value::of(text)}};
    }
    for (const char* name :
         {"prompt", "tcsh",  "loginsh", "term",     "path",    "tty",    "argv", "cwd",
          "gid",    "group", "shlvl",   "status",   "version", "HOST",   "PATH", "PWD",
          "GROUP",  "SHELL", "SHLVL",   "HOSTTYPE", "OSTYPE",  "VENDOR", "TERM", "MACHTYPE"}) {
      state_.variables[name] = {.values = {Value::nonempty()}};
    }
    for (const auto& [name, value] : environment_of(user)) state_.at(name).values = {value};
    state_.variables["user"] = state_.get("USER");
  }

  // Whether there is such a file, as far as the shell can read it.
  Tri read_file(const std::string& path) {
    const bool own = users_own(path);
    if (own && !users_files_) return Tri::no;
    if (depth_ >= kMaxDepth || ++visits_ > kMaxRounds) {
      findings_.problem(
          {.what = "is one file too many to follow, so an autologout in it is not seen",
           .where = {path},
           .hint = {}});
      return Tri::unknown;
    }
    visited_.insert(path);
    const auto file = findings_.read(path, own);
    if (!file) return findings_.is_there(path, own);
    ++depth_;
    const auto outer_file = std::exchange(file_, file);
    const auto commands = csh_commands(file->text, budget_);
    Script script{.commands = commands};
    Script* const outer_script = std::exchange(script_, &script);
    run(commands, 0, commands.size());
    if (budget_.spent()) {
      findings_.problem({.what = "takes too long to follow, so an autologout in it may not be seen",
                         .where = {path},
                         .hint = {}});
    }
    if (script.left) state_.join(*script.left);
    script_ = outer_script;
    if (failed_ && budget_.spend(failed_->weight())) state_.join(*failed_);
    file_ = outer_file;
    --depth_;
    return Tri::yes;
  }

  // A file that no other one is seen to read: it may hold, or not.
  void read_unseen(const std::string& path) {
    if (visited_.contains(path)) return;
    const auto without = fork(state_, budget_);
    if (!without) return;
    state_.alive = true;
    read_file(path);
    state_.join(*without);
  }

  Pass result() const { return pass_of(state_.get(kVariable), undecided_); }

 private:
  using Commands = std::vector<CshCommand>;

  struct Loop {
    std::optional<State> broken, continued;
  };
  // A file while it is read.
  struct Script {
    const Commands& commands;
    std::size_t at = 0;                       // the command that runs
    std::vector<Loop*> loops = {};            // around it, the innermost last
    std::optional<State> left = {};           // where it was left
    std::map<std::size_t, State> jumps = {};  // forwards, by the label that they go to
  };

  bool users_own(const std::string& path) const {
    return findings_.is_users_own(path, file_ && file_->users_own);
  }

  static bool opens_loop(const CshCommand& command) {
    const std::string_view first = command.name();
    return first == "foreach" || first == "while";
  }
  static bool opens_block(const CshCommand& command) {
    const std::string_view first = command.name();
    return opens_loop(command) || first == "switch" || (first == "if" && is_block(command));
  }
  static bool closes_block(const CshCommand& command) {
    const std::string_view first = command.name();
    return first == "end" || first == "endsw" || first == "endif";
  }

  // The index of the command that closes the block opened before `from`: its `endif`, `endsw` or
  // `end`; for an if also its `else`.
  std::size_t closing(const Commands& commands, std::size_t from, std::size_t end,
                      std::string_view closer, bool or_else = false) {
    int open = 0;
    for (std::size_t i = from; i < end; ++i) {
      const std::string_view first = commands[i].name();
      const bool opens = closer == "endif"   ? first == "if" && is_block(commands[i])
                         : closer == "endsw" ? first == "switch"
                                             : opens_loop(commands[i]);
      budget_.spend_steps();
      if (open == 0 && (first == closer || (or_else && first == "else"))) return i;
      if (opens) ++open;
      if (first == closer) --open;
    }
    return end;
  }
  static bool is_block(const CshCommand& command) { return command.words.back().text == "then"; }

  void run(const Commands& commands, std::size_t begin, std::size_t end) {
    if (++depth_ > 4 * kMaxDepth && begin < end) {
      too_deep(commands[begin].line);
      end = begin;
    }
    for (std::size_t i = begin; i < end && budget_.spend_steps();) {
      const std::string_view first = commands[i].name();
      script_->at = i;
      land(i);
      stop_at(commands[i]);
      if (first == "if" && is_block(commands[i])) {
        i = run_if(commands, i, end);
      } else if (first == "switch") {
        i = run_switch(commands, i, end);
      } else if (first == "foreach") {
        i = run_each(commands, i, end);
      } else if (first == "while") {
        i = run_while(commands, i, end);
      } else {
        run_one(commands[i]);
        ++i;
      }
    }
    --depth_;
  }

  // Runs `body` on what is so if `condition` is.
  void when(Tri condition, const std::function<void()>& body) {
    auto without = fork(state_, budget_);
    if (!without) return;
    if (condition == Tri::no) {
      if (state_.alive) state_.why_not = "its condition does not hold for this login";
      state_.alive = false;
    }
    body();
    if (condition == Tri::no) state_ = std::move(*without);
    if (condition == Tri::unknown) state_.join(*without);
  }

  // `skip`: 1 where the `if` stands behind an `else`.
  std::size_t run_if(const Commands& commands, std::size_t at, std::size_t end,
                     std::size_t skip = 0) {
    const std::size_t middle = closing(commands, at + 1, end, "endif", true);
    const auto words = std::span(commands[at].words).subspan(skip);
    const Tri condition = scope_.ask(words.subspan(1, words.size() - 2));
    if (middle == end || commands[middle].name() == "endif") {
      when(condition, [&] { run(commands, at + 1, middle); });
      return std::min(middle + 1, end);
    }
    const std::size_t close = closing(commands, middle + 1, end, "endif");
    auto before = fork(state_, budget_);
    if (!before) return end;
    when(condition == Tri::no ? Tri::no : Tri::yes, [&] { run(commands, at + 1, middle); });
    const State taken = std::exchange(state_, std::move(*before));
    const auto otherwise = [&] { run_else(commands, middle, close); };
    if (condition == Tri::unknown) {
      otherwise();
      state_.join(taken);
    } else {
      when(!condition, otherwise);
      if (condition == Tri::yes) state_ = taken;
    }
    return std::min(close + 1, end);
  }

  // `else if (...) then` is an if of its own, up to the same endif.
  void run_else(const Commands& commands, std::size_t at, std::size_t end) {
    const std::vector<CshWord>& words = commands[at].words;
    if (words.size() > 2 && words[1].text == "if" && is_block(commands[at])) {
      const std::size_t from = std::exchange(at, end);
      stop_at(commands[from]);
      nested(commands[from].line, [&] { at = run_if(commands, from, end, 1); });
    } else if (words.size() > 1) {
      script_->at = at;
      run_one({.line = commands[at].line, .words = {words.begin() + 1, words.end()}});
      ++at;
    } else {
      ++at;
    }
    run(commands, at, end);
  }

  // Each command of a switch may be the only one that runs.
  std::size_t run_switch(const Commands& commands, std::size_t at, std::size_t end) {
    const std::size_t close = closing(commands, at + 1, end, "endsw");
    for (std::size_t i = at + 1; i < close && !budget_.spent(); ++i) {
      when(Tri::unknown, [&] { run(commands, i, i + 1); });
    }
    return std::min(close + 1, end);
  }

  std::size_t run_while(const Commands& commands, std::size_t at, std::size_t end) {
    const std::size_t close = closing(commands, at + 1, end, "end");
    run_repeatedly(commands[at].line, [&] { run(commands, at + 1, close); });
    return std::min(close + 1, end);
  }

  std::size_t run_each(const Commands& commands, std::size_t at, std::size_t end) {
    const std::size_t close = closing(commands, at + 1, end, "end");
    const auto words = each_words(commands[at]);
    const std::string name = commands[at].words.size() > 1 ? commands[at].words[1].text : "";
    const int line = commands[at].line;
    if (!words) {
      run_repeatedly(line, [&] {
        assign(name, Value::unknown(), line);
        run(commands, at + 1, close);
      });
      return std::min(close + 1, end);
    }
    in_loop([&](Loop& loop) {
      for (const std::string& word : *words) {
        if (budget_.spent()) break;
        assign(name, Value::of(word), line);
        run(commands, at + 1, close);
        end_round(loop);
      }
    });
    return std::min(close + 1, end);
  }

  // None, one or more rounds. What is different after a second one may be anything.
  void run_repeatedly(int line, const std::function<void()>& round) {
    in_loop([&](Loop& loop) {
      std::optional<State> first;
      for (int i = 0; i < 2; ++i) {
        when(Tri::unknown, [&] {
          round();
          end_round(loop);
        });
        if (i == 0) first = fork(state_, budget_);
      }
      for (auto& [name, variable] : state_.variables) {
        if (!first || variable == first->get(name)) continue;
        if (name == kVariable) {
          doubt(line, "what the loop leaves in it is only known when the shell runs");
        } else {
          unite(variable.values, {Value::unknown()});
        }
      }
    });
  }

  // Around all rounds: `break` leads behind them.
  void in_loop(const std::function<void(Loop&)>& rounds) {
    Loop loop;
    script_->loops.push_back(&loop);
    rounds(loop);
    script_->loops.pop_back();
    if (loop.broken) state_.join(*loop.broken);
  }

  // `continue` leads here.
  void end_round(Loop& loop) {
    if (loop.continued) state_.join(*std::exchange(loop.continued, std::nullopt));
  }

  // The shell stops at an error, as at a variable that is not there, and may read no more of any
  // file. Commands that seldom fail, and never unseen, are taken to succeed.
  void stop_at(const CshCommand& command) {
    if (!state_.alive) return;
    static constexpr auto kMayFail = std::to_array<std::string_view>(
        {"cd", "chdir", "kill", "popd", "pushd", "shift", "unlimit"});
    const bool may_fail = std::ranges::find(kMayFail, command.name()) != kMayFail.end();
    const Tri stops = (command.broken ? Tri::yes : scope_.lacks_variable(command, file_->text)) ||
                      (may_fail ? Tri::unknown : Tri::no);
    if (stops == Tri::yes) {
      leave(failed_, "an error on " + Where{file_->path, command.line}.text());
    }
    if (stops == Tri::unknown && budget_.spend(state_.weight())) join(failed_, state_);
  }

  // break, continue, exit, goto: what follows is not reached but by `by`.
  void leave(std::optional<State>& by, const std::string& why) {
    if (!state_.alive || !budget_.spend(state_.weight())) return;
    join(by, state_);
    state_.alive = false;
    state_.why_not = "not reached: " + why;
  }

  // The rest of the line still runs, and may be another `break`.
  void leave_line(const CshCommand& command) {
    const std::string_view first = command.name();
    const std::string why =
        fmt::format("`{}` on {}", first, Where{file_->path, command.line}.text());
    const auto way_out = [&] {
      if (first == "goto") {
        jump(command, why);
      } else if (first == "exit") {
        leave(script_->left, why);
      } else if (script_->loops.empty()) {
        leave(failed_, why);
      } else {
        Loop& loop = *script_->loops.back();
        leave(first == "break" ? loop.broken : loop.continued, "the loop was left");
      }
    };
    if (script_->commands[script_->at].ends_line) {
      way_out();
    } else {
      doubt_the_way(command.line, first);
      when(Tri::unknown, way_out);
    }
  }

  // goto LABEL: followed forwards, to where the blocks that are open here lead by themselves.
  void jump(const CshCommand& command, const std::string& why) {
    const Value label = command.words.size() == 2 ? scope_.expand(command.words[1]) : Value{};
    const Commands& commands = script_->commands;
    std::size_t target = 0;
    const std::string mark = label.text + ":";
    while (label.kind == Value::Kind::text && target < commands.size() && budget_.spend_steps() &&
           commands[target].name() != mark) {
      ++target;
    }
    int open = 0;
    int outermost = 0;
    for (std::size_t i = script_->at + 1; i < target && budget_.spend_steps(); ++i) {
      if (opens_block(commands[i])) ++open;
      // Behind an `else` is another block than before it.
      const bool other = commands[i].name() == "else" && open == outermost;
      if (closes_block(commands[i])) --open;
      outermost = std::min(outermost, open - (other ? 1 : 0));
    }
    // The shell looks through the text, quotes and here-documents and all.
    const auto rows =
        budget_.spend(file_->text.size()) ? split(file_->text, '\n') : std::vector<std::string>();
    const bool found =
        target < commands.size() && std::ranges::count_if(rows, [&](const std::string& row) {
                                      return trim(row).starts_with(mark);
                                    }) == 1;
    if (found && target > script_->at && open == outermost) {
      std::optional<State> by;
      leave(by, why);
      if (!by) return;
      const auto [place, first_time] = script_->jumps.try_emplace(target, *by);
      if (!first_time) place->second.join(*by);
    } else {
      doubt_the_way(command.line, "goto");
    }
  }

  void land(std::size_t at) {
    const auto landing = script_->jumps.find(at);
    if (landing == script_->jumps.end()) return;
    state_.join(landing->second);
    script_->jumps.erase(landing);
  }

  // What comes after this may run or not, or once more.
  void doubt_the_way(int line, std::string_view by) {
    doubt(line, fmt::format("where `{}` leads is only known when the shell runs", by));
    if (state_.alive && budget_.spend(state_.weight())) join(failed_, state_);
  }

  // The variable may have any value from here on.
  void doubt(int line, const std::string& reason) {
    Variable& variable = state_.at(kVariable);
    if (!state_.alive || budget_.spent() || variable.readonly == Tri::yes) return;
    Finding finding = at_line(line);
    finding.undecided = true;
    finding.source.reason = reason;
    Value unknown = Value::unknown();
    unknown.source = findings_.add(finding);
    unite(variable.values, {unknown});
  }

  // foreach NAME ( WORDS ): the files that a pattern, or `ls PATTERN`, stands for.
  std::optional<std::vector<std::string>> each_words(const CshCommand& command) {
    std::vector<std::string> all;
    bool no_match = false;
    for (std::size_t i = 2; i < command.words.size(); ++i) {
      const CshWord& word = command.words[i];
      if (word.special) continue;
      const auto operand = CshScope::listed(word);
      const CshWord& pattern = operand ? *operand : word;
      const Value value = scope_.expand(pattern, true);
      if (value.kind != Value::Kind::text) return std::nullopt;
      if (all.size() > kMaxRounds) return std::nullopt;
      if (value.text.find_first_of("*?[") == std::string::npos || scope_.expand(pattern) == value) {
        if (operand) return std::nullopt;
        all.push_back(value.text);
      } else if (!value.text.starts_with('/')) {
        return std::nullopt;
      } else if (!users_own(value.text) || users_files_) {
        findings_.looked_at(value.text.substr(0, value.text.rfind('/')));
        const auto found = findings_.glob(value.text);
        if (!found || found->size() > kMaxRounds) return std::nullopt;
        all.insert(all.end(), found->begin(), found->end());
        no_match = !operand;
      }
    }
    if (no_match && all.empty() && !state_.variables.contains("nonomatch")) {
      leave(failed_, "no file matches on " + Where{file_->path, command.line}.text());
    }
    return all;
  }

  void run_one(const CshCommand& command) {
    if (!budget_.spend(16 * command.words.size())) return;
    if (command.doubtful) {
      CshCommand certain = command;
      certain.doubtful = false;
      when(Tri::unknown, [&] { run_one(certain); });
      return;
    }
    const std::vector<CshWord>& words = command.words;
    const std::string_view first = command.name();
    const auto mentions = [&] {
      return std::ranges::any_of(words,
                                 [](const CshWord& word) { return word.text.contains(kVariable); });
    };
    if (first == "if" && words.size() > 2) {
      run_short_if(command);
    } else if (first == "set") {
      set(command);
    } else if (first == "@") {
      compute(command);
    } else if (first == "setenv" && words.size() > 1) {
      // The shell's own variables hide those of the environment.
      if (words[1].text != kVariable) assign(words[1].text, Value::nonempty(), command.line);
    } else if (first == "shift" && words.size() > 1) {
      assign(words[1].text, Value::unknown(), command.line);
    } else if (first == "repeat" && words.size() > 2) {
      CshCommand rest{.line = command.line, .words = {words.begin() + 2, words.end()}};
      nested(command.line, [&] { when(Tri::unknown, [&] { run_one(rest); }); });
    } else if (first == "unset") {
      for (std::size_t i = 1; i < words.size(); ++i) unset(words[i], command.line);
    } else if (first == "source" && words.size() > 1) {
      if (words[1].text != "-h") source(words[1], command.line);
    } else if (first == "eval" && state_.alive && mentions()) {
      undecided(command.line, "what `eval` makes of it is only known when it runs");
    } else if (first.contains('$') && mentions()) {
      doubt(command.line, "which command this is is only known when the shell runs");
    } else if (first == "exec" || first == "login" || first == "logout" ||
               (first == "alias" && words.size() > 2 && (mentions() || hides(words[1])))) {
      doubt_the_way(command.line, first);
    } else if (first == "exit" || first == "goto" || first == "break" || first == "continue") {
      leave_line(command);
    }
  }

  // Whether an alias of this name takes the place of a command that is followed here.
  bool hides(const CshWord& alias) const {
    static constexpr auto kFollowed = std::to_array<std::string_view>(
        {"@",     "alias",  "break", "breaksw", "case",   "continue", "default", "else", "end",
         "endif", "endsw",  "eval",  "exec",    "exit",   "foreach",  "goto",    "if",   "repeat",
         "set",   "setenv", "shift", "source",  "switch", "unset",    "while"});
    const Value name = scope_.expand(alias);
    return name.kind != Value::Kind::text ||
           std::ranges::find(kFollowed, name.text) != kFollowed.end();
  }

  void source(const CshWord& file, int line) {
    const Value path = scope_.expand(file);
    if (path.kind == Value::Kind::text && path.text.starts_with('/')) {
      const bool left_out = users_own(path.text) && !users_files_;
      if (read_file(path.text) == Tri::no && !left_out) {
        leave(failed_, "there is no " + printable(path.text));
      }
    } else if (state_.alive) {
      undecided(line, "which file it reads is only known when the shell runs");
    }
  }

  // A name, or a pattern for names.
  void unset(const CshWord& word, int line) {
    const Value name = scope_.expand(word, true);
    if (name.kind != Value::Kind::text || name.text.find_first_of("*?[") != std::string::npos) {
      if (name.kind == Value::Kind::text && name.text == "*") {
        store({Value{}}, line);
      } else {
        doubt(line, "what `unset` takes away is only known when the shell runs");
      }
      if (!state_.alive || !budget_.spend(state_.weight())) return;
      for (auto& [other, variable] : state_.variables) {
        if (other != kVariable) variable.values = {Value::unknown()};
      }
    } else if (name.text == kVariable) {
      store({Value{}}, line);
    } else if (state_.alive) {
      state_.variables.erase(name.text);  // what is left may be the environment's
    }
  }

  // Goes deeper by one; a user can write any number of commands within commands.
  void nested(int line, const std::function<void()>& body) {
    if (++depth_ < 4 * kMaxDepth) {
      body();
    } else {
      too_deep(line);
    }
    --depth_;
  }

  // if (expression) command
  void run_short_if(const CshCommand& command) {
    int open = 0;
    std::size_t i = 1;
    for (; i < command.words.size(); ++i) {
      if (command.words[i].special && command.words[i].text == "(") ++open;
      if (command.words[i].special && command.words[i].text == ")" && --open == 0) break;
    }
    Tri condition = Tri::unknown;
    if (i + 1 < command.words.size()) {
      condition = scope_.ask(std::span(command.words).subspan(1, i));
    } else {
      // Without parentheses: if ! $?x set y
      static constexpr std::array<std::string_view, 9> kCommands = {
          "set", "@", "unset", "source", "exit", "goto", "break", "continue", "eval"};
      i = 1;
      while (i + 1 < command.words.size() &&
             std::ranges::find(kCommands, command.words[i + 1].text) == kCommands.end()) {
        ++i;
      }
      if (i + 1 >= command.words.size()) return;
    }
    const auto middle = command.words.begin() + static_cast<std::ptrdiff_t>(i) + 1;
    CshCommand rest{.line = command.line, .words = {middle, command.words.end()}};
    nested(command.line, [&] { when(condition, [&] { run_one(rest); }); });
  }

  // set [-r] [-f|-l] NAME[=VALUE] | NAME = VALUE | NAME = ( VALUES ) ...
  void set(const CshCommand& command) {
    bool readonly = false;
    const std::vector<CshWord>& words = command.words;
    std::size_t i = 1;
    for (; i < words.size() && words[i].text.starts_with('-'); ++i) {
      readonly = readonly || words[i].text == "-r";
    }
    for (; i < words.size(); ++i) {
      const auto equals = words[i].text.find('=');
      const std::string target = words[i].text.substr(0, equals);
      const std::string name = target.substr(0, target.find('['));
      CshWord word{.quoted = true};
      const auto next_is = [&](std::string_view text) {
        return i + 1 < words.size() && words[i + 1].text == text;
      };
      if (equals != std::string::npos) {
        word = words[i].from(equals + 1);
        if (word.text.empty() && next_is("(")) word = words[++i];
      } else if (next_is("=") && ++i + 1 < words.size()) {
        word = words[++i];
      }
      std::size_t count = 1;
      if (word.special && word.text == "(") {
        const std::size_t open = i;
        while (i < words.size() && words[i].text != ")") ++i;
        count = i - open - 1;
        word = count > 0 ? words[open + 1] : CshWord{};
      }
      // Of several words autologout takes the first.
      const bool known = name == target && (count < 2 || name == kVariable);
      assign(name, known ? scope_.expand(word) : Value::unknown(), command.line);
      if (name.contains('$') || name.contains('`')) {
        doubt(command.line, "what it sets is only known when the shell runs");
      } else if (!is_name(name)) {
        leave(failed_, "no variable is named " + printable(name));
        return;
      }
      if (readonly && state_.alive && name == kVariable) state_.at(name).readonly = Tri::yes;
    }
  }

  // @ NAME=NUMBER, @ NAME = NUMBER; what else it computes is not known here.
  void compute(const CshCommand& command) {
    const std::vector<CshWord>& words = command.words;
    if (words.size() < 2) return;
    const std::string& text = words[1].text;
    const auto end = std::min(text.find_first_of("=[+-*/%^|&<>"), text.size());
    Value value = Value::unknown();
    if (words.size() == 2 && text.substr(end).starts_with('=')) {
      value = scope_.expand(words[1].from(end + 1));
    } else if (words.size() == 4 && end == text.size() && words[2].text == "=") {
      value = scope_.expand(words[3]);
    }
    // Whether 010 is 8 is up to tcsh's options.
    if (!CshScope::is_number(value) || value.text.front() == '0') value = Value::unknown();
    assign(text.substr(0, end), value, command.line);
  }

  // Whatever is in it: from then on it is set.
  void assign(const std::string& name, const Value& value, int line) {
    if (name == kVariable) {
      store({value}, line);
    } else if (state_.alive && !name.empty() && !budget_.spent()) {
      const Value what = value.kind == Value::Kind::text ? value : Value::nonempty();
      state_.at(name).values = {what};
      // The shell keeps these and the environment's alike.
      for (const auto& [shells, environments] :
           {std::pair{"home", "HOME"}, {"path", "PATH"}, {"term", "TERM"}, {"user", "USER"}}) {
        if (name == shells) state_.at(environments).values = {what};
        if (name == environments) state_.at(shells).values = {what};
      }
    }
  }

  void store(Values values, int line) {
    if (budget_.spent()) return;
    Variable& variable = state_.at(kVariable);
    for (Value& value : values) {
      if (value.kind == Value::Kind::unset) continue;
      Finding finding = at_line(line);
      finding.undecided = value.kind != Value::Kind::text;
      const Minutes minutes =
          finding.undecided ? Minutes{std::nullopt, "its value is only known when the shell runs"}
                            : minutes_of(value.text);
      finding.source.limit = minutes.limit;
      finding.source.reason = minutes.reason;
      finding.source.malformed = minutes.malformed;
      value.source = findings_.add(finding);
      findings_.at(value.source).fate = !state_.alive                   ? state_.why_not
                                        : variable.readonly == Tri::yes ? "autologout is read-only"
                                                                        : "";
    }
    if (!state_.alive || variable.readonly == Tri::yes) return;
    for (const Value& old : variable.values) {
      if (old.source < 0 || std::ranges::find(values, old) != values.end()) continue;
      findings_.at(old.source).fate =
          (values.front().kind == Value::Kind::unset ? "unset by " : "overwritten by ") +
          Where{file_->path, line}.text();
    }
    if (variable.readonly == Tri::unknown) unite(values, variable.values);
    variable.values = std::move(values);
  }

  Finding at_line(int line) const {
    Finding finding;
    finding.source.origin = Origin::tmout;
    finding.source.directive = kVariable;
    finding.source.where = {file_->path, line};
    finding.source.text = file_->line(line);
    finding.users_own = file_->users_own;
    return finding;
  }

  void too_deep(int line) {
    findings_.problem({.what = "is nested too deeply to follow, so an autologout there is not seen",
                       .where = {file_->path, line},
                       .hint = {}});
  }

  void undecided(int line, const std::string& reason) {
    Finding finding = at_line(line);
    finding.undecided = true;
    finding.source.reason = reason;
    undecided_.push_back(findings_.add(finding));
  }

  Findings& findings_;
  const ShellUser& user_;
  bool users_files_;
  Budget& budget_;
  State state_;
  CshScope scope_;  // looks at state_
  Script* script_ = nullptr;
  std::optional<State> failed_;  // by an error: whether any more is read then is not known
  std::shared_ptr<const ScriptFile> file_;
  int depth_ = 0;
  std::size_t visits_ = 0;
  std::set<std::string> visited_;
  std::vector<int> undecided_;
};

}  // namespace

CshPasses csh_passes(Findings& findings, const ShellUser& user, bool users_files) {
  CshPass pass(findings, user, users_files);
  for (const char* path : {"/etc/csh.cshrc", "/etc/csh.login"}) pass.read_file(path);
  const Tri there = pass.read_file(user.home + "/.tcshrc");
  if (there == Tri::no) pass.read_file(user.home + "/.cshrc");
  if (there == Tri::unknown) pass.read_unseen(user.home + "/.cshrc");
  pass.read_file(user.home + "/.login");
  CshPasses passes{.seen = pass.result(), .unseen = {}};
  for (const char* pattern : {"/etc/csh/cshrc.d/*", "/etc/csh/login.d/*", "/etc/profile.d/*.csh"}) {
    for (const std::string& path : findings.root().glob(pattern)) pass.read_unseen(path);
  }
  passes.unseen = pass.result();
  return passes;
}

}  // namespace idlewarden::shell

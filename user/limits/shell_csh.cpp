// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_csh.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <climits>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "base/text.h"
#include "limits/shell_csh_lines.h"
#include "limits/shell_csh_scope.h"
#include "limits/shell_findings.h"
#include "limits/shell_login.h"
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
    for (const char* name : {"prompt", "tcsh", "loginsh", "term", "path", "tty"}) {
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
    auto outer_left = std::exchange(left_, std::nullopt);
    const auto commands = csh_commands(file->text, budget_);
    run(commands, 0, commands.size());
    if (budget_.spent()) {
      findings_.problem({.what = "takes too long to follow, so an autologout in it may not be seen",
                         .where = {path},
                         .hint = {}});
    }
    if (left_) state_.join(*left_);
    left_ = std::move(outer_left);
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

  bool users_own(const std::string& path) const {
    return findings_.is_users_own(path, file_ && file_->users_own);
  }

  // The index of the command that closes the block opened before `from`: its `endif`, `endsw` or
  // `end`; for an if also its `else`.
  std::size_t closing(const Commands& commands, std::size_t from, std::size_t end,
                      std::string_view closer, bool or_else = false) {
    int open = 0;
    for (std::size_t i = from; i < end; ++i) {
      const std::string& first = commands[i].words.front().text;
      const bool opens = closer == "endif"   ? first == "if" && is_block(commands[i])
                         : closer == "endsw" ? first == "switch"
                                             : first == "foreach" || first == "while";
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
      const std::string& first = commands[i].words.front().text;
      if (first == "if" && is_block(commands[i])) {
        i = run_if(commands, i, end);
      } else if (first == "switch") {
        i = run_doubtful(commands, i, end, "endsw");
      } else if (first == "foreach") {
        i = run_each(commands, i, end);
      } else if (first == "while") {
        i = run_doubtful(commands, i, end, "end");
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
    if (middle == end || commands[middle].words.front().text == "endif") {
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
      if (++depth_ < 4 * kMaxDepth) {
        at = run_if(commands, at, end, 1);
      } else {
        too_deep(commands[at].line);
        at = end;
      }
      --depth_;
    } else if (words.size() > 1) {
      run_one({.line = commands[at].line, .words = {words.begin() + 1, words.end()}});
      ++at;
    } else {
      ++at;
    }
    run(commands, at, end);
  }

  std::size_t run_doubtful(const Commands& commands, std::size_t at, std::size_t end,
                           std::string_view closer) {
    const std::size_t close = closing(commands, at + 1, end, closer);
    // Each command of a switch may be the only one that runs.
    for (std::size_t i = at + 1; i < close && !budget_.spent(); ++i) {
      when(Tri::unknown, [&] { run(commands, i, closer == "endsw" ? i + 1 : close); });
      if (closer != "endsw") break;
    }
    return std::min(close + 1, end);
  }

  std::size_t run_each(const Commands& commands, std::size_t at, std::size_t end) {
    const std::size_t close = closing(commands, at + 1, end, "end");
    const auto words = each_words(commands[at]);
    const std::string name = commands[at].words.size() > 1 ? commands[at].words[1].text : "";
    if (!words) {
      when(Tri::unknown, [&] {
        state_.at(name).values = {Value::unknown()};
        run(commands, at + 1, close);
      });
    } else {
      for (const std::string& word : *words) {
        if (budget_.spent()) break;
        state_.at(name).values = {Value::of(word)};
        run(commands, at + 1, close);
      }
    }
    return std::min(close + 1, end);
  }

  // foreach NAME ( WORDS ): the files that a pattern, or `ls PATTERN`, stands for.
  std::optional<std::vector<std::string>> each_words(const CshCommand& command) {
    std::vector<std::string> all;
    for (std::size_t i = 2; i < command.words.size(); ++i) {
      const CshWord& word = command.words[i];
      if (word.special) continue;
      CshWord pattern = word;
      if (const auto operand = CshScope::listed(word)) pattern = *operand;
      const Value value = scope_.expand(pattern);
      if (value.kind != Value::Kind::text) return std::nullopt;
      if (all.size() > kMaxRounds) return std::nullopt;
      if (value.text.find_first_of("*?[") == std::string::npos) {
        if (pattern.text != word.text) return std::nullopt;
        all.push_back(value.text);
      } else if (!users_own(value.text) || users_files_) {
        findings_.looked_at(value.text.substr(0, value.text.rfind('/')));
        const auto found = findings_.glob(value.text);
        if (!found || found->size() > kMaxRounds) return std::nullopt;
        all.insert(all.end(), found->begin(), found->end());
      }
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
    const std::string& first = words.front().text;
    if (first == "if" && words.size() > 2) {
      run_short_if(command);
    } else if (first == "set" || first == "@") {
      set(command);
    } else if (first == "unset") {
      for (std::size_t i = 1; i < words.size(); ++i) {
        if (words[i].text == kVariable || words[i].text == "*") store({Value{}}, command.line);
      }
    } else if (first == "source" && words.size() > 1) {
      const Value path = scope_.expand(words.back());
      if (path.kind == Value::Kind::text && path.text.starts_with('/')) {
        read_file(path.text);
      } else if (state_.alive) {
        undecided(command.line, "which file it reads is only known when the shell runs");
      }
    } else if (first == "eval" && state_.alive &&
               std::ranges::any_of(
                   words, [](const CshWord& word) { return word.text.contains(kVariable); })) {
      undecided(command.line, "what `eval` makes of it is only known when it runs");
    } else if (first == "exit" && state_.alive && budget_.spend(state_.weight())) {
      join(left_, state_);
      state_.alive = false;
      state_.why_not = "not reached: `exit` on " + Where{file_->path, command.line}.text();
    }
  }

  // if (expression) command
  void run_short_if(const CshCommand& command) {
    int open = 0;
    std::size_t i = 1;
    for (; i < command.words.size(); ++i) {
      if (command.words[i].special && command.words[i].text == "(") ++open;
      if (command.words[i].special && command.words[i].text == ")" && --open == 0) break;
    }
    if (i + 1 >= command.words.size()) return;
    const Tri condition = scope_.ask(std::span(command.words).subspan(1, i));
    const auto middle = command.words.begin() + static_cast<std::ptrdiff_t>(i) + 1;
    CshCommand rest{.line = command.line, .words = {middle, command.words.end()}};
    if (++depth_ < 4 * kMaxDepth) {
      when(condition, [&] { run_one(rest); });
    } else {
      too_deep(command.line);
    }
    --depth_;
  }

  // set [-r] [-f|-l] NAME[=VALUE] | NAME = VALUE | NAME = ( VALUES ) ...; @ NAME = VALUE
  void set(const CshCommand& command) {
    bool readonly = false;
    const std::vector<CshWord>& words = command.words;
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (words[i].text.starts_with('-') && words[i].text.size() == 2) {
        readonly = readonly || words[i].text == "-r";
        continue;
      }
      CshWord value = words[i];
      const auto equals = value.text.find('=');
      std::string name = value.text.substr(0, equals);
      if (equals != std::string::npos) {
        value.text.erase(0, equals + 1);
      } else if (i + 1 < words.size() && words[i + 1].text.starts_with('=')) {
        value = words[++i];
        value.text.erase(0, 1);
      } else {
        value = {.text = "", .literal = true};
      }
      const bool nothing_yet = value.text.empty() && !value.literal;
      if (nothing_yet && i + 1 < words.size()) value = words[++i];
      if (value.special && value.text == "(") {
        value = i + 1 < words.size() ? words[i + 1] : CshWord{};
        while (i < words.size() && words[i].text != ")") ++i;
      }
      assign(name, scope_.expand(value), command.line);
      if (readonly && state_.alive && name == kVariable) state_.at(name).readonly = Tri::yes;
    }
  }

  void assign(const std::string& name, const Value& value, int line) {
    if (name == kVariable) {
      store({value}, line);
    } else if (state_.alive && !name.empty() && !budget_.spent()) {
      state_.at(name).values = {value};
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
  CshScope scope_;             // looks at state_
  std::optional<State> left_;  // by `exit` from the file that is being read
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

// SPDX-License-Identifier: Apache-2.0
// Follows the start of a shell through its files without running anything. Conditions have three
// answers; where one is not known both ways are followed, and the state after them holds what
// either may have left. So what is found is what a login may really start with, or more.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "limits/shell_findings.h"
#include "limits/shell_script.h"
#include "limits/shell_timeout.h"
#include "limits/shell_value.h"

namespace idlewarden::shell {

inline constexpr const char* kWatched = "TMOUT";
// zsh's TMOUT raises SIGALRM, and a trap for that runs instead of the logout (zshparam(1)). Where
// it was set is kept like a variable, under a name that none can have.
inline constexpr const char* kAlarmTrap = "trap ALRM";
inline constexpr const char* kAlarmFunction = "TRAPALRM";

// Seconds as this shell takes them from the variable's text.
struct Timeout {
  std::optional<Seconds> limit;
  std::string reason;
  bool malformed = false;
};
Timeout timeout_of(Dialect dialect, const std::string& text);

class Interpreter {
 public:
  // `users_files`: whether the files in the user's home are read too.
  Interpreter(Findings& findings, const ShellUser& user, Dialect dialect, bool users_files);

  // The shell before it reads its first file.
  State initial_state() const;
  // Assigns as the environment that the shell is started with does.
  void import(State& state, const std::string& name, const std::string& text, const Where& where,
              const std::string& line);
  // `. path`. Whether there is such a file for the shell, which may find that it cannot read it.
  Tri read_file(State& state, const std::string& path);
  // What the shell has where it ends up, also if that is in an `exit`.
  State settled(const State& state) const;

  bool has_read(const std::string& path) const { return visited_.contains(path); }
  bool is_users_own(const std::string& path) const;
  // A word's values at this point, for paths ($ENV, $ZDOTDIR).
  Values expand_text(State& state, const std::string& text);
  // Lets every function of the administrator's that was not called, but may be in a way that is not
  // followed, run on `state`. The others are looked into, and set nothing.
  void run_uncalled_functions(State& state);
  const std::vector<int>& undecided() const { return undecided_; }

 private:
  struct Body {
    std::shared_ptr<const Command> command;
    std::shared_ptr<const ScriptFile> file;
    bool keyword = false;
  };
  struct Function {
    std::vector<Body> bodies;  // one, or those that it may have
    bool certain = false;      // it is defined in any case
    bool called = false;
  };
  // Stands while what is run may also not be run.
  class Doubt {
   public:
    explicit Doubt(int& doubts) : doubts_(doubts) { ++doubts_; }
    ~Doubt() { --doubts_; }
    Doubt(const Doubt&) = delete;
    Doubt& operator=(const Doubt&) = delete;

   private:
    int& doubts_;
  };
  struct Hidden {
    Variable variable;
    bool perhaps = false;  // it is not known whether `local` was reached
    bool absent = false;   // the state had none
  };
  // A file or function that is being run, with its ways out.
  struct Frame {
    std::shared_ptr<const ScriptFile> file;
    std::shared_ptr<const Command> whole;  // that is being run, with all that stands in it
    bool is_function = false;
    bool keyword = false;  // as in Body
    std::optional<State> returned;
    Tri status = Tri::unknown;            // that it returned with
    std::optional<State> discarded;       // the rest of a command line, after an error
    int doubts = 0;                       // that stood when it began
    std::map<std::string, Hidden> outer;  // what `local` hides
  };
  struct Loop {
    std::optional<State> broken;
    std::optional<State> continued;
  };
  // The words that a loop runs over.
  struct EachWords {
    std::vector<std::string> here;
    std::vector<std::string> elsewhere;  // as another locale sorts the files of each pattern
  };
  using Fields = std::vector<Value>;
  static constexpr std::size_t kMaxFrames = 24;

  // Control flow (shell_interpreter.cpp).
  Tri run_script(State& state, const std::vector<Piece>& pieces);
  Tri run(const Command& command, State& state);
  Tri run_plain(const Command& command, State& state);
  Tri run_list(const Command& command, State& state);
  Tri run_both(const Command& command, State& state);
  Tri run_branch(const Command& command, State& state);
  Tri run_choice(const Command& command, State& state);
  Tri run_pipeline(const Command& command, State& state);
  Tri found_in(const Command& pipeline, State& state);
  void run_unreached(const Command& command, const State& state, const std::string& why);
  void leave(State& state, std::optional<State>& by, const std::string& why);

  // Functions (shell_functions.cpp).
  void define(const Command& command);
  // What $1, $2 ... stand for; none: not known, not even how many there are.
  using Arguments = std::optional<std::vector<Values>>;
  Tri call(Function& function, const Arguments& arguments, State& state);
  Tri call_body(const Body& body, const Arguments& arguments, State& state);
  Arguments arguments_of(const Command& command, std::size_t first, State& state);
  // Of the function or file that is being run; they stand in the state by their numbers and "#".
  static Arguments current_arguments(const State& state);
  static void set_arguments(State& state, const Arguments& arguments);
  static Values argument(const State& state, const std::string& name);
  void change_arguments(const std::string& name, const Command& command, std::size_t first,
                        State& state);
  bool may_be_called(const std::string& name);
  void hide(State& state, const std::string& name);
  void restore(State& state, const Frame& frame) const;
  // Traps for SIGALRM in zsh.
  void trap_alarm(State& state, bool set, int line);
  void trap(const Command& command, std::size_t first, State& state);
  void touch_functions(const Command& command, std::size_t first, bool set, State& state);

  // Loops (shell_loops.cpp).
  Tri run_each(const Command& command, State& state);
  Tri run_loop(const Command& command, State& state);
  Tri run_repeatedly(const Command& command, State& state);
  void run_words(const Command& command, const std::vector<std::string>& words, State& state);
  void run_body(const Command& body, State& state);
  void leave_loops(bool breaks, const std::string& count, State& state);
  bool is_order_in_doubt(const EachWords& words);
  std::optional<EachWords> each_words(const Command& command, State& state);
  std::optional<std::vector<std::string>> each_word(const Word& word, State& state);
  std::optional<std::vector<std::string>> separate_words(const std::string& text,
                                                         const State& state) const;
  std::optional<std::vector<std::string>> listed(const std::string& command) const;

  // Simple commands (shell_builtins.cpp).
  Tri run_simple(const Command& command, State& state);
  void keep_assignments(const std::string& name, const Command& command, State& state);
  Tri run_builtin(const std::string& name, const Command& command, std::size_t first, State& state);
  Tri declare(const std::string& name, const Command& command, std::size_t first, State& state);
  Tri declare_one(const Word& word, const Variable& attributes, bool local, State& state);
  Tri unset(const Command& command, std::size_t first, State& state);
  Tri source(const Word& word, State& state);
  Tri evaluate(const Command& command, std::size_t first, State& state);
  void make_unknown(const Command& command, std::size_t first, State& state);
  bool assign(State& state, const Assignment& assignment);
  bool store(State& state, const std::string& name, Values values, int line);
  void make_number(Values& values) const;
  Tri refuse(State& state, bool plain_assignment);
  int note(const Value& value, int line, const std::string& fate);
  void note_undecided(const std::string& directive, int line, const std::string& reason);

  // Words (shell_expand.cpp).
  Values expand(const Word& word, State& state, bool pattern = false);
  Values expand_part(const Part& part, State& state, bool pattern);
  Values expand_parameter(const Part& part, State& state, bool pattern);
  Values expand_operator(const Part& part, const Values& values, State& state, bool pattern);
  Values expand_cut(const Part& part, const Values& values, State& state);
  Values expand_arithmetic(const std::string& text, State& state);
  Values expand_command(const std::string& text, State& state);
  // What it prints. Known for a few commands that ask who logs in.
  Values output(std::span<const Command> pipeline, State& state);
  // The command's words in all the ways that they may come out; empty: not known.
  std::vector<std::vector<std::string>> texts(const Command& command, State& state);
  // Whether `value` matches an fnmatch(3) pattern.
  Tri matches(const Value& value, const Value& pattern);
  Tri compute(const std::string& text, State& state);
  // The command's words from `first` on, in all the ways that they may come out; empty: too many.
  std::vector<Fields> fields(const std::vector<Word>& words, std::size_t first, State& state);

  // Conditions (shell_conditions.cpp).
  Tri run_test(const Command& command, std::size_t first, State& state);
  Tri run_extended_test(const Command& command, State& state);
  Tri compare_words(const Word& left, const std::string& op, const Word& right, State& state);
  Tri file_test(char letter, const Value& path) const;

  Budget& budget() const { return findings_.budget(); }
  const ScriptFile& file() const { return *frames_.back()->file; }

  Findings& findings_;
  const ShellUser& user_;
  Dialect dialect_;
  bool users_files_;
  std::set<std::string> visited_;
  std::map<std::string, Function> functions_;
  std::vector<std::unique_ptr<Frame>> frames_;
  std::vector<Loop*> loops_;
  std::optional<State> exited_;
  std::vector<int> undecided_;
  Tri file_status_ = Tri::unknown;  // of the last command of the file that was read last
  bool sorted_by_locale_ = false;   // the words of each_word(): a pattern's files
  int doubts_ = 0;
  int depth_ = 0;
  std::size_t visits_ = 0;
};

}  // namespace idlewarden::shell

// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_timeout.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <iterator>
#include <optional>
#include <utility>

#include "base/duration.h"
#include "base/text.h"
#include "limits/shell_arithmetic.h"
#include "limits/shell_csh.h"
#include "limits/shell_files.h"
#include "limits/shell_interpreter.h"

namespace idlewarden {
namespace shell {
namespace {

// In seconds, what a spelling like 15m or 1h means.
std::string advice(const std::string& text) {
  const auto meant = parse_duration(trim(text));
  return fmt::format("write {}={}", kWatched, meant && meant->count() > 0 ? meant->count() : 900);
}

Timeout judged(const std::string& text, std::int64_t seconds) {
  if (seconds <= 0) return {std::nullopt, fmt::format("{} means no limit", printable(text))};
  if (seconds > INT_MAX) return {std::nullopt, "more seconds than any shell counts: no limit"};
  return {Seconds(seconds), fmt::format("{} s", seconds)};
}

}  // namespace

Timeout timeout_of(Dialect dialect, const std::string& text) {
  const std::string_view trimmed = trim(text);
  if (trimmed.empty()) return {std::nullopt, "empty: no limit"};
  if (dialect == Dialect::bash || dialect == Dialect::posix) {
    // bash takes the digits that it starts with (atoi), so 15m would be fifteen seconds: nobody
    // means that, and no session is ended for it.
    std::size_t end = trimmed.front() == '-' || trimmed.front() == '+' ? 1 : 0;
    while (end < trimmed.size() && trimmed[end] >= '0' && trimmed[end] <= '9') ++end;
    const ArithmeticScope decimal{.leading_zero_is_octal = false, .get = {}, .set = {}};
    const Number number = evaluate_arithmetic(trimmed.substr(0, end), decimal);
    const std::string_view rest = trimmed.substr(end);
    if (number && (rest.empty() || rest == "s")) return judged(text, *number);
    return {std::nullopt,
            fmt::format("{} is no number of seconds{}: {}", printable(text),
                        number && *number > 0 ? fmt::format(" (bash would take {})", *number) : "",
                        advice(text)),
            true};
  }
  // The others compute it; a name in it is 0 until somebody sets it.
  const ArithmeticScope constants{.leading_zero_is_octal = false,
                                  .get = [](const std::string&) { return Number(0); },
                                  .set = [](const std::string&, Number) {}};
  // A file with DOS line ends: for ksh93 alone its \r is no blank.
  const bool dos = dialect == Dialect::ksh93 && text.contains('\r');
  const Number number = dos ? Number() : evaluate_arithmetic(trimmed, constants);
  if (number) return judged(text, *number);
  return {std::nullopt,
          fmt::format("{} is no number of seconds: {}", printable(text), advice(text)), true};
}

namespace {

class Reading {
 public:
  Reading(const Root& root, const ShellUser& user, ShellKind kind, ScriptCache& scripts)
      : root_(root), user_(user), kind_(std::move(kind)), findings_(root, user, scripts) {}

  ShellTimeouts answer() {
    ShellTimeouts timeouts;
    read_systems();
    timeouts.files = findings_.files();
    timeouts.systems_problems = findings_.problems().size();
    findings_.follow_the_user();
    read_all();
    choose();
    for (std::size_t i = 0; i < findings_.all().size(); ++i) {
      place(static_cast<int>(i), timeouts);
    }
    timeouts.readonly = systems_.readonly == Tri::yes;
    timeouts.exported = systems_.exported == Tri::yes;
    timeouts.at_most = at_most();
    timeouts.problems = findings_.problems();
    timeouts.unread = findings_.unread();
    timeouts.home_is_silent = user_.home_is_silent;
    std::ranges::set_difference(findings_.files(), timeouts.files,
                                std::back_inserter(timeouts.users_files));
    return timeouts;
  }

 private:
  // The administrator's files alone; then those that none of them is seen to read.
  void read_systems() {
    if (kind_.family == Family::csh) {
      CshPasses passes = csh_passes(findings_, user_, false);
      systems_ = std::move(passes.seen);
      unseen_ = std::move(passes.unseen);
      return;
    }
    const Dialect dialect = dialect_of(kind_.family);
    Interpreter interpreter(findings_, user_, dialect, false);
    State state = interpreter.initial_state();
    start(interpreter, state, root_, user_, kind_.family, findings_);
    state = interpreter.settled(state);
    systems_ = pass_of(state.get(kWatched), interpreter.undecided());
    state.alive = true;
    interpreter.run_uncalled_functions(state);
    if (kind_.family != Family::zsh) findings_.looked_at("/etc/profile.d");
    for (const std::string& path : administrators_files(root_, kind_.family)) {
      if (interpreter.has_read(path)) continue;
      State without = state;
      interpreter.read_file(state, path);
      state = interpreter.settled(state);
      state.join(without);
    }
    unseen_ = pass_of(state.get(kWatched), interpreter.undecided());
    unseen_.alarm_trap = state.get(kAlarmTrap).values;
  }

  void read_all() {
    if (kind_.family == Family::csh) {
      all_ = csh_passes(findings_, user_, true).seen;
      return;
    }
    Interpreter interpreter(findings_, user_, dialect_of(kind_.family), true);
    State state = interpreter.initial_state();
    start(interpreter, state, root_, user_, kind_.family, findings_);
    state = interpreter.settled(state);
    all_ = pass_of(state.get(kWatched), interpreter.undecided());
    all_.alarm_trap = state.get(kAlarmTrap).values;
  }

  bool is_systems(int source) const { return systems_.holds(source) || unseen_.holds(source); }

  void choose() {
    const auto& findings = findings_.all();
    for (std::size_t i = 0; i < findings.size(); ++i) {
      const auto& limit = findings[i].source.limit;
      const bool systems = is_systems(static_cast<int>(i));
      if (!limit || !systems || !instead_of_a_logout(systems).empty()) continue;
      system_limits_ = true;
      if (systems_.decides(static_cast<int>(i))) certain_ = limit;
    }
  }

  std::optional<Seconds> at_most() {
    const bool sure = kind_.certain && heeds_it() && systems_.undecided.empty();
    if (!sure || !instead_of_a_logout(true).empty()) return std::nullopt;
    Seconds longest{0};
    for (const Value& value : systems_.values) {
      const auto limit = value.source < 0 ? std::nullopt : findings_.at(value.source).source.limit;
      if (!limit) return std::nullopt;
      longest = std::max(longest, *limit);
    }
    return longest;
  }

  // A value that only the user's own files give holds where it tightens.
  bool tightens(const Finding& finding) const {
    if (finding.undecided) return true;
    if (!finding.source.limit) return !system_limits_;
    return !certain_ || *finding.source.limit < *certain_;
  }

  // A trap of the user's own does not loosen what the system's files say.
  std::string instead_of_a_logout(bool systems) const {
    return (systems ? unseen_ : all_).instead_of_a_logout();
  }

  bool is_undecided(int index) const {
    return std::ranges::find(systems_.undecided, index) != systems_.undecided.end() ||
           std::ranges::find(unseen_.undecided, index) != unseen_.undecided.end() ||
           std::ranges::find(all_.undecided, index) != all_.undecided.end();
  }

  void place(int index, ShellTimeouts& timeouts) {
    const Finding& finding = findings_.at(index);
    LimitSource source = finding.source;
    const bool unset = !finding.undecided && source.reason == "unset";
    const bool systems = is_systems(index);
    const bool holds = systems || all_.holds(index) || is_undecided(index);
    const std::string instead = source.limit ? instead_of_a_logout(systems) : "";
    if (holds && !unset && instead.empty() && (systems || tightens(finding)) && heeds_it()) {
      source.conditional =
          finding.undecided || !kind_.certain || !(systems_.decides(index) || all_.decides(index));
      if (!finding.undecided) source.reason += circumstances(index, source.conditional);
      timeouts.in_force.push_back(std::move(source));
      return;
    }
    if (unset && (!finding.users_own || !system_limits_)) return;
    if (!heeds_it()) {
      source.reason = kind_.name + " has no TMOUT";
    } else if (!finding.fate.empty()) {
      source.reason = source.malformed ? source.reason + "; " + finding.fate : finding.fate;
    } else if (holds && !instead.empty()) {
      source.reason = instead;
    } else {
      source.reason = finding.users_own ? "a user's own file can only tighten" : "does not last";
    }
    timeouts.overruled.push_back(std::move(source));
  }

  bool heeds_it() const {
    const bool dash = kind_.family == Family::dash && kind_.certain;
    return !dash && kind_.family != Family::without_timeout;
  }

  std::string circumstances(int index, bool conditional) const {
    std::string text;
    if (findings_.all()[static_cast<std::size_t>(index)].source.limit) {
      const Tri readonly = systems_.holds(index) ? systems_.readonly : all_.readonly;
      if (readonly == Tri::no) text += ", not read-only";
    }
    if (!kind_.certain) return text + "; whether this " + kind_.name + " heeds it is not known";
    if (!conditional) return text;
    if (!systems_.holds(index) && unseen_.holds(index)) {
      return text + "; no file that a login reads is seen to lead here";
    }
    const std::string& file = findings_.all()[static_cast<std::size_t>(index)].source.where.file;
    if (const std::string other = findings_.order_doubted_with(file); !other.empty()) {
      return text + "; whether this or " + other + " is read last is up to the login's locale";
    }
    return text + "; whether it holds is only known at the login";
  }

  const Root& root_;
  const ShellUser& user_;
  ShellKind kind_;
  Findings findings_;
  Pass systems_, unseen_, all_;
  std::optional<Seconds> certain_;  // the system's own, under no condition
  bool system_limits_ = false;
};

}  // namespace
}  // namespace shell

ShellTimeouts shell_timeouts(const Root& root, const ShellUser& user) {
  shell::ScriptCache scripts;
  return shell_timeouts(root, user, scripts);
}

ShellTimeouts shell_timeouts(const Root& root, const ShellUser& user, shell::ScriptCache& scripts) {
  return shell::Reading(root, user, shell::shell_kind(root, user.shell), scripts).answer();
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// TMOUT and autologout: bash(1), zshparam(1), ksh93(1), mksh(1), tcsh(1).
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "base/duration.h"
#include "base/text.h"
#include "limits/lint_parts.h"

namespace idlewarden {
namespace {

// The strictest that a login certainly starts with.
const LimitSource* certain_limit(const ShellTimeouts& times) {
  const LimitSource* best = nullptr;
  for (const LimitSource& source : times.in_force) {
    if (!source.limit || source.conditional) continue;
    if (best == nullptr || *source.limit < *best->limit) best = &source;
  }
  return best;
}

bool any_limit(const ShellTimeouts& times) {
  return std::ranges::any_of(times.in_force,
                             [](const LimitSource& s) { return s.limit.has_value(); });
}

std::string plain(const LintShell& shell, Seconds limit) {
  return shell.counts_minutes
             ? fmt::format("set -r autologout={}", std::max<std::int64_t>(limit.count() / 60, 1))
             : fmt::format("declare -xr TMOUT={}", limit.count());
}

std::string sentence(std::string text) {
  if (!text.empty() && text.front() >= 'a' && text.front() <= 'z') {
    text.front() = static_cast<char>(text.front() - 'a' + 'A');
  }
  if (!text.ends_with('.')) text += '.';
  return text;
}

void lint_line(const LintShell& shell, const LimitSource& source, Seconds limit,
               LintReport& report) {
  // What is written here is never advised to be loosened.
  const std::string fix = plain(shell, std::min(limit, source.limit.value_or(limit))) +
                          " on a line of its own, under no condition.";
  if (source.malformed) {
    report.add("tmout-invalid", Severity::error, source, sentence(source.reason),
               plain(shell, limit));
  } else if (!source.limit && source.conditional) {
    report.add("tmout-undecided", Severity::warning, source,
               fmt::format("What {} makes of it is only known when it runs: {}.", shell.name,
                           source.reason),
               fix);
  } else if (!source.limit) {
    report.add("tmout-off", Severity::warning, source, sentence(source.reason),
               plain(shell, limit));
  } else if (source.conditional) {
    report.add("tmout-conditional", Severity::warning, source,
               fmt::format("Not for every login: {}.", source.reason), fix);
  }
}

void lint_decided(const LintShell& shell, const LimitSource& source, LintReport& report) {
  if (!shell.times.readonly) {
    report.add("tmout-not-readonly", Severity::warning, source,
               fmt::format("Every user can take it back: unset {} in ~/.profile or at the prompt.",
                           source.directive),
               plain(shell, *source.limit));
  }
  if (!shell.times.exported && !shell.counts_minutes) {
    report.add("tmout-not-exported", Severity::warning, source,
               "A shell that is started from this one does not have it, unless it reads the same "
               "file itself.",
               plain(shell, *source.limit));
  }
  report.add("tmout-at-prompt-only", report.weakness({Kind::ssh, Kind::console}), source,
             fmt::format("Ends {} while it waits at its prompt. One forgotten vim, less or top in "
                         "the foreground keeps the session open for ever.",
                         shell.name),
             fmt::format("Keep it, and let idlewarden in enforce mode end the rest after the same "
                         "{}.",
                         format_duration(*source.limit)));
}

std::string way_out(const LintShell& shell, Seconds limit) {
  if (!shell.has_timeout) {
    return fmt::format(
        "There is none in {}: idlewarden with a rule (limit = \"{}\") watches every "
        "shell alike.",
        shell.name, format_duration(limit));
  }
  if (shell.counts_minutes) return plain(shell, limit) + " in /etc/csh.login.";
  if (shell.name.find("zsh") != std::string::npos) {
    return plain(shell, limit) + " in /etc/zsh/zshenv or /etc/zshenv.";
  }
  return plain(shell, limit) + " in /etc/profile.";
}

// Shells that go without what others have.
void lint_left_out(const LintHost& host, const LimitSource& source, LintReport& report) {
  std::vector<std::string> offered;
  std::vector<std::string> used;
  std::string fix;
  for (const LintShell& shell : host.shells) {
    if (any_limit(shell.times)) continue;
    if (shell.users.empty()) {
      offered.push_back(shell.name);
    } else {
      used.push_back(fmt::format(
          "{} (the shell of {}), which {}", shell.name, listed(shell.users),
          shell.has_timeout ? "gets no limit from any file that it reads" : "knows no TMOUT"));
      fix += (fix.empty() ? "" : " ") + way_out(shell, *source.limit);
    }
  }
  if (!used.empty()) {
    report.add("tmout-not-all-shells", report.weakness({Kind::ssh, Kind::console}), source,
               fmt::format("Nothing in {}.", fmt::join(used, ", nor in ")), std::move(fix));
  }
  if (offered.empty()) return;
  report.add({.id = "tmout-not-in-offered-shells",
              .severity = Severity::info,
              .where = {"/etc/shells"},
              .text = {},
              .does = fmt::format("Lets everybody choose (chsh) a shell without a limit: {}.",
                                  listed(offered)),
              .fix = "Take out what nobody needs."});
}

// The shells obey their users; idlewarden keeps to the system's limit.
void lint_user(const LintHost& host, const LintUser& user, LintReport& report) {
  const auto shell = std::ranges::find(host.shells, user.shell, &LintShell::name);
  const std::string& home = user.account.home;
  std::size_t unread = 0;
  for (const Error& error : user.times.problems) {
    if (lies_in(error.where.file, home)) ++unread;
  }
  if (unread > 0) {
    report.add({.id = "cannot-read",
                .severity = Severity::info,
                .where = {home},
                .text = {},
                .does = fmt::format("{} of the start-up files of {} could not be read, so nobody "
                                    "knows whether they loosen the limit.",
                                    unread, printable(user.account.name, 64)),
                .fix = "Run lint as root."});
  }
  const LimitSource* const limit = certain_limit(shell->times);
  if (limit == nullptr) return;
  for (const LimitSource& source : user.times.overruled) {
    if (!lies_in(source.where.file, home)) continue;
    if (source.limit && *source.limit <= *limit->limit) continue;
    const bool refused = shell->times.readonly;
    report.add(
        "tmout-user-loosens", refused ? Severity::info : Severity::warning, source,
        refused ? fmt::format("Nothing: {} refuses it, since {} is read-only.", shell->name,
                              limit->directive)
                : fmt::format("Takes the limit of {} ({}) away from the shell of {}. "
                              "idlewarden goes on to count the {}.",
                              limit->where.text(), format_duration(*limit->limit),
                              printable(user.account.name, 64), format_duration(*limit->limit)),
        refused ? "Nothing needs to be done."
                : fmt::format("{} at {}", plain(*shell, *limit->limit), limit->where.text()));
  }
}

void lint_shell(const LintShell& shell, LintReport& report) {
  const LimitSource* const decided = certain_limit(shell.times);
  const Seconds wanted = decided != nullptr ? *decided->limit : Seconds(900);
  for (const LimitSource& source : shell.times.in_force) {
    lint_line(shell, source, wanted, report);
    if (&source == decided) lint_decided(shell, source, report);
  }
  if (shell.has_timeout) {
    for (const LimitSource& source : shell.times.overruled) {
      if (source.malformed) {
        lint_line(shell, source, wanted, report);
      } else {
        report.add("tmout-overruled", Severity::warning, source,
                   fmt::format("Nothing in {}: {}.", shell.name, source.reason),
                   "Take one of the two lines out.");
      }
    }
  }
  for (const Error& error : shell.times.problems) {
    report.add({.id = "cannot-read",
                .severity = Severity::warning,
                .where = error.where,
                .text = {},
                .does = "Nobody knows: " + error.what + ".",
                .fix = error.code == EACCES ? "Run lint as root." : error.hint});
  }
}

}  // namespace

void lint_shells(const LintHost& host, LintReport& report) {
  const LimitSource* first = nullptr;
  for (const LintShell& shell : host.shells) {
    if (!shell.users.empty()) lint_shell(shell, report);
    const LimitSource* const found = certain_limit(shell.times);
    if (found != nullptr && first == nullptr) first = found;
  }
  if (first != nullptr) lint_left_out(host, *first, report);
  for (const LintUser& user : host.users) lint_user(host, user, report);
}

}  // namespace idlewarden

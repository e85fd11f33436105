// SPDX-License-Identifier: Apache-2.0
// logind.conf(5); logind-session.c of systemd 252 to 257.
#include <fmt/format.h>

#include <cerrno>

#include "base/duration.h"
#include "limits/lint_parts.h"

namespace idlewarden {
namespace {

constexpr Seconds kDefaultIdleAction{1800};

}  // namespace

void lint_logind(const LintHost& host, LintReport& report) {
  const LogindTimes& times = host.logind;
  for (const LimitSource& source : times.overruled) {
    if (source.malformed) {
      report.add("logind-invalid", Severity::error, source,
                 "Nothing: it is no time span, so logind ignores the line.",
                 "StopIdleSessionSec=10min");
    } else {
      report.add("logind-overruled", Severity::warning, source,
                 fmt::format("Nothing: {}.", source.reason), "Take one of the two lines out.");
    }
  }
  for (const Error& error : times.problems) {
    report.add({.id = "cannot-read",
                .severity = Severity::warning,
                .where = error.where,
                .text = {},
                .does = "Nobody knows: " + error.what + ".",
                .fix = error.code == EACCES ? "Run lint as root." : error.hint});
  }
  const auto& stop = times.stop_idle_session;
  if (!stop || !stop->limit) return;
  const auto action = times.idle_action ? times.idle_action->limit : kDefaultIdleAction;
  if (action && *stop->limit > *action) {
    report.add(
        "stop-idle-above-idle-action", Severity::warning, *stop,
        fmt::format("After {} logind looks whether the session is idle, and takes for idle "
                    "what was not used for IdleActionSec ({}{}): who paused for {} at that "
                    "moment is thrown out.",
                    format_duration(*stop->limit), format_duration(*action),
                    times.idle_action ? ", " + times.idle_action->where.text() : ", the default",
                    format_duration(*action)),
        fmt::format("IdleActionSec={}s or more beside it (IdleAction=ignore keeps it from "
                    "doing anything else).",
                    stop->limit->count()));
  }
  report.add(
      "logind-file-time", report.weakness({Kind::ssh, Kind::console}), *stop,
      "Looks at the access time of the terminal, which moves in steps of 8 s, when a program "
      "reads and not when somebody types, and which the user can set with touch. At the end "
      "everything that the session started is killed, KillUserProcesses=no or not, without "
      "a warning.",
      "idlewarden in enforce mode sees the input itself, warns, and spares what was put "
      "aside with nohup or tmux.");
}

}  // namespace idlewarden

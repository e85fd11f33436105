// SPDX-License-Identifier: Apache-2.0
// Snapshots and events for the tests of this folder.
#pragma once

#include <string>

#include "report/event.h"
#include "report/snapshot.h"

namespace idlewarden::test {

// Everything that must never come out raw: escape sequences, line breaks, bytes that are not UTF-8,
// a C1 control, a right-to-left override, quotes of every format.
inline const std::string kHostile =
    "\x1b]0;owned\x07\r\n\"};,evil{a=\"1\"} 7\n\xff\xfe\xc2\x9b"
    "2J\xe2\x80\xae\\\t\x7f";

inline WallTime noon() {
  return WallTime(std::chrono::seconds(1795348800));
}  // 2026-11-22 12:00Z

inline Snapshot empty_snapshot() {
  Snapshot s;
  s.version = "0.1.0";
  s.wall = noon();
  s.now = BootTime(std::chrono::hours(100));
  s.backend = Backend::fentry;
  s.counters.lateness = Histogram({0.1, 0.5, 1, 5});
  s.counters.scan_seconds = Histogram({0.001, 0.01, 0.1});
  s.counters.decision_seconds = Histogram({0.0001, 0.001, 0.01});
  s.counters.last_reload_ok = noon() - std::chrono::minutes(5);
  return s;
}

struct RowOptions {
  std::string user = "alice";
  std::string tty = "pts/3";
  std::string from = "10.0.0.7";
  Seconds idle{0};
  std::optional<Seconds> limit = Seconds(600);
  std::string file = "/etc/ssh/sshd_config";
  std::string foreground = "vim";
  State state = State::active;
  pid_t leader = 4242;
};

inline SessionRow row_of(const Snapshot& snapshot, const RowOptions& o) {
  SessionRow row;
  Session& s = row.session;
  s.id = {.leader = o.leader, .start = BootTime(std::chrono::hours(99)), .tty = 1};
  s.kind = o.from.empty() ? Kind::console : Kind::ssh;
  s.tty_name = o.tty;
  s.uid = 1000;
  s.user = o.user;
  s.host = o.from.empty() ? 0 : 4200;
  if (!o.from.empty()) s.remote = Endpoint{.address = o.from, .port = 50022};
  s.started = snapshot.wall - std::chrono::hours(1);
  s.foreground = o.foreground;
  row.idle = o.idle;
  row.last_input = snapshot.now - o.idle;
  row.limit = o.limit;
  if (o.limit) row.left = *o.limit - o.idle;
  row.state = o.state;
  Verdict verdict;
  if (o.limit) {
    verdict.limit = o.limit;
    verdict.decided_by = Origin::sshd_config;
    LimitSource source;
    source.directive = "ClientAliveInterval";
    source.where = {.file = o.file, .line = 12, .column = 3};
    source.limit = o.limit;
    source.used = true;
    verdict.sources.push_back(source);
  }
  row.verdict = std::make_shared<const Verdict>(std::move(verdict));
  return row;
}

// Sessions share their verdicts: this one gets its own.
template <class Change>
void change_verdict(SessionRow& row, Change change) {
  Verdict verdict = *row.verdict;
  change(verdict);
  row.verdict = std::make_shared<const Verdict>(std::move(verdict));
}

inline Snapshot small_snapshot() {
  using namespace std::chrono_literals;
  Snapshot s = empty_snapshot();
  s.sessions.push_back(row_of(s, {.idle = 492s}));
  s.sessions.push_back(row_of(s, {.user = "root",
                                  .tty = "tty1",
                                  .from = "",
                                  .idle = 26h,
                                  .limit = std::nullopt,
                                  .foreground = "bash",
                                  .leader = 77}));
  s.sessions.push_back(row_of(s, {.user = "bob",
                                  .tty = "pts/11",
                                  .from = "2001:db8:1:2:3:4:5:6",
                                  .idle = 610s,
                                  .file = "/etc/ssh/sshd_config.d/50-idle.conf",
                                  .foreground = "top",
                                  .state = State::expired,
                                  .leader = 901}));
  return s;
}

inline Event sample_event(EventType type) {
  Event e;
  e.type = type;
  e.time = noon();
  e.session = "4242-35640000";
  e.kind = "ssh";
  e.user = "alice";
  e.tty = "pts/3";
  e.remote_addr = "10.0.0.7";
  e.remote_port = 50022;
  e.idle_seconds = 600.0123;
  e.limit_seconds = 600;
  e.decided_by = "sshd_config";
  e.source = {.file = "/etc/ssh/sshd_config", .line = 12, .column = 1};
  return e;
}

inline Event hostile_event(EventType type) {
  Event e = sample_event(type);
  e.session = e.kind = e.user = e.tty = e.container = e.remote_addr = e.decided_by = e.detail =
      kHostile;
  e.source.file = "/home/" + kHostile;
  return e;
}

// Valid UTF-8 is what survives strict parsing; control characters are looked for by hand. Line
// feeds are allowed where `lines` says that the text has lines.
inline bool is_clean(const std::string& text, bool lines) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '\n' && lines) continue;
    if (c < 0x20 || c == 0x7f || c >= 0xf8) return false;
    if (c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) {
      return false;
    }
  }
  return text.find("\xe2\x80\xae") == std::string::npos && text.find('\xff') == std::string::npos;
}

}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// What the daemon shows of itself: a copy made on its loop when somebody asks, rendered elsewhere.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "enforce/warden.h"
#include "limits/limit.h"
#include "limits/policy.h"
#include "report/hook.h"
#include "sessions/session.h"

namespace idlewarden {

struct SessionRow {
  Session session;
  BootTime last_input{};  // or the moment from which input is known
  Nanoseconds idle{0};
  std::optional<Seconds> limit;  // of the idle time
  // Until its end is due, by the limit or by max_session; less than 0 once that is past.
  std::optional<Nanoseconds> left;
  std::shared_ptr<const Verdict> verdict;  // never null
  State state = State::active;
};

// Upper bounds in seconds; what is observed is counted at the lowest that is not below it.
struct Histogram {
  std::vector<double> bounds;
  std::vector<std::uint64_t> counts;  // one more than bounds: the last is beyond them all
  double sum = 0;
  explicit Histogram(std::vector<double> upper_bounds = {});
  void observe(double value);
};

// Counted since the daemon started. Key of the maps: (decided_by, kind).
struct Counters {
  using ByDecision = std::map<std::pair<std::string, std::string>, std::uint64_t>;
  std::map<std::string, ByDecision> transitions;  // by event name: warned, resumed, ...
  Histogram lateness;
  Histogram scan_seconds;
  Histogram decision_seconds;
  std::uint64_t scans_failed = 0;
  std::uint64_t reloads_ok = 0;
  std::uint64_t reloads_failed = 0;
  bool last_reload_failed = false;
  WallTime last_reload_ok{};
};

struct Snapshot {
  std::string version;
  WallTime wall{};
  BootTime now{};
  Backend backend = Backend::sampler;
  Mode mode = Mode::audit;
  bool per_session_metrics = false;
  StatusPage page = StatusPage::loopback;
  std::string token_file;  // empty: there is no token
  int max_terminations_per_minute = 0;
  std::vector<pid_t> only_host_pids;  // run --only-host-pid; empty: all sessions are looked at
  std::vector<SessionRow> sessions;
  std::map<std::string, std::string> degraded;  // reason -> one sentence
  std::uint64_t inputs = 0;                     // totals over live and ended sessions
  std::uint64_t replies = 0;
  std::uint64_t dropped_events = 0;  // Reporter::dropped_events()
  HookCounts hook;
  Counters counters;
};

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// The daemon's work without its loop: one turn reads the kernel, keeps the table of sessions, asks
// for limits, lets the warden act, and reports. Everything it uses is handed in, so a test drives
// it with a fake clock, a fake kernel and a fake terminator. Not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/procfs.h"
#include "daemon/session_input.h"
#include "daemon/stall.h"
#include "enforce/endings_book.h"
#include "enforce/warden.h"
#include "kernel/activity_source.h"
#include "limits/limits.h"
#include "limits/shared_verdicts.h"
#include "report/event.h"
#include "report/snapshot.h"
#include "sessions/session_table.h"

namespace idlewarden {

class Monitor {
 public:
  using EmitEvent = std::function<void(const Event&)>;
  struct Parts {
    ActivitySource& source;
    ConnectionMeter& meter;
    SessionTable& table;
    Limits& limits;
    Warden& warden;
    const Clock& clock;
    Procfs procfs;
    EmitEvent emit;
    std::function<void(const std::string&)> warn;  // for the log, once per sentence
    // After each good scan: every session, ascending by its id, as of the moment before the scan.
    std::function<void(BootTime, const std::vector<Observation>&)> looked = {};
  };
  explicit Monitor(Parts parts);

  // What an earlier daemon began to end, before the first turn.
  void adopt(const BegunEnding& begun);
  // One turn. Returns when the next is due at the latest.
  BootTime tick();
  // A pty was made: a login may be about to appear on it, so the next scans come sooner. A session
  // that is found at once loses no idle time to keys that were pressed before it was found.
  // The answer: when the next turn is due by that.
  BootTime pty_made();
  // logind has news: a login is about to appear, or is gone.
  void logind_changed();
  // Reads the policy and the host's files again; what cannot be used stays in force as it was read
  // before. `cause` is what the event says of it: which files have changed.
  Result<void> reload(const std::string& cause = {});
  Snapshot snapshot() const;
  // Something that works less well than it should, shown until it is cleared.
  void set_degraded(const std::string& reason, const std::string& sentence);
  void clear_degraded(const std::string& reason);

 private:
  struct Watched {
    std::shared_ptr<const Verdict> verdict = std::make_shared<const Verdict>();
    BootTime clock_floor{};  // no idle time is counted from before this
    bool watched = false;    // its input is being recorded
    bool judged = false;     // the verdict rests on all that it should
    std::optional<BootTime> by_file_time = std::nullopt;  // earlier than clock_floor
    std::optional<std::vector<std::string>> groups =
        std::nullopt;  // a container's user's, last told
  };

  void read_all_again_after_a_stall(BootTime now);
  void scan(BootTime now);
  void look(BootTime now);
  void tell_what_is_missing(const std::map<std::string, Error>& from_sessions);
  void settle(BootTime now);
  void admit(const std::vector<SessionId>& started);
  void watch_again();
  void dismiss();
  void judge(const Session& session, Watched& watched, WallTime wall);
  bool all_was_read();
  std::optional<Error> judge_all();
  std::optional<BootTime> by_file_time(const Session& session, BootTime before) const;
  Observation observe(const Session& session, const Watched& watched, BootTime now) const;
  std::optional<Observation> look_again(const SessionId& id);
  void report(const Transition& transition);
  Event event_about(EventType type, const Session& session, const Verdict& verdict) const;
  void count(const Event& event);
  Nanoseconds scan_interval(BootTime now) const;
  Nanoseconds paid_off_after() const;

  Parts parts_;
  SessionInput input_;
  std::map<SessionId, Watched> watched_;
  std::vector<Session> leaving_;  // ended since the last turn, not yet told
  BootTime last_scan_{};
  BootTime next_scan_{};
  BootTime eager_until_{};
  BootTime next_judgement_{};
  SharedVerdicts verdicts_;
  std::optional<std::uint64_t> judged_;  // Limits::changes() when all were judged last
  WallTime judged_in_{};                 // the minute of that
  SessionId judged_last_;                // where the rotation goes on
  Nanoseconds scan_cost_{0};             // of the kernel's table alone
  Nanoseconds whole_cost_{0};            // with all that was made of it
  Stall stall_;
  // The scan that look_again() answers from, for the decisions of one moment, and when it was made.
  std::optional<std::vector<Leader>> second_look_;
  BootTime second_look_at_{};
  std::map<std::string, std::string> degraded_;
  std::set<std::string> missing_;   // what "sessions" is degraded by
  std::optional<Error> unsettled_;  // what kept back a verdict
  Counters counters_;
  std::uint64_t ended_inputs_ = 0;
  std::uint64_t ended_replies_ = 0;
};

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// The state machine: active -> warned -> expired -> ended. It decides from observations alone, acts
// only through a Terminator, and reports what happened as transitions. One step never blocks.
//
// Safety, in the order of weight: a decision is taken twice, the second time on facts that the
// caller read again after the first; in audit mode (or for a rule with action = "alert") the
// Terminator is never called; nothing protected is ever touched; at most `max_per_minute` sessions
// are begun to be ended in any 60 seconds, the rest are held.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "enforce/terminator.h"
#include "limits/limit.h"
#include "sessions/session.h"

namespace idlewarden {

enum class State { active, warned, expired, held, ending, ended };
std::string_view to_string(State state);

// One live session as the daemon sees it now.
struct Observation {
  const Session* session = nullptr;
  const Verdict* verdict = nullptr;
  // The last input (or output, where it counts), never before the session's clock_start.
  BootTime last_activity{};
  bool job_running = false;  // a command of verdict->jobs is in the foreground
};

enum class Happened { warned, resumed, would_terminate, terminated, terminate_failed, held };
std::string_view to_string(Happened happened);

enum class Cause { idle, max_session };
std::string_view to_string(Cause cause);

struct Transition {
  Happened happened = Happened::warned;
  SessionId session;
  Cause cause = Cause::idle;
  Nanoseconds idle{0};
  Seconds limit{0};
  Nanoseconds lateness{0};  // terminated: from the deadline to the observed end
  std::string detail;       // terminate_failed, held: why; terminated: which steps it took
};

// A second look at one session, straight from the kernel: nullopt when it is not there any more.
using Recheck = std::function<std::optional<Observation>(const SessionId&)>;

class Warden {
 public:
  struct Settings {
    int max_per_minute = 60;
    std::set<pid_t> protected_leaders;  // the daemon's own ancestors
  };
  Warden(Terminator& terminator, Settings settings);
  ~Warden();

  struct Step {
    std::vector<Transition> transitions;
    // When to call again at the latest; nullopt: nothing is pending, the next scan will do.
    std::optional<BootTime> wake;
  };
  // `all` holds every live session; a session that is missing from it has ended. Before anything is
  // done to a session, `recheck` is asked (once a session and step).
  Step step(BootTime now, const std::vector<Observation>& all, const Recheck& recheck);

  State state(const SessionId& id) const;  // active if unknown
  void set_max_per_minute(int n);
  // pidfds of leaders that are being ended: when one becomes readable, step() is due at once.
  std::vector<int> leader_fds() const;

 private:
  struct Entry;
  std::map<SessionId, Entry> entries_;
  Terminator& terminator_;
  Settings settings_;
  std::vector<BootTime> begun_;  // of the last 60 s
};

// The limit that holds now and since when the session counts as idle; shared with what is shown.
std::optional<Seconds> limit_now(const Observation& o);
// {user} {tty} {idle} {left} {limit} {source} replaced; unknown names stay as they are; the result
// is printable text with CR LF line ends, for a tty in any mode.
std::string render_message(const std::string& text, const Observation& o, Nanoseconds idle);

}  // namespace idlewarden

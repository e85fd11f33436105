// SPDX-License-Identifier: Apache-2.0
// The state machine: active -> warned -> expired -> ending -> ended. It decides from observations
// alone, acts only through a Terminator, and reports what happened as transitions. One step never
// blocks.
//
// Safety, in the order of weight: a decision is taken twice, the second time on facts that the
// caller read again after the session was seized; in audit mode (or for a rule with action =
// "alert") and for a protected session the Terminator is never called (but once by adopt(), to look
// at what an earlier daemon began); at most `max_per_minute` sessions are begun to be ended in any
// 60 seconds, the longest overdue first, the rest are held.
//
// - Audit: `would_terminate` at the limit, once for each idle period. There is no `warned`, neither
//   state nor transition, because nobody is warned. Protected sessions are reported the same way.
// - Enforce: the warning, at limit - warn, then the last message and, 80 ms later so that it is
//   read before the line is cut, at the limit the hang-up. Either message makes it State::warned. A
//   session that passes its limit unwarned (the limit was tightened, a job ended, audit became
//   enforce, the machine slept) is warned first and has `warn` from then on.
// - A session without a terminal is ended at its limit without a warning.
// - What has begun with a hang-up is finished, whatever a reload says: a session that is half ended
//   is of use to nobody. From then on the hold on it tells whether it lives, not the caller's list:
//   a leader that survives its hang-up has lost its tty and is missing there. With a book
//   (endings_book.h) that outlives the daemon, the next daemon finishes it; only in audit mode it
//   does no more than say how it found it.
// - Input takes everything before the hang-up back: `resumed`, if anything had been announced. So
//   does a limit that no longer asks for the end.
#pragma once

#include <array>
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
  // The last input (or output, where it counts), or the moment from which input is known.
  BootTime last_activity{};
  bool job_running = false;  // a command of verdict->jobs is in the foreground
  // Where last_activity is only when it was found: when it was really last used, by the time of its
  // tty's file. For reports: its user can set it (sessions/tty_time.h).
  std::optional<BootTime> by_file_time = std::nullopt;
};

enum class Happened { warned, resumed, would_terminate, terminated, terminate_failed, held };
std::string_view to_string(Happened happened);

enum class Cause { idle, max_session };
std::string_view to_string(Cause cause);

// What will end a session: of its idle limit and its whole length the one that comes first.
struct Due {
  Cause cause = Cause::idle;
  Seconds limit{0};
  BootTime since{};     // idle: the last activity; max_session: the login
  BootTime at{};        // since + limit
  Nanoseconds warn{0};  // before `at`; at most half of the limit; none without a tty

  BootTime warn_at() const { return at - warn; }
};
// nullopt: nothing will. A last activity that lies in the future, or before the boot, is no
// measurement and counts as now.
std::optional<Due> due(const Observation& o, BootTime now);
// The idle limit that holds now: job_limit in place of limit while a job runs. 0 is no limit.
std::optional<Seconds> limit_now(const Observation& o);
// Since the last activity, as due() understands it.
Nanoseconds idle_time(const Observation& o, BootTime now);

struct Transition {
  Happened happened = Happened::warned;
  SessionId session;
  Cause cause = Cause::idle;
  Nanoseconds idle{0};
  Seconds limit{0};
  // terminated: from the deadline to the observed end of the leader; nullopt: that was not seen.
  std::optional<Nanoseconds> lateness = std::nullopt;
  // terminate_failed, held: why; terminated: the steps it took; warned: why nothing could be
  // written; would_terminate: why it would be spared; resumed: what took it back, if not input.
  std::string detail;
};

// A second look at one session, straight from the kernel: nullopt when it is not there any more.
using Recheck = std::function<std::optional<Observation>(const SessionId&)>;

struct BegunEnding;
class EndingsBook;

class Warden {
 public:
  struct Settings {
    int max_per_minute = 60;
    std::set<pid_t> protected_leaders;  // the daemon's own ancestors; itself and pid 1 always are
    BootTime protected_since = BootTime::max();  // who began later only has the pid of one
  };
  // `book`, if there is one, has what is begun before it is, until it is told().
  Warden(Terminator& terminator, Settings settings, EndingsBook* book = nullptr);
  ~Warden();
  Warden(const Warden&) = delete;
  Warden& operator=(const Warden&) = delete;

  struct Step {
    std::vector<Transition> transitions;
    // When to call again at the latest; nullopt: nothing is pending, the next scan will do.
    std::optional<BootTime> wake;
  };
  // `all` holds every live session; a session that is missing from it has ended, unless it is being
  // ended. Before anything is done to a session or reported of it, `recheck` is asked, at most once
  // for each session in a step.
  Step step(BootTime now, const std::vector<Observation>& all, const Recheck& recheck);

  // What an earlier daemon has begun, before the first step. It is State::ending from then on; or
  // nothing more is done (`hands_off`, or doubt) and the answer says how it was found; or neither:
  // its hang-up was never reached, so the session is one like any other.
  std::optional<Transition> adopt(const BegunEnding& begun, bool hands_off, BootTime now);
  // The end of this session was reported.
  void told(const SessionId& id);

  State state(const SessionId& id) const;  // active if unknown
  void set_max_per_minute(int n);
  // pidfds of leaders that are being ended: when one becomes readable, step() is due at once.
  std::vector<int> leader_fds() const;

 private:
  struct Entry;
  struct Round;
  struct Told;
  struct Second {
    Observation o;
    Due due;
  };
  void judge(Entry& entry, Observation o, Round& round);
  void judge_untouchable(Entry& entry, const Observation& o, const Due& d, Round& round);
  std::optional<Second> look_again(Entry& entry, const SessionId& id, const Due& first,
                                   bool hands_off, Round& round);
  static bool comes_again(const Error& why, Told& told, Round& round);
  void warn(Entry& entry, const Observation& o, const Due& first, Round& round);
  void come_to_the_end(Entry& entry, const Observation& o, const Due& d, Round& round);
  void speak(Entry& entry, const Observation& o, const Due& first, Round& round);
  void expire(Entry& entry, const Observation& o, const Due& first, Round& round);
  void hold(Entry& entry, const Observation& o, const Due& first, Round& round);
  void say_farewell(Entry& entry, const Observation& o, const Due& d, Grip& grip, Round& round);
  void begin(Entry& entry, const Observation& o, const Due& d, std::unique_ptr<Grip> grip,
             Round& round);
  void fail(Entry& entry, const Observation& o, const Due& d, const Error& why, Round& round);
  void advance(const SessionId& id, Entry& entry, Round& round);
  bool is_protected(const SessionId& id) const;
  bool untouchable(const Observation& o) const;
  void put_off(Entry& entry);
  bool cap_reached() const;

  std::map<SessionId, Entry> entries_;
  Terminator& terminator_;
  Settings settings_;
  EndingsBook* book_;
  std::vector<BootTime> begun_;  // of the last 60 s
};

// {user} {tty} {reason} {advice} {idle} {left} {limit} {source} replaced; unknown names stay as
// they are. The result is printable text in lines of its own that end in CR LF, for a tty in any
// mode; empty if `text` is.
std::string render_message(const std::string& text, const Observation& o, const Due& due,
                           BootTime ends_at, BootTime now);

}  // namespace idlewarden

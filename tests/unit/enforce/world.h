// SPDX-License-Identifier: Apache-2.0
// A made-up host for the property test: what is true (who typed when, which process lives), what
// the warden is shown of it (a list that lags behind), and what must never happen. The rules are
// written down here a second time, from the truth and not from the warden's own reckoning. The
// daemon can be killed at any place of a turn; the next one has only the book of begun ends.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "enforce/endings_book.h"
#include "enforce/warden.h"
#include "support/temp_dir.h"

namespace idlewarden::test {

// One thing that happens; `who`, `how` and `more` are random numbers that each kind reads its way.
struct Op {
  enum Kind : std::uint8_t {
    pass_time,
    type,
    type_unseen,
    print,
    job,
    scan,
    log_in,
    log_out,
    lose_tty,
    reload,
    reload_all,
    cap,
    suspend,
    fault,
    stick_host,
    restart,
    kinds
  };
  Kind kind = pass_time;
  std::uint32_t who = 0;
  std::uint32_t how = 0;
  std::uint32_t more = 0;
};

class World final : public Terminator {
 public:
  explicit World(bool tracing) : tracing_(tracing) { start_daemon(false); }

  void apply(const Op& op);
  // The first rule that was broken; empty so far.
  const std::string& violation() const { return violation_; }
  const std::vector<std::string>& trace() const { return trace_; }

  struct Counts {
    std::uint64_t steps = 0, hang_ups = 0, warnings = 0, reports = 0, held = 0, failures = 0,
                  resumed = 0, terminated = 0, host_signals = 0, farewells = 0, restarts = 0,
                  adopted = 0;
  };
  Counts counts;

  Result<std::unique_ptr<Grip>> seize(const Session& session) override;
  Result<std::unique_ptr<Grip>> seize_again(const Session& session) override;
  Result<std::string> cgroup_of(pid_t process) const override;

 private:
  class WorldGrip;
  enum Fault { none, no_seizure, gone, no_write, no_hang_up, no_second_look, faults };
  static constexpr pid_t kProtected = 7;
  static constexpr std::size_t kMostLives = 6;
  static constexpr Nanoseconds kLate = std::chrono::milliseconds(300);  // a step, at most
  static constexpr Nanoseconds kTolerance = std::chrono::seconds(1);
  static constexpr Nanoseconds kTimeToRead = std::chrono::milliseconds(80);

  struct Life {
    Session session;
    Verdict verdict;
    BootTime last_activity{};
    BootTime shown_activity{};  // in the list
    bool job_running = false;
    bool alive = true;    // the leader
    bool has_tty = true;  // or is there, if it never had one
    int survives = 0;     // 0: nothing, 1: the hang-up, 2: SIGTERM too, 3: even SIGKILL
    Fault fault = none;
    BootTime disturbed_at{};  // a rule changed, or a fault was mended and its last retry is due
    // What was done and said.
    std::optional<BootTime> warned_at;
    bool announced = false;
    std::optional<BootTime> last_words_at;  // written, or tried to
    bool last_words_read = false;
    std::uint64_t last_words_in = 0;  // the number of a step
    std::optional<BootTime> hung_up_at;
    bool owed = false;                   // hung up, and its end not told
    std::optional<BootTime> counted_at;  // with the last message, for the cap
    Verdict verdict_then;
    bool terminated = false;
    bool failed = false;
    std::vector<std::pair<int, BootTime>> signals;
    std::set<std::tuple<Happened, Cause, BootTime>> said;
    std::uint64_t seized_in = 0;  // the number of a step
    std::uint64_t looked_at_in = 0;

    std::string cgroup;

    bool no_pty() const { return session.id.tty == 0; }
    bool has_last_words() const { return !no_pty() && !verdict.messages.end.empty(); }
    // A new daemon knows nothing of what was said and done.
    void begin_anew() {
      hung_up_at.reset();
      warned_at.reset();
      announced = failed = terminated = false;
      said.clear();
    }
    void disturb(BootTime until) { disturbed_at = std::max(disturbed_at, until); }
  };
  struct Host {
    bool alive = true;
    bool stuck = false;
    bool survives_term = false;
  };
  struct Deadline {
    Cause cause;
    BootTime since, at, warn_at;
    Nanoseconds warn;
  };

  // What happens.
  void pass(Nanoseconds time);
  void step();
  void step_once();
  void turn();
  void start_daemon(bool hands_off);
  void take_over(const BegunEnding& begun, bool hands_off);
  void kill_daemon();
  void place();
  void log_in(const Op& op);
  void set_policy(Life& life, std::uint32_t how, std::uint32_t more);
  void rescan();
  std::optional<Observation> look(const SessionId& id);
  void die(Life& life);
  void tell(const Transition& t);
  // What must hold.
  void check_transition(Life& life, const Transition& t);
  void check_turn(const Life& life);
  void check_hang_up(const Life& life);
  void check_punctuality(const Life& life);
  void check_nothing_owed_is_forgotten();
  void break_rule(const Life& life, const std::string& rule);
  // What is true.
  std::optional<Deadline> deadline(const Life& life) const;
  static bool untouchable(const Life& life);
  bool overdue(const Life& life, BootTime at) const;
  bool shares_host(const Life& life) const;
  bool shares_cgroup(const Life& life) const;
  bool leftover_on_host(const Life& life) const;
  bool lately(BootTime t) const { return now_ - t < std::chrono::minutes(1); }
  std::ptrdiff_t begun_lately() const {
    return std::ranges::count_if(hang_ups_, [&](BootTime t) { return lately(t); });
  }
  std::ptrdiff_t at_least_begun(const Life& but) const;
  std::ptrdiff_t at_most_begun() const;
  BootTime end_of(const Life& life, const Deadline& d) const;
  Life* find(const SessionId& id);
  Life* pick(std::uint32_t who);
  void note(const Life* life, const std::string& text);

  bool tracing_;
  BootTime now_ = BootTime(std::chrono::seconds(1000));
  int cap_ = 60;
  std::uint32_t jitter_ = 0;
  std::list<Life> lives_;
  std::vector<Observation> list_;
  std::vector<SessionId> listed_;
  std::array<Host, 9> hosts_{};  // the first stands for none
  std::vector<BootTime> hang_ups_;
  std::optional<BootTime> wake_;
  std::uint64_t step_number_ = 0;
  std::string violation_;
  std::vector<std::string> trace_;
  struct Killed {};
  std::optional<std::uint32_t> places_left_;  // until the daemon is killed
  std::uint32_t down_for_ms_ = 0;
  bool hands_off_next_ = false;
  std::unique_ptr<EndingsBook> book_;
  std::unique_ptr<Warden> warden_;
};

// ------------------------------------------------------------------------------ what is done to it

inline void World::apply(const Op& op) {
  using std::chrono::milliseconds;
  jitter_ = op.more;
  Life* life = pick(op.who);
  const auto act = [&](const char* what) {
    note(life, what);
    life->disturb(now_);
  };
  switch (op.kind) {
    case Op::pass_time: {
      constexpr std::uint32_t kSpans[] = {500, 500, 5000, 40000};
      return pass(milliseconds(op.how % kSpans[op.who % 4]));
    }
    case Op::log_in: log_in(op); break;
    case Op::scan: rescan(); break;
    case Op::cap:
      cap_ = std::array{0, 1, 2, 60}[op.how % 4];
      note(nullptr, fmt::format("cap {}", cap_));
      warden_->set_max_per_minute(cap_);
      for (Life& l : lives_) l.disturb(now_);
      break;
    case Op::suspend:
      now_ += std::chrono::minutes(1 + op.how % 600);
      note(nullptr, "the machine slept");
      for (Life& l : lives_) l.disturb(now_);
      break;
    case Op::restart:
      down_for_ms_ = op.more % 5000;
      hands_off_next_ = op.who % 8 == 0;
      // Between two turns, or at some place of one.
      if (op.how % 3 == 0) {
        kill_daemon();
      } else {
        places_left_ = op.how / 3 % 12;
      }
      break;
    case Op::reload_all:
      for (Life& l : lives_) set_policy(l, op.how, op.more);
      break;
    default:
      if (life == nullptr) return;
      switch (op.kind) {
        case Op::type:
        case Op::type_unseen:
          if (!life->has_tty) return;
          note(life, "types");
          life->last_activity = now_;
          if (op.kind == Op::type) life->shown_activity = now_;
          return;
        case Op::print:
          if (!life->has_tty || !life->verdict.output_counts) return;
          note(life, "prints");
          life->last_activity = now_;
          return;
        case Op::job:
          act("starts or ends a job");
          life->job_running = !life->job_running;
          break;
        case Op::log_out:
          note(life, "logs out");
          die(*life);
          return;
        case Op::lose_tty:
          if (life->no_pty()) return;
          note(life, "loses its tty");
          life->has_tty = false;
          return;
        case Op::reload: set_policy(*life, op.how, op.more); break;
        case Op::fault:
          life->fault = op.how % 2 == 0 ? none : static_cast<Fault>(op.how / 2 % faults);
          act(fmt::format("has fault {}", static_cast<int>(life->fault)).c_str());
          // What failed is tried again after at most a minute.
          life->disturb(now_ + std::chrono::minutes(1));
          break;
        case Op::stick_host: {
          Host& host = hosts_[static_cast<std::size_t>(life->session.host)];
          host.stuck = op.how % 2 != 0;
          host.survives_term = op.how % 4 > 1;
          note(life, host.stuck ? "has a stuck host" : "has a host that drains");
          break;
        }
        default: break;
      }
  }
  step();
}

// Time passes, and the warden is called when it asked for it, a little late, and at the end.
inline void World::pass(Nanoseconds time) {
  const BootTime end = now_ + time;
  const Nanoseconds late = kLate * static_cast<int>(jitter_ % 4) / 3;
  while (violation_.empty() && wake_ && *wake_ + late <= end) {
    const BootTime before = now_;
    now_ = std::max(now_, *wake_ + late);
    step();
    if (now_ == before && wake_ && *wake_ <= now_) return break_rule(lives_.front(), "it spins");
  }
  now_ = std::max(now_, end);
  step();
}

inline void World::step() {
  step_once();
  // A descriptor of a leader that has ended wakes the daemon.
  for (int i = 0; i < 8; ++i) {
    const auto fds = warden_->leader_fds();
    const bool ended = std::ranges::any_of(lives_, [&](const Life& l) {
      return l.hung_up_at && !l.alive && !l.terminated &&
             std::ranges::count(fds, l.session.id.leader) != 0;
    });
    // Or it asked for another turn at once.
    if (!ended && (!wake_ || *wake_ > now_)) break;
    step_once();
  }
  if (wake_ && *wake_ <= now_) break_rule(lives_.front(), "asks to be called again for ever");
  for (const Life& life : lives_) check_punctuality(life);
  std::erase_if(lives_, [&](const Life& l) {
    return !l.alive && !l.owed && std::ranges::count(listed_, l.session.id) == 0;
  });
}

inline void World::step_once() {
  try {
    turn();
  } catch (const Killed&) {
    kill_daemon();
    step_once();
  }
}

inline void World::turn() {
  ++step_number_;
  ++counts.steps;
  list_.clear();
  for (const SessionId& id : listed_) {
    const Life& l = *find(id);
    list_.push_back({&l.session, &l.verdict, l.shown_activity, l.job_running});
  }
  auto result = warden_->step(now_, list_, [this](const SessionId& id) { return look(id); });
  wake_ = result.wake;
  for (const Transition& t : result.transitions) tell(t);
}

inline void World::tell(const Transition& t) {
  Life& life = *find(t.session);
  if (tracing_) {
    note(&life, fmt::format("-> {} ({}) {}", to_string(t.happened), to_string(t.cause), t.detail));
  }
  check_transition(life, t);
  if (t.happened != Happened::terminated) return;
  place();
  warden_->told(t.session);
  life.owed = false;
  place();
}

// A place at which the daemon may be killed: around whatever it does or says.
inline void World::place() {
  if (places_left_ && (*places_left_)-- == 0) throw Killed{};
}

inline void World::rescan() {
  listed_.clear();
  for (Life& l : lives_) {
    l.shown_activity = l.last_activity;
    if (l.alive && l.has_tty) listed_.push_back(l.session.id);
  }
}

inline void World::log_in(const Op& op) {
  const auto living = std::ranges::count_if(lives_, [](const Life& l) { return l.alive; });
  if (living >= static_cast<std::ptrdiff_t>(kMostLives)) return;
  Life life;
  // Few pids and addresses, so that they are reused all the time; never at the same moment.
  life.session.id = {static_cast<pid_t>(2 + op.how % 8), now_, 1 + op.who % 8};
  // No leader of a channel has the pid of an sshd.
  if (op.who / 8 % 8 == 0) life.session.id = {static_cast<pid_t>(20 + op.how % 8), now_, 0};
  for (const Life& l : lives_) {
    if (l.session.id == life.session.id) return;
    if (l.alive && l.session.id.leader == life.session.id.leader) return;
    if (!life.no_pty() && l.alive && l.has_tty && l.session.id.tty == life.session.id.tty) return;
  }
  life.session.host = static_cast<pid_t>(1 + op.more % (hosts_.size() - 1));
  if (Host& host = hosts_[static_cast<std::size_t>(life.session.host)]; !host.alive) host = {};
  life.session.clock_start = life.last_activity = life.shown_activity = now_;
  life.cgroup = fmt::format("/session-{}.scope", op.more / 32 % 4);
  life.survives = op.more % 16 < 12 ? 0 : static_cast<int>(op.more % 4);
  if (tracing_)
    life.session.user = fmt::format("session {}-{}", life.session.id.leader, step_number_);
  life.verdict.messages = {"warn", op.more / 16 % 2 == 0 ? "" : "end"};
  lives_.push_back(std::move(life));
  const Life& in = lives_.back();
  note(&in, fmt::format("logs in, pid {}, {}, host {}, survives {}{}", in.session.id.leader,
                        in.no_pty() ? "no tty" : fmt::format("tty {}", in.session.id.tty),
                        in.session.host, in.survives,
                        in.has_last_words() ? ", to be told of its end" : ""));
  set_policy(lives_.back(), op.how >> 8, op.more >> 8);
  rescan();
}

inline void World::set_policy(Life& life, std::uint32_t how, std::uint32_t more) {
  constexpr std::array kLimits{0, 10, 10, 20, 60, 300};
  Verdict& v = life.verdict;
  v.mode = how % 4 == 0 ? Mode::audit : Mode::enforce;
  v.action = (how >> 2) % 8 == 0 ? Action::alert : Action::terminate;
  const int limit = kLimits[(how >> 5) % kLimits.size()];
  v.limit = limit == 0 ? std::nullopt : std::optional(Seconds(limit));
  v.warn = Seconds(std::array{0, 1, 5, 30}[(how >> 9) % 4]);
  v.grace = Seconds(std::array{0, 1, 5, 5}[(how >> 11) % 4]);
  v.kill_survivors = (how >> 13) % 4 == 0;
  v.output_counts = (how >> 15) % 4 == 0;
  v.job_limit = more % 2 == 0 ? std::nullopt : std::optional(Seconds(100));
  v.max_session = (more >> 1) % 4 != 0 ? std::nullopt : std::optional(Seconds(120));
  life.disturb(now_);
  note(&life, fmt::format("{} {}, limit {} s, warn {} s, grace {} s, job limit {}, max {}",
                          to_string(v.mode), to_string(v.action), limit, v.warn.count(),
                          v.grace.count(), v.job_limit ? 100 : 0, v.max_session ? 120 : 0));
}

inline void World::die(Life& life) {
  life.alive = life.has_tty = false;
  // Without a tty, and with nothing left to send, the host process goes as well.
  Host& host = hosts_[static_cast<std::size_t>(life.session.host)];
  if (!host.stuck && !shares_host(life)) host.alive = false;
}

}  // namespace idlewarden::test

#include "world_daemon.h"
#include "world_grip.h"
#include "world_rules.h"

// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "base/shortage.h"
#include "daemon/version.h"
#include "sessions/console.h"
#include "sessions/no_pty.h"
#include "sessions/tty_time.h"

namespace idlewarden {
namespace {

constexpr Nanoseconds kScanWithHook = Seconds(2);
constexpr Nanoseconds kScanOfSampler = Seconds(1);
// After a pty was made, for so long, so often.
constexpr Nanoseconds kEagerFor = Seconds(2);
constexpr Nanoseconds kScanEager = std::chrono::milliseconds(250);
// Between two scans of which somebody else chooses the moment.
constexpr Nanoseconds kScanOnNews = std::chrono::milliseconds(50);
// Scans may take at most this part of a CPU: where they are dear they are made less often, and
// whoever makes ptys in a loop gains nothing by it. Without a hook they are how input is known, so
// each second that they are apart is one by which an end may be late.
constexpr int kScanShare = 1000;
constexpr int kScanShareOfSampler = 250;
constexpr int kEagerShare = 100;
// With all that a scan leads to (who is there, what is new, whose limit is what) they may take this
// part: a login costs its sshd and its shell many times as much. But for that they are never
// further apart: a crowd that logs in is no reason to look away for minutes.
constexpr int kWholeShare = 10;
constexpr Nanoseconds kScanInACrowd = Seconds(30);
// How often `hours` of the rules are looked at again, and for so many sessions the groups: on most
// hosts for all of them, and a bounded cost on the others.
constexpr Nanoseconds kJudgeEvery = Seconds(20);
constexpr Nanoseconds kJudgeAgain = Seconds(1);
constexpr std::size_t kJudgedInRotation = 64;
// A turn that reports many sessions takes a while; each is decided on a scan no older than this.
constexpr Nanoseconds kSecondLookLasts = std::chrono::milliseconds(100);

bool is(const Leader& leader, const SessionId& id) {
  return leader.pid == id.leader && leader.start == id.start && leader.tty &&
         leader.tty->address == id.tty;
}

Nanoseconds left_of_minute(WallTime wall) {
  constexpr std::chrono::minutes kMinute(1);
  return std::chrono::floor<std::chrono::minutes>(wall) + kMinute - wall;
}

bool in(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

EventType event_type(Happened happened) {
  switch (happened) {
    case Happened::warned: return EventType::warned;
    case Happened::resumed: return EventType::resumed;
    case Happened::would_terminate: return EventType::would_terminate;
    case Happened::terminated: return EventType::terminated;
    case Happened::terminate_failed: return EventType::terminate_failed;
    case Happened::held: return EventType::held;
  }
  std::unreachable();
}

}  // namespace

Monitor::Monitor(Parts parts) : parts_(std::move(parts)), input_(parts_.source, parts_.meter) {
  const std::vector<double> short_times{0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5};
  counters_.lateness = Histogram({0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15});
  counters_.scan_seconds = Histogram(short_times);
  counters_.decision_seconds = Histogram(short_times);
  counters_.last_reload_ok = parts_.clock.wall();
}

Nanoseconds Monitor::scan_interval(BootTime now) const {
  const bool sampled = parts_.source.backend() == Backend::sampler;
  const Nanoseconds usual = sampled ? std::max(kScanOfSampler, scan_cost_ * kScanShareOfSampler)
                                    : std::max(kScanWithHook, scan_cost_ * kScanShare);
  const Nanoseconds eager = std::max(kScanEager, scan_cost_ * kEagerShare);
  return std::max(now < eager_until_ ? std::min(usual, eager) : usual, paid_off_after());
}

Nanoseconds Monitor::paid_off_after() const {
  return std::min(whole_cost_ * kWholeShare, kScanInACrowd);
}

BootTime Monitor::pty_made() {
  const BootTime now = parts_.clock.now();
  eager_until_ = now + kEagerFor;
  next_scan_ = std::min(next_scan_, now + scan_interval(now));
  return next_scan_;
}

void Monitor::logind_changed() {
  pty_made();
  // At once, but for whoever logs in and out in a loop.
  next_scan_ = std::min(
      next_scan_, last_scan_ + std::max({kScanOnNews, scan_cost_ * kEagerShare, paid_off_after()}));
}

// Without a tty it is no session to the table, but one that is being ended, as if it had just left.
void Monitor::adopt(const BegunEnding& begun) {
  const SessionId& id = begun.session.id;
  const bool audit = parts_.limits.policy().mode == Mode::audit;
  const auto found = parts_.warden.adopt(begun, audit, parts_.clock.now());
  if (!found && parts_.warden.state(id) != State::ending) return;
  parts_.table.hung_up(id);
  leaving_.push_back(begun.session);
  watched_[id].verdict = std::make_shared<const Verdict>(begun.verdict);
  if (!found) return;
  report(*found);
  parts_.warden.told(id);
}

BootTime Monitor::tick() {
  const BootTime now = parts_.clock.now();
  if (stall_.noticed(now)) read_all_again_after_a_stall(now);
  const bool scanned = now >= next_scan_;
  if (scanned) scan(now);
  if (now >= next_judgement_) judge_all();

  std::vector<Observation> all;
  all.reserve(watched_.size());
  // Both ascend by the session's id.
  auto next = parts_.table.sessions().begin();
  const auto end = parts_.table.sessions().end();
  for (const auto& [id, watched] : watched_) {
    while (next != end && next->first < id) ++next;
    if (next == end) break;
    if (next->first == id) all.push_back(observe(next->second, watched, now));
  }
  second_look_.reset();
  const Warden::Step step =
      parts_.warden.step(now, all, [this](const SessionId& id) { return look_again(id); });
  for (const Transition& transition : step.transitions) {
    report(transition);
    // Its processes are gone: the next scan makes that known without waiting for its turn.
    if (transition.happened == Happened::terminated) next_scan_ = now;
  }
  if (parts_.looked && scanned && !degraded_.contains("scan_failed")) parts_.looked(now, all);
  counters_.decision_seconds.observe(to_seconds(parts_.clock.now() - now));
  dismiss();
  const BootTime due = step.wake ? std::min(*step.wake, next_scan_) : next_scan_;
  stall_.expect(due);
  return due;
}

void Monitor::read_all_again_after_a_stall(BootTime now) {
  next_scan_ = next_judgement_ = now;
  if (!stall_.settling(now)) return;
  parts_.warn(
      fmt::format("a turn came {:.1f} s late: the daemon was stopped or starved, or the "
                  "machine slept; everything is read again before anything is decided",
                  to_seconds(stall_.lateness())));
}

void Monitor::scan(BootTime now) {
  const bool first = last_scan_ == BootTime{};
  const Nanoseconds spent = parts_.clock.cpu();
  look(now);
  // What a start finds is nobody's doing.
  if (!first) whole_cost_ = (whole_cost_ * 7 + parts_.clock.cpu() - spent) / 8;
  last_scan_ = now;
  next_scan_ = now + scan_interval(now);
}

void Monitor::look(BootTime now) {
  const Nanoseconds spent = parts_.clock.cpu();
  auto leaders = parts_.source.scan();
  input_.sample();
  counters_.scan_seconds.observe(to_seconds(parts_.clock.now() - now));
  // A busy host is no reason to look away: what was waited is no cost, and one dear scan is no
  // rule.
  scan_cost_ = (scan_cost_ * 7 + parts_.clock.cpu() - spent) / 8;
  if (!leaders) {
    ++counters_.scans_failed;
    set_degraded("scan_failed", leaders.error().text());
    return;
  }
  clear_degraded("scan_failed");
  SessionTable::Change change = parts_.table.update(*leaders, now);
  tell_what_is_missing(change.problems);
  std::ranges::move(change.ended, std::back_inserter(leaving_));
  watch_again();
  admit(change.started);
}

void Monitor::tell_what_is_missing(const std::map<std::string, Error>& from_sessions) {
  std::set<std::string> kinds;
  std::string text;
  for (const auto& [kind, error] : from_sessions) {
    kinds.insert(kind);
    text += (text.empty() ? "" : "; ") + error.text();
  }
  // A sentence for each of a thousand processes would say no more than the first.
  if (kinds != missing_ && !kinds.empty()) set_degraded("sessions", text);
  if (kinds.empty()) clear_degraded("sessions");
  missing_ = std::move(kinds);

  for (const Error& problem : input_.take_problems()) {
    set_degraded("connection_meter",
                 "some sessions without a terminal are never idle: " + problem.text());
  }
  if (!input_.troubled()) clear_degraded("connection_meter");
}

// After some were judged: those that could not be are judged again soon.
void Monitor::settle(BootTime now) {
  const auto unread = std::exchange(unsettled_, std::nullopt);
  if (!unread) return;
  set_degraded("limits_unread",
               "not all that limits rest on could be read; it is tried again, and what was known "
               "before holds meanwhile: " +
                   unread->text());
  next_judgement_ = std::min(next_judgement_, now + kJudgeAgain);
}

// Whatever could not be watched when it was found. Until now it was never idle.
void Monitor::watch_again() {
  bool all = true;
  for (auto& [id, watched] : watched_) {
    const Session* session = watched.watched ? nullptr : parts_.table.find(id);
    if (session == nullptr) continue;
    watched.watched = input_.watch(*session).has_value();
    watched.clock_floor = parts_.clock.now();
    all = all && watched.watched;
  }
  if (all) clear_degraded("watch_failed");
}

// Between the scan that found a session and the moment from which its input is recorded, a key may
// have been pressed unseen. So it is looked at once more afterwards: only if it still has had no
// input at all does its clock start with the session itself, else it starts now.
void Monitor::admit(const std::vector<SessionId>& started) {
  if (started.empty()) return;
  parts_.limits.begin_batch();
  for (const SessionId& id : started) {
    const Session* session = parts_.table.find(id);
    if (session == nullptr) continue;
    Watched& watched = watched_[id];
    const auto watching = input_.watch(*session);
    watched.watched = watching.has_value();
    if (!watching) {
      set_degraded("watch_failed", fmt::format("input on {} cannot be recorded, so it is never "
                                               "idle: {}",
                                               session->tty_name, watching.error().text()));
    }
    judge(*session, watched, parts_.clock.wall());
  }
  parts_.limits.end_batch();
  const auto again = parts_.source.scan();
  const BootTime now = parts_.clock.now();
  settle(now);
  std::set<SessionId> never_typed_in;
  for (const Leader& leader : again.value_or(std::vector<Leader>())) {
    if (leader.no_input_yet && leader.tty) {
      never_typed_in.insert({leader.pid, leader.start, leader.tty->address});
    }
  }
  for (const SessionId& id : started) {
    const Session* session = parts_.table.find(id);
    if (session == nullptr) continue;
    Watched& watched = watched_[id];
    const bool untouched = never_typed_in.contains(id);
    // State that was kept over a restart knows better than the scan that found it.
    const InputSeen seen = input_.seen(*session);
    BootTime since = seen.since.value_or(now);
    if (!session->has_tty()) since = std::max(since, session->clock_start);
    watched.clock_floor =
        std::max(session->id.start, untouched ? std::min(session->clock_start, since)
                                              : seen.last_input.value_or(since));
    if (!untouched && !seen.last_input) {
      watched.by_file_time = by_file_time(*session, watched.clock_floor);
    }
    parts_.emit(event_about(EventType::session_started, *session, *watched.verdict));
  }
}

std::optional<BootTime> Monitor::by_file_time(const Session& session, BootTime before) const {
  if (!session.has_tty()) return std::nullopt;
  const auto read = tty_read_time(parts_.procfs, session.id.leader, session.tty);
  if (!read) return std::nullopt;
  const auto age = std::chrono::duration_cast<Nanoseconds>(parts_.clock.wall() - *read);
  const BootTime at = std::max(session.id.start, parts_.clock.now() - age);
  return at < before ? std::optional(at) : std::nullopt;
}

// Only after the warden's turn, so that the end of a session that it ended is told before the
// session is forgotten. One that is still being ended stays: a leader that survives its hang-up has
// lost its tty, so it is no session to the table any more.
void Monitor::dismiss() {
  for (Session& session : std::exchange(leaving_, {})) {
    if (parts_.warden.state(session.id) == State::ending) {
      leaving_.push_back(std::move(session));
      continue;
    }
    const auto entry = watched_.find(session.id);
    if (entry == watched_.end()) continue;
    // One of an earlier daemon's that is whole after all.
    if (parts_.table.find(session.id) != nullptr) continue;
    const InputSeen seen = input_.seen(session);
    ended_inputs_ += seen.inputs;
    ended_replies_ += seen.replies;
    Event event = event_about(EventType::session_ended, session, *entry->second.verdict);
    event.idle_seconds.reset();
    parts_.emit(event);
    // The tty's record may already belong to a newer session on the same tty.
    const bool reused = std::ranges::any_of(watched_, [&](const auto& other) {
      if (!session.has_tty() || other.first.tty != session.id.tty) return false;
      const Session* newer = parts_.table.find(other.first);
      return newer != nullptr && newer->tty == session.tty;
    });
    if (!reused && entry->second.watched) input_.unwatch(session);
    parts_.limits.forget(session);
    watched_.erase(entry);
  }
}

// While its user's groups cannot be told, it is judged by those that were known; never known, it
// has no limit.
void Monitor::judge(const Session& session, Watched& watched, WallTime wall) {
  watched.judged = false;
  auto groups = parts_.table.groups_of(session);
  const bool known = groups.has_value();
  if (!known) {
    unsettled_ = fail("the groups of " + session.user + " are not known").error();
    groups = watched.groups;
  } else if (session.root !=
             "/") {  // of the host's accounts the table keeps the last answer itself
    watched.groups = groups;
  }
  if (!groups) return;
  watched.verdict =
      verdicts_.share(parts_.limits.resolve(subject_of(session, std::move(*groups)), wall));
  watched.judged = all_was_read() && known;
}

// All that was asked for since the last time.
bool Monitor::all_was_read() {
  auto unread = parts_.limits.take_shortage();
  if (!unread) return true;
  unsettled_ = std::move(unread);
  return false;
}

// Limits can change with the hour and with files that were read again; then all are judged anew.
// They can change with a user's groups and with what a container says too: containers are always
// asked, everybody else in rotation. Returns the first thing that is wrong with the host's files,
// if it is news.
std::optional<Error> Monitor::judge_all() {
  const WallTime wall = parts_.clock.wall();
  next_judgement_ = parts_.clock.now() + kJudgeEvery;
  // Hours begin and end with a minute.
  if (parts_.limits.depends_on_time()) {
    next_judgement_ = std::min(next_judgement_, parts_.clock.now() + left_of_minute(wall));
  }
  unsettled_.reset();
  for (const AcceptingSshd& sshd : parts_.table.listeners()) parts_.limits.learn(sshd);
  all_was_read();
  const auto minute = std::chrono::floor<std::chrono::minutes>(wall);
  const bool hours = parts_.limits.depends_on_time() && judged_in_ != minute;
  judged_in_ = minute;
  const std::uint64_t changes = parts_.limits.changes();
  const bool all = judged_ != changes || hours;
  std::size_t left = kJudgedInRotation;
  const bool wraps = watched_.upper_bound(judged_last_) == watched_.end();
  const SessionId after = wraps ? SessionId{} : judged_last_;
  const auto in_rotation = [&](const SessionId& id) {
    if (left == 0 || id <= after) return false;
    --left;
    judged_last_ = id;
    return true;
  };
  parts_.limits.begin_batch();
  for (auto& [id, watched] : watched_) {
    const Session* session = parts_.table.find(id);
    if (session == nullptr) continue;
    const bool turn = all || !watched.judged || session->root != "/" || in_rotation(id);
    if (turn) judge(*session, watched, wall);
  }
  parts_.limits.end_batch();
  judged_ = changes;
  if (!unsettled_) clear_degraded("limits_unread");
  settle(parts_.clock.now());
  const std::vector<Error> problems = parts_.limits.take_problems();
  if (problems.empty()) return std::nullopt;
  const auto known = degraded_.find("host_files");
  std::string text = known != degraded_.end() ? known->second : "";
  for (const Error& error : problems) {
    const std::string sentence = error.text();
    constexpr std::size_t kEnough = 2000;
    if (text.find(sentence) != std::string::npos || text.size() > kEnough) continue;
    text += (text.empty() ? "the last good reading stays in force: " : "; ") + sentence;
  }
  set_degraded("host_files", text);
  return problems.front();
}

Observation Monitor::observe(const Session& session, const Watched& watched, BootTime now) const {
  Observation o;
  o.session = &session;
  o.verdict = watched.verdict.get();
  o.last_activity = now;
  if (watched.watched) {
    const InputSeen seen = input_.seen(session);
    o.last_activity = std::max(watched.clock_floor, seen.last_input.value_or(BootTime{}));
    if (watched.verdict->output_counts) {
      o.last_activity = std::max(o.last_activity, seen.last_output.value_or(BootTime{}));
    }
  }
  o.job_running = in(watched.verdict->jobs, session.foreground);
  if (o.last_activity == watched.clock_floor) o.by_file_time = watched.by_file_time;
  return o;
}

std::optional<Observation> Monitor::look_again(const SessionId& id) {
  const BootTime now = parts_.clock.now();
  if (stall_.settling(now)) return std::nullopt;
  const Session* session = parts_.table.find(id);
  const auto entry = watched_.find(id);
  if (session == nullptr || entry == watched_.end()) return std::nullopt;
  // Whoever is ended is looked at after its tty was opened: only then what the scan says of the
  // leader's tty is so of the one that was opened.
  const bool lasts =
      entry->second.verdict->reports_only() && now - second_look_at_ <= kSecondLookLasts;
  if (!second_look_ || !lasts) {
    second_look_at_ = now;
    auto leaders = parts_.source.scan();
    if (!leaders) {
      ++counters_.scans_failed;
      set_degraded("scan_failed", leaders.error().text());
      return std::nullopt;
    }
    second_look_ = std::move(*leaders);
  }
  if (!is_there(parts_.procfs, *second_look_, *session)) return std::nullopt;
  // What is typed elsewhere, or may be, is not seen.
  if (!keyboard_reaches(parts_.procfs, session->tty).value_or(false)) return std::nullopt;
  input_.sample(*session);
  Observation o = observe(*session, entry->second, parts_.clock.now());
  const auto leader =
      std::ranges::find_if(*second_look_, [&](const Leader& l) { return is(l, id); });
  const std::vector<std::string>& jobs = entry->second.verdict->jobs;
  if (jobs.empty() || o.job_running) return o;
  if (!session->has_tty()) {
    const ShortageWatch shortage;
    o.job_running = in(jobs, command_name(parts_.procfs, id.leader));
    if (shortage.noted() != 0) return std::nullopt;
  } else if (leader != second_look_->end()) {
    const auto name = parts_.procfs.comm(leader->foreground_pgrp);
    // Unless it is gone, it may be a job.
    if (!name && name.error().code != ENOENT) return std::nullopt;
    o.job_running = name && in(jobs, *name);
  }
  return o;
}

Event Monitor::event_about(EventType type, const Session& session, const Verdict& verdict) const {
  Event event;
  event.type = type;
  event.time = parts_.clock.wall();
  event.session = session.id.text();
  event.kind = to_string(session.kind);
  event.user = session.user;
  event.tty = session.tty_name;
  event.container = session.container;
  if (session.remote) {
    event.remote_addr = session.remote->address;
    event.remote_port = session.remote->port;
  }
  if (verdict.limit) event.limit_seconds = verdict.limit->count();
  if (verdict.decided_by) event.decided_by = to_string(*verdict.decided_by);
  if (const LimitSource* source = verdict.used_source()) event.source = source->where;
  return event;
}

void Monitor::report(const Transition& transition) {
  const Session* session = parts_.table.find(transition.session);
  const auto gone = std::ranges::find(leaving_, transition.session, &Session::id);
  if (session == nullptr && gone != leaving_.end()) session = &*gone;
  const auto entry = watched_.find(transition.session);
  if (session == nullptr || entry == watched_.end()) return;
  Event event = event_about(event_type(transition.happened), *session, *entry->second.verdict);
  event.idle_seconds = to_seconds(transition.idle);
  event.limit_seconds = transition.limit.count();
  event.detail = transition.detail;
  if (transition.cause == Cause::max_session) {
    event.decided_by = to_string(Origin::rule);
    event.detail = "max_session" + (event.detail.empty() ? "" : ": " + event.detail);
  }
  if (transition.happened == Happened::terminated) {
    if (transition.lateness) {
      event.lateness_seconds = to_seconds(*transition.lateness);
      counters_.lateness.observe(*event.lateness_seconds);
    }
  }
  count(event);
  parts_.emit(event);
  if (transition.happened == Happened::terminated) parts_.warden.told(transition.session);
}

void Monitor::count(const Event& event) {
  ++counters_.transitions[std::string(to_string(event.type))][{event.decided_by, event.kind}];
}

Result<void> Monitor::reload(const std::string& cause) {
  const auto loaded = parts_.limits.reload();
  clear_degraded("host_files");
  if (loaded) {
    clear_degraded("policy_rejected");
    parts_.warden.set_max_per_minute(parts_.limits.policy().max_terminations_per_minute);
  } else {
    set_degraded("policy_rejected",
                 "the last good policy stays in force: " + loaded.error().text());
  }
  std::optional<Error> broken = judge_all();
  if (!loaded) broken = loaded.error();

  Event event;
  event.time = parts_.clock.wall();
  event.type = broken ? EventType::config_rejected : EventType::config_reloaded;
  event.detail = cause;
  if (broken) {
    ++counters_.reloads_failed;
    counters_.last_reload_failed = true;
    event.detail = broken->text();
    event.source = broken->where;
  } else {
    ++counters_.reloads_ok;
    counters_.last_reload_failed = false;
    counters_.last_reload_ok = event.time;
  }
  parts_.emit(event);
  if (broken) return std::unexpected(*broken);
  return {};
}

Snapshot Monitor::snapshot() const {
  Snapshot s;
  s.version = version();
  s.wall = parts_.clock.wall();
  s.now = parts_.clock.now();
  s.backend = parts_.source.backend();
  const Policy& policy = parts_.limits.policy();
  s.mode = policy.mode;
  s.per_session_metrics = policy.metrics_per_session;
  s.page = policy.metrics_page;
  s.token_file = policy.metrics_token_file;
  s.max_terminations_per_minute = policy.max_terminations_per_minute;
  s.degraded = degraded_;
  s.counters = counters_;
  s.inputs = ended_inputs_;
  s.replies = ended_replies_;
  for (const auto& [id, watched] : watched_) {
    const Session* session = parts_.table.find(id);
    if (session == nullptr) continue;
    const Observation o = observe(*session, watched, s.now);
    const auto end = due(o, s.now);
    const InputSeen seen = input_.seen(*session);
    s.inputs += seen.inputs;
    s.replies += seen.replies;
    s.sessions.push_back({.session = *session,
                          .last_input = o.last_activity,
                          .idle = std::max(s.now - o.last_activity, Nanoseconds(0)),
                          .limit = limit_now(o),
                          .left = end ? std::optional(end->at - s.now) : std::nullopt,
                          .verdict = watched.verdict,
                          .state = parts_.warden.state(id)});
  }
  return s;
}

void Monitor::set_degraded(const std::string& reason, const std::string& sentence) {
  std::string& known = degraded_[reason];
  if (known != sentence) parts_.warn(sentence);
  known = sentence;
}

void Monitor::clear_degraded(const std::string& reason) {
  degraded_.erase(reason);
}

}  // namespace idlewarden

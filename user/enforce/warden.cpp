// SPDX-License-Identifier: Apache-2.0
#include "enforce/warden.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "enforce/ending.h"
#include "enforce/endings_book.h"

namespace idlewarden {
namespace {

constexpr Nanoseconds kWindow = std::chrono::minutes(1);  // of max_per_minute
constexpr Nanoseconds kRetryFailed = std::chrono::minutes(1);
constexpr Nanoseconds kRetryGone = std::chrono::seconds(1);  // seized in vain: the scan lags behind
constexpr int kInVain = 10;                                  // so often: that is no reason any more
// So much before the hang-up, which drops what has not reached the master's reader yet
// (tty_ldisc_hangup() flushes the driver's buffer), the last message is written.
constexpr Nanoseconds kFarewell = std::chrono::milliseconds(80);
// A warning that comes this much late does not move the end.
constexpr Nanoseconds kWarningSlack = std::chrono::seconds(1);

BootTime ends_at(const Due& d, const std::optional<BootTime>& warned_at) {
  return warned_at ? std::max(d.at, *warned_at + d.warn - kWarningSlack) : d.at;
}

bool has_last_words(const Observation& o) {
  return o.session->has_tty() && !o.verdict->messages.end.empty();
}

// When the last message is due: it is read by the end then.
BootTime speaks_at(const Observation& o, BootTime end) {
  return has_last_words(o) ? end - kFarewell : end;
}

// Nothing is done to the session before this.
BootTime begins_at(const Observation& o, const Due& d) {
  return std::min(d.warn_at(), speaks_at(o, d.at));
}

}  // namespace

// What has been said about one idle period (or, of max_session, one session), so that it is said
// once.
struct Warden::Told {
  BootTime since{};
  bool would_terminate = false;
  bool held = false;
  bool failed = false;
  int in_vain = 0;  // to be tried again at once
  BootTime retry_at{};
};

struct Warden::Entry {
  State state = State::active;
  // What a state other than active is about.
  Cause cause = Cause::idle;
  BootTime since{};
  // What the newest second look knew; the caller's list may lag behind it.
  BootTime known_active{};
  std::optional<BootTime> warned_at;
  std::optional<BootTime> hang_up_at;  // the last message was written; not before this
  BootTime counted_at{};               // for the cap, with hang_up_at
  bool announced = false;  // something that has to be taken back when the session resumes
  std::array<Told, 2> told;
  std::unique_ptr<Ending> ending;
  bool seen = false;  // in the list of this step

  // What makes no sense stays as it is: due() knows what to make of it.
  void update(BootTime& last_activity) const {
    if (last_activity >= BootTime{}) last_activity = std::max(last_activity, known_active);
  }
  // The earliest that what was told already can be about this.
  BootTime told_from(const Due& d) const {
    return hang_up_at ? std::min(d.warn_at(), d.at - kFarewell) : d.warn_at();
  }
  Told& told_of(const Due& d) {
    Told& t = told[static_cast<std::size_t>(d.cause)];
    if (t.since != d.since) t = Told{.since = d.since};
    return t;
  }
  void enter(State next, const Due& d) {
    state = next;
    cause = d.cause;
    since = d.since;
  }
};

// One call of step().
struct Warden::Round {
  BootTime now;
  const std::vector<Observation>& all;
  const Recheck& recheck;
  Step out;
  // Who still has to be counted for the cap, and since when they could be.
  struct InTurn {
    BootTime since{};
    Entry* entry = nullptr;
    Observation o;
    Due due;
  };
  std::vector<InTurn> in_turn;

  // What of that session's, whose end was begun, another one that lives has a part in.
  Ending::Shared shared_with_others(const SessionId& id, const Ending::Plan& plan,
                                    const std::map<SessionId, Entry>& entries,
                                    const Terminator& terminator);
  Result<bool> lives_in(const Session& session, const std::string& scope,
                        const Terminator& terminator);
  std::map<pid_t, Result<std::string>> cgroups;  // read in this step

  void wake(BootTime at) { out.wake = std::min(out.wake.value_or(at), at); }

  Transition& say(Happened happened, const Observation& o, const Due& d, std::string detail = {}) {
    return out.transitions.emplace_back(Transition{.happened = happened,
                                                   .session = o.session->id,
                                                   .cause = d.cause,
                                                   .idle = idle_time(o, now),
                                                   .limit = d.limit,
                                                   .detail = std::move(detail)});
  }

  void postpone(Told& told, Nanoseconds by) {
    told.retry_at = now + by;
    wake(told.retry_at);
  }

  // Takes back what no longer holds for the session.
  void settle(Entry& entry, const Observation& o, const std::optional<Due>& d, bool untouchable) {
    if (entry.state == State::active) return;
    const bool same = d && d->cause == entry.cause && d->since == entry.since;
    const bool warnable = !untouchable || entry.state == State::expired;
    if (same && warnable && now >= (untouchable ? d->at : entry.told_from(*d))) return;
    const bool by_input = entry.cause == Cause::idle && now - idle_time(o, now) != entry.since;
    if (entry.announced) {
      say(Happened::resumed, o, d.value_or(Due{.cause = entry.cause}),
          by_input ? "" : "its limit no longer asks for the end");
    }
    entry.state = State::active;
    entry.announced = false;
    entry.warned_at.reset();
  }
};

Warden::Warden(Terminator& terminator, Settings settings, EndingsBook* book)
    : terminator_(terminator), settings_(std::move(settings)), book_(book) {
  settings_.protected_leaders.insert({1, ::getpid()});
}

Warden::~Warden() = default;

void Warden::set_max_per_minute(int n) {
  settings_.max_per_minute = n;
}

// No hang-up follows the last message: what was counted for it is somebody else's now.
void Warden::put_off(Entry& entry) {
  if (!entry.hang_up_at) return;
  entry.hang_up_at.reset();
  const auto counted = std::ranges::find(begun_, entry.counted_at);
  if (counted != begun_.end()) begun_.erase(counted);
}

bool Warden::cap_reached() const {
  return static_cast<std::ptrdiff_t>(begun_.size()) >= settings_.max_per_minute;
}

std::optional<Transition> Warden::adopt(const BegunEnding& begun, bool hands_off, BootTime now) {
  const SessionId& id = begun.session.id;
  auto grip = terminator_.seize_again(begun.session);
  if (!grip && grip.error().code == EBUSY) {
    told(id);
    return std::nullopt;
  }
  const bool lives = !grip || (*grip)->alive().leader;
  Transition found{.happened = lives ? Happened::terminate_failed : Happened::terminated,
                   .session = id,
                   .cause = begun.plan.cause,
                   .idle = begun.plan.idle,
                   .limit = begun.plan.limit,
                   .detail = "hang-up before the daemon was restarted"};
  if (!grip) {
    found.detail += ", and now: " + grip.error().text();
    return found;
  }
  if (hands_off || is_protected(id)) {
    if (lives) found.detail += "; its leader lives, and now nothing more may be done to it";
    return found;
  }
  Ending::Plan plan = begun.plan;
  plan.resumed = true;
  if (now - begun.hung_up_at < kWindow) begun_.push_back(begun.hung_up_at);
  Entry& entry = entries_[id];
  entry.enter(State::ending, {.cause = plan.cause, .since = plan.deadline - plan.limit});
  entry.ending = std::make_unique<Ending>(std::move(*grip), plan, begun.hung_up_at);
  return std::nullopt;
}

void Warden::told(const SessionId& id) {
  if (book_ != nullptr) book_->strike(id);
}

State Warden::state(const SessionId& id) const {
  const auto it = entries_.find(id);
  return it == entries_.end() ? State::active : it->second.state;
}

std::vector<int> Warden::leader_fds() const {
  std::vector<int> fds;
  for (const auto& [id, entry] : entries_) {
    if (!entry.ending) continue;
    if (const auto fd = entry.ending->leader_fd()) fds.push_back(*fd);
  }
  return fds;
}

Warden::Step Warden::step(BootTime now, const std::vector<Observation>& all,
                          const Recheck& recheck) {
  Round round{.now = now, .all = all, .recheck = recheck, .out = {}, .in_turn = {}, .cgroups = {}};
  std::erase_if(begun_, [&](BootTime t) { return now - t >= kWindow; });
  for (auto& [id, entry] : entries_) {
    entry.seen = false;
    if (entry.ending) advance(id, entry, round);
  }
  auto hint = entries_.begin();  // they mostly come in the order of their ids
  for (const Observation& o : all) {
    if (!o.session || !o.verdict) continue;
    const auto found = entries_.try_emplace(hint, o.session->id);
    hint = std::next(found);
    Entry& entry = found->second;
    if (std::exchange(entry.seen, true)) continue;
    // A leader that survives its hang-up may come again, without its tty: the key just before.
    const bool again =
        hint != entries_.end() && hint->second.ending && o.session->id.same_leader(hint->first);
    if (!again && !entry.ending && entry.state != State::ended) judge(entry, o, round);
  }
  for (auto item = entries_.begin(); item != entries_.end();) {
    const bool stays = item->second.seen || item->second.ending;
    if (!stays) put_off(item->second);
    item = stays ? std::next(item) : entries_.erase(item);
  }
  // Whoever gives a place back has done so by now.
  std::ranges::stable_sort(round.in_turn, {}, &Round::InTurn::since);
  for (const auto& next : round.in_turn) come_to_the_end(*next.entry, next.o, next.due, round);
  return std::move(round.out);
}

bool Warden::is_protected(const SessionId& id) const {
  return settings_.protected_leaders.contains(id.leader) && id.start <= settings_.protected_since;
}

bool Warden::untouchable(const Observation& o) const {
  return o.verdict->reports_only() || is_protected(o.session->id) || o.session->id.leader <= 0;
}

void Warden::judge(Entry& entry, Observation o, Round& round) {
  entry.update(o.last_activity);
  const auto d = due(o, round.now);
  const bool hands_off = untouchable(o);
  round.settle(entry, o, d, hands_off);
  if (entry.state == State::active) put_off(entry);
  if (!d) return;
  if (hands_off) return judge_untouchable(entry, o, *d, round);
  if (const BootTime begin = begins_at(o, *d); round.now < begin) return round.wake(begin);
  const BootTime retry_at = entry.told_of(*d).retry_at;
  if (round.now < retry_at) return round.wake(retry_at);
  if (d->warn.count() > 0 && !entry.warned_at) return warn(entry, o, *d, round);
  // What counts for the cap no more is counted, and told, anew.
  if (entry.hang_up_at && round.now - entry.counted_at >= kWindow) put_off(entry);
  const BootTime end = ends_at(*d, entry.warned_at);
  if (const BootTime begin = speaks_at(o, end); round.now < begin) {
    put_off(entry);  // of an earlier end
    return round.wake(begin);
  }
  if (entry.hang_up_at) return come_to_the_end(entry, o, *d, round);
  // The longest overdue comes first; who has had a try, in vain, behind who waited meanwhile.
  round.in_turn.push_back({std::max(end, retry_at), &entry, o, *d});
}

// At its end, or so shortly before that the last message is due. Until then only that is written:
// what is not possible now is told, and tried again, no earlier than at the end.
void Warden::come_to_the_end(Entry& entry, const Observation& o, const Due& d, Round& round) {
  const BootTime end = ends_at(d, entry.warned_at);
  if (round.now >= end) return expire(entry, o, d, round);
  if (!entry.hang_up_at && !cap_reached()) speak(entry, o, d, round);
  round.wake(entry.hang_up_at.value_or(end));
}

// The second look. nullopt: the session is not there any more, or is not to be treated like this.
std::optional<Warden::Second> Warden::look_again(Entry& entry, const SessionId& id,
                                                 const Due& first, bool hands_off, Round& round) {
  auto fresh = round.recheck(id);
  if (!fresh || !fresh->session || !fresh->verdict || fresh->session->id != id) {
    round.postpone(entry.told_of(first), kRetryGone);
    return std::nullopt;
  }
  entry.update(fresh->last_activity);
  entry.known_active = round.now - idle_time(*fresh, round.now);
  const auto d = due(*fresh, round.now);
  const bool same_hands = untouchable(*fresh) == hands_off;
  round.settle(entry, *fresh, d, untouchable(*fresh));
  if (entry.state == State::active) put_off(entry);
  if (!same_hands) round.wake(round.now + kRetryGone);
  if (!d || !same_hands) return std::nullopt;
  return Second{*fresh, *d};
}

void Warden::judge_untouchable(Entry& entry, const Observation& o, const Due& d, Round& round) {
  put_off(entry);
  if (round.now < d.at) return round.wake(d.at);
  if (entry.told_of(d).would_terminate) return entry.enter(State::expired, d);
  if (round.now < entry.told_of(d).retry_at) return round.wake(entry.told_of(d).retry_at);
  const auto second = look_again(entry, o.session->id, d, true, round);
  if (!second) return;
  if (round.now < second->due.at) return round.wake(second->due.at);
  entry.enter(State::expired, second->due);
  if (std::exchange(entry.told_of(second->due).would_terminate, true)) return;
  entry.announced = true;
  const bool guarded = is_protected(o.session->id);
  round.say(Happened::would_terminate, second->o, second->due,
            guarded ? "spared in every mode: idlewarden itself runs in it" : "");
}

// A session that is not there any more (ESRCH) will be missing from the caller's list soon, and
// what a busy machine did not get to (EAGAIN) is decided anew. One that stays there, and is found
// by the second look too, cannot be ended.
bool Warden::comes_again(const Error& why, Told& told, Round& round) {
  if ((why.code != ESRCH && why.code != EAGAIN) || ++told.in_vain > kInVain) return false;
  round.postpone(told, kRetryGone);
  return true;
}

void Warden::warn(Entry& entry, const Observation& o, const Due& first, Round& round) {
  const auto grip = terminator_.seize(*o.session);
  if (!grip && comes_again(grip.error(), entry.told_of(first), round)) return;
  const auto second = look_again(entry, o.session->id, first, false, round);
  if (!second) return;
  const auto& [fresh, d] = *second;
  if (round.now < d.warn_at()) return round.wake(d.warn_at());

  entry.enter(State::warned, d);
  entry.warned_at = round.now;
  put_off(entry);
  entry.announced = true;
  const BootTime end = ends_at(d, entry.warned_at);
  const std::string text = render_message(fresh.verdict->messages.warn, fresh, d, end, round.now);
  Result<void> said;
  if (!grip) said = std::unexpected(grip.error());
  if (grip && !text.empty()) said = (*grip)->say(text);
  round.say(Happened::warned, fresh, d,
            said ? "" : "the warning could not be written: " + said.error().text());
  round.wake(speaks_at(fresh, end));
}

void Warden::speak(Entry& entry, const Observation& o, const Due& first, Round& round) {
  const auto grip = terminator_.seize(*o.session);
  if (!grip) return;
  const auto second = look_again(entry, o.session->id, first, false, round);
  if (!second) return;
  const auto& [fresh, d] = *second;
  if (d.warn.count() > 0 && !entry.warned_at) return round.wake(d.warn_at());
  const BootTime begin = speaks_at(fresh, ends_at(d, entry.warned_at));
  if (round.now < begin) return round.wake(begin);
  entry.enter(State::warned, d);
  say_farewell(entry, fresh, d, **grip, round);
}

void Warden::expire(Entry& entry, const Observation& o, const Due& first, Round& round) {
  if (!entry.hang_up_at && cap_reached()) return hold(entry, o, first, round);
  if (entry.hang_up_at && round.now < *entry.hang_up_at) return round.wake(*entry.hang_up_at);
  entry.enter(State::expired, first);
  auto grip = terminator_.seize(*o.session);
  if (!grip && comes_again(grip.error(), entry.told_of(first), round)) return;
  const auto second = look_again(entry, o.session->id, first, false, round);
  if (!second) return;
  const auto& [fresh, d] = *second;
  if (entry.state == State::active) return round.wake(begins_at(fresh, d));
  if (const BootTime end = ends_at(d, entry.warned_at); round.now < end) {
    return round.wake(speaks_at(fresh, end));
  }
  if (!grip) {
    put_off(entry);
    return fail(entry, fresh, d, grip.error(), round);
  }
  if (!entry.hang_up_at) say_farewell(entry, fresh, d, **grip, round);
  if (round.now < *entry.hang_up_at) return round.wake(*entry.hang_up_at);
  begin(entry, fresh, d, std::move(*grip), round);
}

// Counted here, so that nobody is told of an end that the cap then puts off.
void Warden::say_farewell(Entry& entry, const Observation& o, const Due& d, Grip& grip,
                          Round& round) {
  begun_.push_back(round.now);
  entry.counted_at = round.now;
  const BootTime end = ends_at(d, entry.warned_at);
  const BootTime then = std::max(round.now, end);
  const std::string text = render_message(o.verdict->messages.end, o, d, end, then);
  // Where it cannot be written there is nothing to wait for.
  const bool said = !text.empty() && grip.say(text);
  entry.hang_up_at = said ? round.now + kFarewell : then;
  entry.announced = entry.announced || said;
}

void Warden::hold(Entry& entry, const Observation& o, const Due& first, Round& round) {
  entry.enter(State::held, first);
  if (!begun_.empty()) round.wake(std::ranges::min(begun_) + kWindow);
  if (entry.told_of(first).held) return;
  const auto second = look_again(entry, o.session->id, first, false, round);
  if (!second) return;
  // It knew of newer input: the moment to look again is not the cap's.
  if (entry.state != State::held) return round.wake(begins_at(second->o, second->due));
  if (std::exchange(entry.told_of(second->due).held, true)) return;
  entry.announced = true;
  round.say(Happened::held, second->o, second->due,
            fmt::format("the cap of {} sessions a minute is reached", settings_.max_per_minute));
}

void Warden::fail(Entry& entry, const Observation& o, const Due& d, const Error& why,
                  Round& round) {
  Told& told = entry.told_of(d);
  round.postpone(told, kRetryFailed);
  if (std::exchange(told.failed, true)) return;
  entry.announced = true;
  round.say(Happened::terminate_failed, o, d, why.text());
}

void Warden::begin(Entry& entry, const Observation& o, const Due& d, std::unique_ptr<Grip> grip,
                   Round& round) {
  const BootTime end = ends_at(d, entry.warned_at);
  Ending::Plan plan{.cause = d.cause,
                    .limit = d.limit,
                    .idle = idle_time(o, round.now),
                    .deadline = end,
                    .grace = o.verdict->grace,
                    // A container's login has no scope of its own.
                    .kill_survivors = o.verdict->kill_survivors && o.session->container.empty(),
                    .host = o.session->host};
  if (book_ != nullptr) book_->enter({*o.session, *o.verdict, plan, round.now});
  auto done = grip->hang_up();
  if (!done) {
    told(o.session->id);
    if (comes_again(done.error(), entry.told_of(d), round)) return put_off(entry);
  }
  entry.hang_up_at.reset();  // whether it succeeds or not, it counts
  if (!done) return fail(entry, o, d, done.error(), round);
  plan.begun = *std::move(done);
  entry.enter(State::ending, d);
  entry.ending = std::make_unique<Ending>(std::move(grip), plan, round.now);
  if (const auto wake = entry.ending->wake()) round.wake(*wake);
}

void Warden::advance(const SessionId& id, Entry& entry, Round& round) {
  Ending& ending = *entry.ending;
  const Ending::Plan& plan = ending.plan();
  const auto progress =
      ending.advance(round.now, round.shared_with_others(id, plan, entries_, terminator_));
  Transition t{.happened = Happened::terminated,
               .session = id,
               .cause = plan.cause,
               .idle = plan.idle,
               .limit = plan.limit,
               .lateness = ending.lateness(),
               .detail = ending.steps()};
  switch (progress) {
    case Ending::Progress::pending: break;
    case Ending::Progress::ended:
      round.out.transitions.push_back(std::move(t));
      entry.state = State::ended;
      entry.ending.reset();
      return;
    case Ending::Progress::failed:
      t.happened = Happened::terminate_failed;
      t.detail = ending.why();
      round.out.transitions.push_back(std::move(t));
      break;
  }
  if (const auto wake = ending.wake()) round.wake(*wake);
}

// Its host process keeps it alive, wherever that lies.
Result<bool> Warden::Round::lives_in(const Session& session, const std::string& scope,
                                     const Terminator& terminator) {
  for (const pid_t pid : {session.id.leader, session.host}) {
    if (pid <= 0) continue;
    auto known = cgroups.find(pid);
    if (known == cgroups.end()) known = cgroups.emplace(pid, terminator.cgroup_of(pid)).first;
    const auto& cgroup = known->second;
    if (!cgroup && cgroup.error().code == ENOENT) continue;
    if (!cgroup) return std::unexpected(cgroup.error());
    if (*cgroup == scope || cgroup->starts_with(scope + "/")) return true;
  }
  return false;
}

Ending::Shared Warden::Round::shared_with_others(const SessionId& id, const Ending::Plan& plan,
                                                 const std::map<SessionId, Entry>& entries,
                                                 const Terminator& terminator) {
  // The connection itself, once nothing runs on it, and a leader that has lost its tty meanwhile
  // are no others.
  const auto same = [&](const SessionId& other) {
    const bool bare = other.tty == 0 && other.leader == plan.host;
    return bare || other.same_leader(id);
  };
  const auto is_over = [&](const SessionId& other) {
    const auto it = entries.find(other);
    return it != entries.end() && (it->second.state == State::ended || it->second.ending);
  };
  Ending::Shared shared;
  for (const auto& [other, e] : entries) {
    if (plan.host == 0 || same(other) || !e.ending || e.ending->leader_gone()) continue;
    shared.connection = shared.connection || e.ending->plan().host == plan.host;
  }
  for (const Observation& o : all) {
    if (plan.host == 0 || !o.session || o.session->host != plan.host) continue;
    shared.connection = shared.connection || !(same(o.session->id) || is_over(o.session->id));
  }
  shared.scope = [this, same, is_over, &terminator](const std::string& scope) -> Result<bool> {
    for (const Observation& o : all) {
      if (!o.session || same(o.session->id) || is_over(o.session->id)) continue;
      auto lives = lives_in(*o.session, scope, terminator);
      if (!lives || *lives) return lives;
    }
    return false;
  };
  return shared;
}

}  // namespace idlewarden

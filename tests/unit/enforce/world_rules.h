// SPDX-License-Identifier: Apache-2.0
// The rest of world.h: what must hold at all times.
#pragma once

#include "world.h"

namespace idlewarden::test {

inline bool World::untouchable(const Life& life) {
  return life.verdict.mode == Mode::audit || life.verdict.action == Action::alert ||
         life.session.id.leader == kProtected;
}

inline std::optional<World::Deadline> World::deadline(const Life& life) const {
  const Verdict& v = life.verdict;
  std::optional<Deadline> first;
  const auto add = [&](Cause cause, BootTime since, Seconds limit) {
    const Nanoseconds warn =
        life.no_pty() ? Nanoseconds(0) : std::min(Nanoseconds(v.warn), Nanoseconds(limit) / 2);
    const BootTime at = since + limit;
    if (!first || at < first->at) first = Deadline{cause, since, at, at - warn, warn};
  };
  if (v.limit) {
    add(Cause::idle, life.last_activity,
        life.job_running ? v.job_limit.value_or(*v.limit) : *v.limit);
  }
  if (v.max_session) add(Cause::max_session, life.session.id.start, *v.max_session);
  return first;
}

// Somebody else whose session is not over lives on the same connection.
inline bool World::shares_host(const Life& life) const {
  return std::ranges::any_of(lives_, [&](const Life& l) {
    return &l != &life && l.session.host == life.session.host && l.alive &&
           (l.hung_up_at || std::ranges::count(listed_, l.session.id) != 0);
  });
}

inline bool World::shares_cgroup(const Life& life) const {
  return std::ranges::any_of(lives_, [&](const Life& l) {
    return &l != &life && l.cgroup == life.cgroup && l.alive && !l.hung_up_at &&
           std::ranges::count(listed_, l.session.id) != 0;
  });
}

// Somebody whose end an earlier daemon began, and nobody goes on with. The warden does not know of
// them; whoever looks at the processes of the connection does.
inline bool World::leftover_on_host(const Life& life) const {
  return std::ranges::any_of(lives_, [&](const Life& l) {
    return &l != &life && l.session.host == life.session.host && l.alive && l.hung_up_at && !l.owed;
  });
}

// Whose last message was written and who does not go must not be counted any more, once the warden
// can know of it: this counts only those of whom nothing speaks against their end, but for one.
inline std::ptrdiff_t World::at_least_begun(const Life& but) const {
  return begun_lately() + std::ranges::count_if(lives_, [&](const Life& l) {
           if (&l == &but || !l.counted_at || !lately(*l.counted_at)) return false;
           const auto d = deadline(l);
           return d && now_ >= d->at - kTimeToRead && l.alive && l.has_tty && l.fault == none &&
                  !untouchable(l) && std::ranges::count(listed_, l.session.id) != 0 &&
                  std::max(l.last_activity, l.disturbed_at) < *l.counted_at;
         });
}

// And this all of whom nothing was heard since.
inline std::ptrdiff_t World::at_most_begun() const {
  return begun_lately() + std::ranges::count_if(lives_, [&](const Life& l) {
           return l.counted_at && lately(*l.counted_at) &&
                  std::ranges::count(listed_, l.session.id) != 0;
         });
}

inline BootTime World::end_of(const Life& life, const Deadline& d) const {
  return life.warned_at ? std::max(d.at, *life.warned_at + d.warn) : d.at;
}

// Nobody is counted for the cap while somebody else is held for it who waits for much longer.
inline void World::check_turn(const Life& life) {
  const auto d = deadline(life);
  if (!d) return;
  for (const Life& l : lives_) {
    const auto theirs = deadline(l);
    if (!theirs || warden_->state(l.session.id) != State::held || l.fault != none ||
        untouchable(l) || !l.alive || !l.has_tty || l.shown_activity != l.last_activity) {
      continue;
    }
    if (std::max(end_of(l, *theirs), l.disturbed_at) + kTolerance < end_of(life, *d)) {
      break_rule(life, "it is not its turn");
    }
  }
}

inline bool World::overdue(const Life& life, BootTime at) const {
  return now_ > std::max(at, life.disturbed_at) + kTolerance + kLate;
}

// Asked at the very moment of the hang-up, of the truth.
inline void World::check_hang_up(const Life& life) {
  const auto d = deadline(life);
  if (untouchable(life)) break_rule(life, "ended though it must not be touched");
  if (!d || now_ < d->at) break_rule(life, "ended though it is within its limit");
  if (d && d->warn > kTolerance && !life.warned_at) break_rule(life, "ended without a warning");
  if (life.has_last_words()) {
    if (!life.last_words_at) return break_rule(life, "ended without a last message");
    if (life.last_words_read && now_ - *life.last_words_at < kTimeToRead) {
      break_rule(life, "no time to read the last message");
    }
  } else if (!life.counted_at) {
    if (at_least_begun(life) >= cap_) break_rule(life, "ended beyond the cap");
    check_turn(life);
  }
  const bool was_held = std::ranges::any_of(
      life.said, [](const auto& s) { return std::get<0>(s) == Happened::held; });
  if (d && !was_held) {
    if (life.fault == none && overdue(life, end_of(life, *d))) break_rule(life, "ended late");
  }
  if (life.hung_up_at) break_rule(life, "ended twice");
  if (life.seized_in != step_number_) break_rule(life, "not seized in this step");
}

inline void World::check_transition(Life& life, const Transition& t) {
  const BootTime since = t.cause == Cause::idle ? now_ - t.idle : life.session.id.start;
  const auto once = [&] {
    if (!life.said.emplace(t.happened, t.cause, since).second) break_rule(life, "said twice");
  };
  switch (t.happened) {
    case Happened::warned:
      ++counts.warnings;
      if (untouchable(life)) break_rule(life, "warned though it must not be touched");
      if (life.warned_at) break_rule(life, "warned twice");
      life.warned_at = now_;
      life.announced = true;
      break;
    case Happened::resumed:
      ++counts.resumed;
      if (!life.announced) break_rule(life, "resumed from nothing");
      life.warned_at.reset();
      // What was done in this turn is told after it.
      life.announced = life.last_words_in == step_number_;
      if (!life.announced) {
        life.last_words_at.reset();
        life.counted_at.reset();
      }
      break;
    case Happened::would_terminate:
      ++counts.reports;
      if (!untouchable(life)) break_rule(life, "only reported");
      once();
      life.announced = true;
      break;
    case Happened::held:
      ++counts.held;
      if (at_most_begun() < cap_) break_rule(life, "held below the cap");
      once();
      life.announced = true;
      break;
    case Happened::terminate_failed:
      ++counts.failures;
      if (!life.hung_up_at) once();
      if (life.hung_up_at && std::exchange(life.failed, true)) break_rule(life, "failed twice");
      if (life.hung_up_at && life.alive && life.survives < 3) break_rule(life, "gave up early");
      life.announced = true;
      break;
    case Happened::terminated:
      ++counts.terminated;
      if (!life.hung_up_at) break_rule(life, "terminated by somebody else");
      if (life.alive) break_rule(life, "terminated, but alive");
      if (std::exchange(life.terminated, true)) break_rule(life, "terminated twice");
      break;
  }
}

// Nobody is forgotten: within a second of the moment (or of the last change of the rules) it is
// warned, reported, ended or held, and an end that has begun comes to an end.
inline void World::check_punctuality(const Life& life) {
  if (life.hung_up_at) {
    // Three steps for the leader, one for the survivors, three for the host.
    const Nanoseconds most = 7 * (Nanoseconds(life.verdict_then.grace) + kTolerance);
    if (!life.terminated && !life.failed &&
        overdue(life, std::max(*life.hung_up_at, life.disturbed_at) + most)) {
      break_rule(life, "its end is forgotten");
    }
    return;
  }
  const auto d = deadline(life);
  const bool shown = life.shown_activity == life.last_activity &&
                     std::ranges::count(listed_, life.session.id) != 0;
  if (!d || !shown || !life.alive || !life.has_tty || life.fault != none) return;
  if (untouchable(life)) {
    if (warden_->state(life.session.id) == State::warned) break_rule(life, "warned in audit");
    const bool said = life.said.contains({Happened::would_terminate, d->cause, d->since});
    if (overdue(life, d->at) && !said) break_rule(life, "not reported in time");
    return;
  }
  if (d->warn > Nanoseconds(0) && !life.warned_at) {
    if (overdue(life, d->warn_at)) break_rule(life, "not warned in time");
    return;
  }
  BootTime end = end_of(life, *d);
  if (life.last_words_at) end = std::max(end, *life.last_words_at + kTimeToRead);
  if (overdue(life, end) && at_most_begun() < cap_) break_rule(life, "not ended in time");
}

inline World::Life* World::find(const SessionId& id) {
  const auto it = std::ranges::find_if(lives_, [&](const Life& l) { return l.session.id == id; });
  return it == lives_.end() ? nullptr : &*it;
}

inline World::Life* World::pick(std::uint32_t who) {
  if (lives_.empty()) return nullptr;
  return &*std::next(lives_.begin(), static_cast<std::ptrdiff_t>(who % lives_.size()));
}

inline void World::break_rule(const Life& life, const std::string& rule) {
  note(&life, "!! " + rule);
  if (violation_.empty()) violation_ = rule;
}

inline void World::note(const Life* life, const std::string& text) {
  if (!tracing_) return;
  trace_.push_back(fmt::format("{:10.3f} {} {}", to_seconds(now_.time_since_epoch()),
                               life == nullptr ? "host" : life->session.user, text));
}

}  // namespace idlewarden::test

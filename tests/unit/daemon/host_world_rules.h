// SPDX-License-Identifier: Apache-2.0
// The rest of host_world.h: what must hold.
#pragma once

#include "host_world.h"

namespace idlewarden::test {

inline void HostWorld::check_touched(const Life& life, const std::string& what) {
  if (rules_.mode == Mode::audit) break_rule(&life, what + " in audit mode");
  if (!life.alive) break_rule(&life, what + " though it is gone");
  const auto limit = limit_of(life);
  if (!limit) return break_rule(&life, what + " though nothing limits it");
  const Nanoseconds warn = std::min(Nanoseconds(rules_.warn), Nanoseconds(*limit) / 2);
  if (now_ - life.last_input < *limit - std::max(warn, kTimeToRead)) {
    break_rule(&life, what + " though it is not idle");
  }
}

// Asked at the very moment, of the truth.
inline void HostWorld::check_hang_up(const Life& life) {
  check_touched(life, "ended");
  const auto limit = limit_of(life);
  if (!limit) return;
  if (now_ - life.last_input < *limit) break_rule(&life, "ended though it is within its limit");
  if (life.hung_up_at && life.leader.tty) break_rule(&life, "ended twice");
  const Nanoseconds warn = std::min(Nanoseconds(rules_.warn), Nanoseconds(*limit) / 2);
  if (!life.leader.tty || warn == Nanoseconds(0)) return;
  if (!life.warned_at) return break_rule(&life, "ended without a warning");
  if (now_ - *life.warned_at < warn - Seconds(1)) break_rule(&life, "ended right after a warning");
}

// Nobody is forgotten, as long as everything works.
inline void HostWorld::check_punctuality(const Life& life) {
  if (!life.alive || life.odd || life.hung_up_at || fault_ != none) return;
  // Only who is known, and measured by a hook, is told by no scan.
  const bool hooked = life.known_at && life.leader.tty;
  const auto overdue = [&](BootTime at) {
    return now_ >
           std::max(at, disturbed_at_) + (hooked ? Nanoseconds(0) : kScan) + Seconds(1) + kLate;
  };
  if (!life.known_at) {
    if (overdue(life.leader.start)) break_rule(&life, "not found in time");
    return;
  }
  const auto limit = limit_of(life);
  if (!limit) return;
  const Nanoseconds warn = life.leader.tty
                               ? std::min(Nanoseconds(rules_.warn), Nanoseconds(*limit) / 2)
                               : Nanoseconds(0);
  BootTime end = std::max(life.last_input, *life.known_at) + *limit;
  if (!life.leader.tty) end = std::max(end, life.noticed_at + *limit);
  if (rules_.mode == Mode::audit) {
    const bool reported = life.reported_at && *life.reported_at >= life.last_input;
    if (!reported && overdue(end)) break_rule(&life, "not reported in time");
    return;
  }
  // What disturbs may make it pass its limit unwarned.
  end = std::max(end, disturbed_at_ + warn + kLate);
  if (life.warned_at) end = std::max(end, *life.warned_at + warn);
  if (overdue(end)) break_rule(&life, "not ended in time");
}

inline HostWorld::Connection* HostWorld::connection_of(std::uint64_t number) {
  const auto it = std::ranges::find(connections_, number, &Connection::number);
  return it == connections_.end() ? nullptr : &*it;
}

inline HostWorld::Life* HostWorld::living(pid_t pid) {
  const auto it =
      std::ranges::find_if(lives_, [&](const Life& l) { return l.alive && l.leader.pid == pid; });
  return it == lives_.end() ? nullptr : &*it;
}

inline HostWorld::Life* HostWorld::pick(std::uint32_t who) {
  const auto alive = std::ranges::count(lives_, true, &Life::alive);
  if (alive == 0) return nullptr;
  auto left = static_cast<std::ptrdiff_t>(who) % alive;
  for (Life& l : lives_) {
    if (l.alive && left-- == 0) return &l;
  }
  return nullptr;
}

// By pid and start: what an event calls it.
inline HostWorld::Life* HostWorld::named(const std::string& session) {
  const auto it = std::ranges::find_if(lives_, [&](const Life& l) {
    return SessionId{l.leader.pid, l.leader.start, 0}.text() == session;
  });
  return it == lives_.end() ? nullptr : &*it;
}

inline void HostWorld::break_rule(const Life* life, const std::string& rule) {
  note(life, "!! " + rule);
  if (violation_.empty()) violation_ = rule;
}

inline void HostWorld::note(const Life* life, const std::string& text) {
  if (!tracing_) return;
  const std::string who = life == nullptr ? "host" : fmt::format("session {}", life->number);
  trace_.push_back(fmt::format("{:10.3f} {} {}", to_seconds(now_.time_since_epoch()), who, text));
}

}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// The rest of host_world.h: what happens on it.
#pragma once

#include "host_world.h"

namespace idlewarden::test {

inline HostWorld::HostWorld(bool tracing) : tracing_(tracing) {
  proc_.add({.pid = kListener,
             .executable = "/usr/sbin/sshd",
             .command_line = "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"});
  reload(0, false);
  start_daemon();
}

inline void HostWorld::apply(const HostOp& op) {
  using std::chrono::milliseconds;
  Life* life = pick(op.who);
  switch (op.kind) {
    case HostOp::pass_time: {
      constexpr std::uint32_t kSpans[] = {300, 3000, 8000, 30000};
      return pass(milliseconds(op.how % kSpans[op.who % 4]), op.more);
    }
    case HostOp::log_in: log_in(op); break;
    case HostOp::step_wall:
      wall_ += Seconds(op.how % 2'000'000) - Seconds(1'000'000);
      note(nullptr, "the wall clock is set");
      break;
    case HostOp::suspend:
      for (Life& l : lives_) {
        const BootTime awake = now_ + Seconds(5 + op.how % 3600);
        if (now_ - l.last_input <= kScan + kLate) l.noticed_at = awake;
        if (l.known_at && *l.known_at + kLate > now_) l.known_at = awake + kScan;
      }
      now_ += Seconds(5 + op.how % 3600);
      disturbed_at_ = std::max(disturbed_at_, now_ + Stall::kSettle + kLate);
      note(nullptr, "the machine slept");
      turn();
      break;
    case HostOp::reload: reload(op.how, false); break;
    case HostOp::reload_broken: reload(op.how, true); break;
    case HostOp::fault: change_fault(op.how); break;
    case HostOp::restart:
      note(nullptr, op.how % 2 == 0 ? "the daemon is killed; the records stay"
                                    : "the daemon is killed, and the records go");
      stop_daemon(op.how % 2 != 0);
      now_ += milliseconds(op.more % 20000);
      start_daemon();
      break;
    default:
      if (life == nullptr) return;
      switch (op.kind) {
        case HostOp::type: type(*life); break;
        case HostOp::type_in_between:
          types_in_between_ = life->number;
          in_between_after_ = op.how % 6;
          break;
        case HostOp::log_out:
          note(life, "logs out");
          die(*life);
          break;
        case HostOp::hand_over: hand_over(*life, op.how); break;
        case HostOp::vanish:
          note(life, "vanishes, with its connection");
          vanish(life->connection);
          break;
        default: break;
      }
  }
}

inline void HostWorld::log_in(const HostOp& op) {
  if (std::ranges::count(lives_, true, &Life::alive) >= static_cast<int>(kMostLives)) return;
  const auto pid = free_pid(kFirstLeader, op.how >> 4, 5);
  if (!pid) return;
  Life life;
  life.leader.pid = *pid;
  life.leader.start = BootTime(now_.time_since_epoch() / kTick * kTick);
  for (const Life& l : lives_) {
    if (l.leader.pid == *pid && l.leader.start == life.leader.start) return;
  }
  if (op.how % 2 == 0 && !connections_.empty()) {
    ++counts.shared;
    const auto nth = static_cast<std::ptrdiff_t>(op.more % connections_.size());
    life.connection = std::next(connections_.begin(), nth)->number;
  } else {
    const auto sshd = free_pid(kFirstSshd, op.more, 4);
    if (!sshd) return;
    life.connection = ++last_number_;
    connections_.push_back({*sshd, start_ticks(life.leader.start),
                            kFirstUid + static_cast<uid_t>(op.who % kUsers), life.connection, 0});
  }
  Connection& connection = *connection_of(life.connection);
  if (op.who / 8 % 4 != 0) life.leader.tty = free_line(op.how >> 8);
  life.number = ++last_number_;
  life.uid = life.leader.uid = connection.uid;
  life.leader.parent = connection.pid;
  life.leader.grandparent = kListener;
  life.leader.foreground_pgrp = life.leader.tty ? *pid : 0;
  life.leader.no_input_yet = true;
  life.last_input = life.leader.start;
  life.survives = op.more / 8 % 4 == 0 ? static_cast<int>(1 + op.more / 32 % 2) : 0;
  proc_.add({.pid = *pid,
             .parent = connection.pid,
             .executable = "/bin/bash",
             .comm = "bash",
             .uid = life.uid,
             .start_ticks = start_ticks(life.leader.start)});
  lives_.push_back(std::move(life));
  show(connection);
  const Life& in = lives_.back();
  note(&in, fmt::format("logs in: pid {}, sshd {} (connection {}), uid {}, {}, survives {}", *pid,
                        connection.pid, in.connection, in.uid,
                        in.leader.tty ? fmt::format("pts/{} at {:x}", in.leader.tty->index,
                                                    in.leader.tty->address)
                                      : "no tty",
                        in.survives));
  if (in.leader.tty && op.more % 2 == 0) {
    monitor_->pty_made();
    turn();
  }
}

inline void HostWorld::type(Life& life) {
  note(&life, "types");
  Connection* const connection = connection_of(life.connection);
  if (connection == nullptr) return;
  connection->bytes += 3;
  if (life.leader.tty) {
    life.last_input = now_;
    life.leader.no_input_yet = false;
    if (Record* const record = record_of(*life.leader.tty)) record->last_input = now_;
  }
  // Those without a tty share what comes through the connection.
  for (Life& l : lives_) {
    if (l.connection == life.connection && !l.leader.tty) l.last_input = now_;
  }
}

inline void HostWorld::hand_over(Life& life, std::uint32_t how) {
  const auto pid = free_pid(kFirstLeader, how, 5);
  if (!life.leader.tty || !pid) return;
  Life child = life;
  child.number = ++last_number_;
  child.leader.pid = *pid;
  child.leader.parent = life.leader.pid;
  child.leader.grandparent = life.leader.parent;
  child.leader.start = BootTime(now_.time_since_epoch() / kTick * kTick);
  for (const Life& l : lives_) {
    if (l.leader.pid == *pid && l.leader.start == child.leader.start) return;
  }
  child.leader.foreground_pgrp = *pid;
  child.last_input = child.leader.start;
  child.known_at = child.warned_at = child.reported_at = child.hung_up_at = std::nullopt;
  child.odd = life.odd = true;
  proc_.add({.pid = *pid,
             .parent = life.leader.pid,
             .executable = "/bin/bash",
             .comm = "bash",
             .uid = child.uid,
             .start_ticks = start_ticks(child.leader.start)});
  note(&life, fmt::format("hands its tty over to pid {}", *pid));
  life.leader.tty.reset();
  life.leader.foreground_pgrp = 0;
  // As one without a tty it has what the connection has; found like that, since its start.
  life.last_input = life.known_at ? now_ : life.leader.start;
  lives_.push_back(std::move(child));
}

inline void HostWorld::vanish(std::uint64_t number) {
  const Connection* const connection = connection_of(number);
  if (connection == nullptr) return;
  proc_.end(connection->pid);
  std::erase_if(connections_, [&](const Connection& c) { return c.number == number; });
  for (Life& l : lives_) {
    if (!l.alive || l.connection != number) continue;
    if (l.survives == 0) die(l);
    if (l.alive) lose_tty(l);
    l.odd = true;
    l.leader.parent = kInit;
  }
}

inline void HostWorld::lose_tty(Life& life) {
  life.leader.tty.reset();
  life.leader.foreground_pgrp = 0;
  if (const Connection* const c = connection_of(life.connection)) show(*c);
}

inline void HostWorld::die(Life& life) {
  life.alive = false;
  proc_.end(life.leader.pid);
  const Connection* const connection = connection_of(life.connection);
  if (connection == nullptr) return;
  const bool last = std::ranges::none_of(
      lives_, [&](const Life& l) { return l.alive && l.connection == life.connection; });
  if (last) return vanish(life.connection);
  show(*connection);
}

inline void HostWorld::reload(std::uint32_t how, bool broken) {
  Rules rules;
  rules.mode = how % 4 == 3 ? Mode::audit : Mode::enforce;
  rules.warn = Seconds(std::array{0, 0, 2, 5}[how / 4 % 4]);
  std::string text = fmt::format(
      "mode = \"{}\"\nwarn = \"{}s\"\ngrace = \"1s\"\nmessages = {{ warn = \"warning\", "
      "end = \"{}\" }}\n",
      to_string(rules.mode), rules.warn.count(), how / 16 % 2 == 0 ? "" : "end");
  for (std::size_t i = 0; i < kUsers; ++i) {
    const int limit = std::array{10, 20, 60, 0}[how / 32 / (1U << (2 * i)) % 4];
    if (limit != 0) rules.limits[i] = Seconds(limit);
    text += fmt::format("[[rule]]\nname = \"r{}\"\nmatch = {{ users = [\"{}\"] }}\nlimit = {}\n", i,
                        kFirstUid + i, limit == 0 ? "\"never\"" : fmt::format("\"{}s\"", limit));
  }
  if (!broken) good_policy_ = text;
  if (broken) text += "limit = \n";
  files_.file("policy.toml", text, 0600);
  note(nullptr, fmt::format("{} policy: {}, warn {} s, limits {} {} {}", broken ? "a broken" : "a",
                            to_string(rules.mode), rules.warn.count(),
                            rules.limits[0].value_or(Seconds(0)).count(),
                            rules.limits[1].value_or(Seconds(0)).count(),
                            rules.limits[2].value_or(Seconds(0)).count()));
  if (!broken) {
    rules_ = rules;
    disturbed_at_ = std::max(disturbed_at_, now_);
  }
  if (monitor_ == nullptr) return;
  if (monitor_->reload("test").has_value() == broken) break_rule(nullptr, "a reload went wrong");
  turn();
}

inline void HostWorld::change_fault(std::uint32_t how) {
  fault_ = how % 2 == 0 ? none : static_cast<Fault>(how / 2 % faults);
  note(nullptr, fmt::format("fault {}", static_cast<int>(fault_)));
  // What could not be watched is watched from the next scan on.
  for (Life& l : lives_) {
    if (l.known_at) l.known_at = now_ + kScan;
  }
  // What failed is tried again after at most a minute.
  disturbed_at_ = std::max(disturbed_at_, now_ + Seconds(61));
}

// Time passes, and the daemon takes its turns, a little late.
inline void HostWorld::pass(Nanoseconds time, std::uint32_t jitter) {
  const BootTime end = now_ + time;
  const Nanoseconds late = kLate * static_cast<int>(jitter % 4) / 3;
  for (int i = 0; violation_.empty() && due_ && *due_ + late <= end; ++i) {
    now_ = std::max(now_, *due_ + late);
    turn();
    if (i > 10000) return break_rule(nullptr, "the daemon spins");
  }
  now_ = std::max(now_, end);
}

}  // namespace idlewarden::test

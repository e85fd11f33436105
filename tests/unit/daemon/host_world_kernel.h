// SPDX-License-Identifier: Apache-2.0
// The rest of host_world.h: the kernel's side.
#pragma once

#include "host_world.h"

namespace idlewarden::test {

inline Result<std::vector<Leader>> HostWorld::scan() {
  if (fault_ == no_scan) return fail_errno("the iterator cannot be read", ENOMEM);
  std::vector<Leader> leaders;
  for (const Life& l : lives_) {
    if (l.alive) leaders.push_back(l.leader);
  }
  somebody_types_in_between();
  return leaders;
}

// As Records::claim(): a slot that another tty has is not taken, what an earlier daemon left for
// this very tty is kept, and an address that is used again is not the tty that had it.
inline Result<void> HostWorld::watch(const Tty& tty) {
  if (fault_ == no_watch) return fail_errno("no room for another activity record", E2BIG);
  if (in_slot(tty) || in_overflow(tty)) return {};
  if (const auto gone = in_overflow_.find(tty.address); gone != in_overflow_.end()) {
    unwatch(Tty(gone->second));
  }
  if (!overflow_.contains(tty.address) && !in_slots_.contains(tty.index)) {
    Record& slot = slots_[tty.index];
    if (slot.tty != tty.address) slot = Record{tty.address, std::nullopt, now_};
    in_slots_[tty.index] = tty;
    return {};
  }
  overflow_.try_emplace(tty.address, Record{tty.address, std::nullopt, now_});
  in_overflow_[tty.address] = tty;
  return {};
}

inline void HostWorld::unwatch(const Tty& tty) noexcept {
  if (in_slot(tty)) {
    in_slots_.erase(tty.index);
    slots_.erase(tty.index);
  } else if (in_overflow(tty)) {
    in_overflow_.erase(tty.address);
    overflow_.erase(tty.address);
  }
}

inline bool HostWorld::in_slot(const Tty& tty) const {
  const auto it = in_slots_.find(tty.index);
  return it != in_slots_.end() && it->second == tty;
}

inline bool HostWorld::in_overflow(const Tty& tty) const {
  const auto it = in_overflow_.find(tty.address);
  return it != in_overflow_.end() && it->second == tty;
}

inline InputSeen HostWorld::input(const Tty& tty) const {
  if (!in_slot(tty) && !in_overflow(tty)) return {};
  const Record& record = in_slot(tty) ? slots_.at(tty.index) : overflow_.at(tty.address);
  InputSeen seen;
  seen.last_input = record.last_input;
  seen.since = record.since;
  return seen;
}

// What the hook does: one comparison, then the rare tty beyond the array.
inline HostWorld::Record* HostWorld::record_of(const Tty& tty) {
  const auto slot = slots_.find(tty.index);
  if (slot != slots_.end() && slot->second.tty == tty.address) return &slot->second;
  const auto beyond = overflow_.find(tty.address);
  return beyond == overflow_.end() ? nullptr : &beyond->second;
}

inline Result<ConnectionBytes> HostWorld::look(const ConnectionEnd& end) {
  if (fault_ == no_probe) return fail_errno("the counters cannot be read", EACCES);
  for (const Connection& c : connections_) {
    if (c.pid != end.pid || c.start_ticks != end.start_ticks) continue;
    return ConnectionBytes{
        .read = 9000, .written = 5000 + c.bytes, .taken = 9000, .given = 5000, .socket = c.number};
  }
  return fail_errno("its process is gone", ESRCH);
}

// A process of the connection for /proc, with the masters of its open lines.
inline void HostWorld::show(const Connection& connection) const {
  MadeProcess sshd{.pid = connection.pid,
                   .parent = kListener,
                   .executable = "/usr/sbin/sshd",
                   .command_line = "sshd: somebody@pts/0",
                   .comm = "sshd",
                   .uid = connection.uid,
                   .start_ticks = connection.start_ticks};
  int descriptor = 8;
  for (const Life& l : lives_) {
    if (l.alive && l.connection == connection.number && l.leader.tty) {
      sshd.masters[descriptor++] = l.leader.tty->index;
    }
  }
  proc_.end(connection.pid);
  proc_.add(sshd);
}

inline bool HostWorld::line_is_open(const Tty& tty) const {
  return std::ranges::any_of(lives_, [&](const Life& l) { return l.alive && l.leader.tty == tty; });
}

// The lowest number that is free, as devpts gives them, at one of few addresses.
inline std::optional<Tty> HostWorld::free_line(std::uint32_t how) const {
  constexpr std::uint32_t kAddresses = 6;
  const auto taken = [&](auto&& is_it) {
    return std::ranges::any_of(
        lives_, [&](const Life& l) { return l.alive && l.leader.tty && is_it(*l.leader.tty); });
  };
  std::uint32_t index = 0;
  while (taken([&](const Tty& t) { return t.index == index; })) ++index;
  for (std::uint32_t i = 0; i < kAddresses; ++i) {
    const std::uint64_t address = kAddress + (how + i) % kAddresses * 0x1000;
    if (!taken([&](const Tty& t) { return t.address == address; })) {
      return Tty{.address = address, .major = 136, .minor = index, .index = index, .devpts_dev = 0};
    }
  }
  return std::nullopt;
}

inline std::optional<pid_t> HostWorld::free_pid(pid_t first, std::uint32_t how,
                                                std::uint32_t among) const {
  for (std::uint32_t i = 0; i < among; ++i) {
    const pid_t pid = first + static_cast<pid_t>((how + i) % among);
    const bool taken = std::ranges::any_of(
                           lives_, [&](const Life& l) { return l.alive && l.leader.pid == pid; }) ||
                       std::ranges::count(connections_, pid, &Connection::pid) != 0;
    if (!taken) return pid;
  }
  return std::nullopt;
}

inline void HostWorld::somebody_types_in_between() {
  if (types_in_between_ == 0 || in_between_after_-- != 0) return;
  const auto number = std::exchange(types_in_between_, 0);
  for (Life& l : lives_) {
    if (l.number == number && l.alive) type(l);
  }
}

// What the real one proves on descriptors (enforce/terminate.cpp).
class HostWorld::HostGrip final : public Grip {
 public:
  HostGrip(HostWorld& world, Life* life) : world_(world), life_(life) {}

  Result<void> say(std::string_view) override {
    world_.check_touched(*life_, "written to");
    world_.note(life_, "is written to");
    if (!life_->leader.tty) return fail("it has no terminal");
    return {};
  }
  Result<std::string> hang_up() override {
    world_.note(life_, "is hung up");
    world_.check_hang_up(*life_);
    ++world_.counts.hang_ups;
    life_->hung_up_at = world_.now_;
    if (life_->survives == 0) {
      world_.die(*life_);
    } else if (life_->leader.tty) {
      world_.lose_tty(*life_);
      life_->odd = true;
    }
    return "hang-up";
  }
  Result<void> signal_leader(int signal) override {
    world_.note(life_, fmt::format("gets signal {}", signal));
    if (!life_->hung_up_at) world_.break_rule(life_, "a signal before the hang-up");
    if (!life_->alive || signal == SIGCONT) return {};
    if (signal == SIGKILL || life_->survives < 2) world_.die(*life_);
    return {};
  }
  Result<void> signal_host(int) override {
    world_.break_rule(life_, "a host process that is not stuck");
    return {};
  }
  Result<void> kill_survivors() override {
    world_.break_rule(life_, "survivors were to be spared");
    return {};
  }
  Result<std::string> scope() const override { return fail("it has none"); }
  Alive alive() override {
    return {.leader = life_ != nullptr && life_->alive, .host_stuck = false};
  }
  int leader_fd() const noexcept override {
    return life_ == nullptr ? -1 : static_cast<int>(life_->number);
  }

 private:
  HostWorld& world_;
  Life* life_;
};

inline Result<std::unique_ptr<Grip>> HostWorld::seize(const Session& session) {
  if (rules_.mode == Mode::audit) break_rule(nullptr, "seized in audit mode");
  if (fault_ == no_seizure) {
    ++counts.refused;
    return fail_errno("it cannot be opened", EMFILE);
  }
  Life* const life = living(session.id.leader);
  if (life == nullptr || life->leader.start != session.id.start ||
      life->leader.tty.value_or(Tty()) != session.tty) {
    return fail_errno("it is gone", ESRCH);
  }
  somebody_types_in_between();
  return std::make_unique<HostGrip>(*this, life);
}

inline Result<std::unique_ptr<Grip>> HostWorld::seize_again(const Session& session) {
  Life* const life = living(session.id.leader);
  const bool same = life != nullptr && life->leader.start == session.id.start;
  if (same && (session.id.tty == 0 || life->leader.tty)) return fail_errno("it is whole", EBUSY);
  if (!same) return std::make_unique<HostGrip>(*this, nullptr);
  ++counts.taken_over;
  return std::make_unique<HostGrip>(*this, life);
}

}  // namespace idlewarden::test

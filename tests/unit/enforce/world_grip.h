// SPDX-License-Identifier: Apache-2.0
// The rest of world.h: what the warden does to it and asks of it.
#pragma once

#include "world.h"

namespace idlewarden::test {

class World::WorldGrip final : public Grip {
 public:
  WorldGrip(World& world, Life& life)
      : world_(world), life_(life), seized_in_(world.step_number_) {}

  Result<void> say(std::string_view text) override {
    world_.place();
    world_.note(&life_, "is written to");
    check_fresh();
    if (life_.no_pty()) return fail("it has no terminal");
    const bool said = life_.fault != no_write;
    if (text.contains("end")) hear_last_words(said);
    world_.place();
    if (!said) return fail_errno("cannot write", EAGAIN);
    return {};
  }
  Result<std::string> hang_up() override {
    world_.place();
    world_.note(&life_, "is hung up");
    check_fresh();
    world_.check_hang_up(life_);
    world_.hang_ups_.push_back(life_.counted_at.value_or(world_.now_));
    life_.counted_at.reset();
    life_.last_words_at.reset();
    if (life_.fault == no_hang_up) return fail_errno("cannot hang up", EPERM);
    ++world_.counts.hang_ups;
    life_.hung_up_at = world_.now_;
    life_.owed = true;
    life_.verdict_then = life_.verdict;
    if (!life_.no_pty()) life_.has_tty = false;
    if (life_.survives == 0) world_.die(life_);
    world_.place();
    return "hang-up";
  }
  Result<void> signal_leader(int signal) override {
    world_.place();
    world_.note(&life_, fmt::format("gets signal {}", signal));
    if (signal == SIGCONT) return {};
    const auto& v = life_.verdict_then;
    const bool first = life_.signals.empty();
    const BootTime before =
        first ? life_.hung_up_at.value_or(BootTime{}) : life_.signals.back().second;
    if (!life_.hung_up_at) world_.break_rule(life_, "a signal before the hang-up");
    if (world_.now_ - before < v.grace) world_.break_rule(life_, "a signal within the grace");
    if (signal != (first ? SIGTERM : SIGKILL) || life_.signals.size() > 1) {
      world_.break_rule(life_, "signals out of order");
    }
    life_.signals.emplace_back(signal, world_.now_);
    if (life_.survives < (signal == SIGTERM ? 2 : 3)) world_.die(life_);
    return {};
  }
  Result<void> signal_host(int signal) override {
    world_.place();
    world_.note(&life_, fmt::format("has its host get signal {}", signal));
    ++world_.counts.host_signals;
    Host& host = world_.hosts_[static_cast<std::size_t>(life_.session.host)];
    if (life_.alive || !life_.hung_up_at) world_.break_rule(life_, "its host before its leader");
    if (!host.stuck) world_.break_rule(life_, "a host that is not stuck");
    if (world_.shares_host(life_)) world_.break_rule(life_, "a host that others live on");
    if (signal == SIGKILL || (signal == SIGTERM && !host.survives_term)) host.alive = false;
    return {};
  }
  Result<void> kill_survivors() override {
    world_.place();
    world_.note(&life_, "has its survivors killed");
    if (world_.leftover_on_host(life_)) return fail("its connection also serves another process");
    if (!life_.verdict_then.kill_survivors) world_.break_rule(life_, "survivors were to be spared");
    if (world_.shares_host(life_)) world_.break_rule(life_, "survivors of a shared connection");
    if (world_.shares_cgroup(life_)) world_.break_rule(life_, "survivors of a shared scope");
    return {};
  }
  Result<std::string> scope() const override { return life_.cgroup; }
  Alive alive() override {
    const Host& host = world_.hosts_[static_cast<std::size_t>(life_.session.host)];
    return {life_.alive,
            !life_.alive && host.alive && host.stuck && !world_.leftover_on_host(life_)};
  }
  int leader_fd() const noexcept override { return life_.session.id.leader; }

 private:
  // From here on it counts for the cap, said or not.
  void hear_last_words(bool said) {
    const auto d = world_.deadline(life_);
    if (!d || world_.now_ < d->at - kTimeToRead) {
      world_.break_rule(life_, "told of its end too early");
    }
    if (world_.at_least_begun(life_) >= world_.cap_) {
      world_.break_rule(life_, "told of its end beyond the cap");
    }
    world_.check_turn(life_);
    life_.counted_at = world_.now_;
    ++world_.counts.farewells;
    life_.last_words_at = world_.now_;
    life_.last_words_read = said;
    life_.last_words_in = world_.step_number_;
    life_.announced = life_.announced || said;
  }
  void check_fresh() {
    if (seized_in_ != world_.step_number_) world_.break_rule(life_, "held from an earlier step");
    if (life_.looked_at_in != world_.step_number_) world_.break_rule(life_, "no second look");
    if (!life_.alive || !life_.has_tty) world_.break_rule(life_, "it is not there any more");
  }
  World& world_;
  Life& life_;
  std::uint64_t seized_in_;
};

inline Result<std::unique_ptr<Grip>> World::seize(const Session& session) {
  Life* life = find(session.id);
  if (untouchable(*life)) break_rule(*life, "seized though it must not be touched");
  if (life->looked_at_in == step_number_) break_rule(*life, "looked at before it was seized");
  life->seized_in = step_number_;
  if (!life->alive || !life->has_tty || life->fault == gone) return fail_errno("gone", ESRCH);
  if (life->fault == no_seizure) return fail_errno("cannot be seized", EMFILE);
  return std::make_unique<WorldGrip>(*this, *life);
}

inline Result<std::unique_ptr<Grip>> World::seize_again(const Session& session) {
  Life* life = find(session.id);
  if (life == nullptr) return fail("nobody ever had this identity");
  if (life->fault == no_seizure) return fail_errno("cannot be seized", EMFILE);
  // Without a tty nothing shows whether it was told to go: alive, it is whole.
  if (life->alive && (life->has_tty || life->no_pty())) return fail_errno("it is whole", EBUSY);
  return std::make_unique<WorldGrip>(*this, *life);
}

inline Result<std::string> World::cgroup_of(pid_t process) const {
  for (const Life& l : lives_) {
    if (!l.alive || l.session.id.leader != process) continue;
    if (l.fault == no_seizure) return fail_errno("cannot be read", EMFILE);
    return l.cgroup;
  }
  return fail_errno("it has ended", ENOENT);
}

inline std::optional<Observation> World::look(const SessionId& id) {
  place();
  Life* life = find(id);
  if (life->looked_at_in == step_number_) break_rule(*life, "looked at twice in a step");
  life->looked_at_in = step_number_;
  if (!life->alive || !life->has_tty || life->fault == no_second_look) return std::nullopt;
  return Observation{&life->session, &life->verdict, life->last_activity, life->job_running};
}

}  // namespace idlewarden::test

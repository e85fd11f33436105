// SPDX-License-Identifier: Apache-2.0
// The rest of host_world.h: the daemon on it, and what it says.
#pragma once

#include "host_world.h"

namespace idlewarden::test {

inline void HostWorld::start_daemon() {
  const std::string policy = files_.file("policy.toml", good_policy_, 0600);
  auto limits = Limits::load(Root(), policy);
  if (!limits) return break_rule(nullptr, "no policy: " + limits.error().text());
  limits_ = std::make_unique<Limits>(std::move(*limits));
  meter_ = std::make_unique<ConnectionMeter>(*this, *this);
  // What happens must not depend on how soon this machine's NSS answers.
  SessionScope scope;
  scope.nss_patience = std::chrono::minutes(1);
  table_ = std::make_unique<SessionTable>(proc_.procfs(), *this, std::move(scope));
  book_ = std::make_unique<EndingsBook>(files_.path() + "/state", "this boot",
                                        [this](const std::string& sentence) {
                                          if (!sentence.empty())
                                            break_rule(nullptr, "the book: " + sentence);
                                        });
  warden_ = std::make_unique<Warden>(*this, Warden::Settings{}, book_.get());
  monitor_ =
      std::make_unique<Monitor>(Monitor::Parts{.source = *this,
                                               .meter = *meter_,
                                               .table = *table_,
                                               .limits = *limits_,
                                               .warden = *warden_,
                                               .clock = *this,
                                               .procfs = proc_.procfs(),
                                               .emit = [this](const Event& event) { hear(event); },
                                               .warn = [](const std::string&) {}});
  for (const BegunEnding& begun : book_->open()) monitor_->adopt(begun);
  turn();
}

inline void HostWorld::stop_daemon(bool unpin) {
  monitor_.reset();
  warden_.reset();
  book_.reset();
  table_.reset();
  meter_.reset();
  limits_.reset();
  due_.reset();
  disturbed_at_ = std::max(disturbed_at_, now_ + Seconds(20));
  for (Life& l : lives_) l.known_at = l.warned_at = l.reported_at = std::nullopt;
  in_slots_.clear();
  in_overflow_.clear();
  // Records::sweep(): what belongs to no open tty goes; all of it where nothing is pinned.
  const auto stale = [&](const auto& item) {
    return unpin || std::ranges::none_of(lives_, [&](const Life& l) {
             return l.alive && l.leader.tty && l.leader.tty->address == item.second.tty;
           });
  };
  std::erase_if(slots_, stale);
  std::erase_if(overflow_, stale);
}

inline void HostWorld::turn() {
  ++counts.turns;
  due_ = monitor_->tick();
  // The pidfd of a leader that has ended wakes the daemon at once.
  for (int i = 0; i < 8; ++i) {
    const auto fds = warden_->leader_fds();
    const bool ended = std::ranges::any_of(lives_, [&](const Life& l) {
      return !l.alive && std::ranges::count(fds, static_cast<int>(l.number)) != 0;
    });
    if (!ended) break;
    due_ = monitor_->tick();
  }
  for (const Life& l : lives_) check_punctuality(l);
}

inline void HostWorld::hear(const Event& event) {
  Life* const life = event.session.empty() ? nullptr : named(event.session);
  note(life, fmt::format("-> {} {}", to_string(event.type), event.detail));
  if (life == nullptr) {
    if (!event.session.empty()) break_rule(nullptr, "an event about nobody");
    return;
  }
  if (event.user != std::to_string(life->uid)) break_rule(life, "taken for another user");
  switch (event.type) {
    case EventType::session_started:
      ++counts.started;
      if (life->known_at && !life->odd) break_rule(life, "found twice");
      life->known_at = now_;
      break;
    case EventType::warned:
      ++counts.warned;
      if (rules_.mode == Mode::audit) break_rule(life, "warned in audit mode");
      life->warned_at = now_;  // written or not
      break;
    case EventType::resumed:
      ++counts.resumed;
      life->warned_at.reset();
      break;
    case EventType::would_terminate:
      ++counts.reported;
      life->reported_at = now_;
      if (rules_.mode != Mode::audit) break_rule(life, "only reported");
      // Told at the end of the turn: a key may have come since it was decided.
      if (life->last_input == now_) break;
      if (!limit_of(*life) || now_ - life->last_input < *limit_of(*life)) {
        break_rule(life, "reported though it is within its limit");
      }
      break;
    case EventType::terminated:
      ++counts.terminated;
      if (!life->hung_up_at) break_rule(life, "terminated by somebody else");
      if (life->alive) break_rule(life, "terminated, but alive");
      break;
    case EventType::session_ended:
      if (life->alive && !life->odd) break_rule(life, "said to have left, and is there");
      break;
    case EventType::terminate_failed:
      if (fault_ != no_seizure && !life->hung_up_at) break_rule(life, "failed without a reason");
      break;
    case EventType::held:
    case EventType::config_reloaded:
    case EventType::config_rejected:
    case EventType::backend_changed: break;
  }
}

}  // namespace idlewarden::test

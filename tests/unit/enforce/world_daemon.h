// SPDX-License-Identifier: Apache-2.0
// The rest of world.h: the daemon is killed and started again.
#pragma once

#include "world.h"

namespace idlewarden::test {

// Where the book is kept: in memory where that can be had, for it is written at each end.
inline const std::string& endings_folder() {
  static const TempDir dir(::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "");
  static const std::string path = dir.path() + "/state";
  return path;
}

inline void World::start_daemon(bool hands_off) {
  const bool first = step_number_ == 0;
  if (first) std::filesystem::remove_all(endings_folder());
  book_ = std::make_unique<EndingsBook>(endings_folder(), "this boot",
                                        [this](const std::string& sentence) {
                                          if (!sentence.empty() && violation_.empty())
                                            violation_ = "the book: " + sentence;
                                        });
  warden_ = std::make_unique<Warden>(*this, Warden::Settings{cap_, {kProtected}}, book_.get());
  wake_.reset();
  ++step_number_;
  for (const BegunEnding& begun : book_->open()) take_over(begun, hands_off);
}

// As Monitor::adopt() does it.
inline void World::take_over(const BegunEnding& begun, bool hands_off) {
  Life* life = find(begun.session.id);
  if (life == nullptr) {
    if (violation_.empty()) violation_ = "an end is owed to somebody who never was";
    return;
  }
  const auto found = warden_->adopt(begun, hands_off, now_);
  const bool ending = warden_->state(begun.session.id) == State::ending;
  if (!found && !ending) {
    note(life, "is found whole");
    if (life->hung_up_at && !life->no_pty()) break_rule(*life, "its begun end is forgotten");
    life->begin_anew();
    life->owed = false;
    return;
  }
  // Killed just before the hang-up, and the session went by itself: it counts as one.
  if (!life->hung_up_at) life->hung_up_at = begun.hung_up_at;
  life->verdict_then.grace = begun.plan.grace;
  life->verdict_then.kill_survivors = begun.plan.kill_survivors;
  if (!found) {
    note(life, "is taken over");
    ++counts.adopted;
    life->owed = true;
    if (now_ - begun.hung_up_at < std::chrono::minutes(1)) hang_ups_.push_back(begun.hung_up_at);
    return;
  }
  note(life, fmt::format("-> {} {}", to_string(found->happened), found->detail));
  if (!hands_off && life->fault != no_seizure) break_rule(*life, "given up without a reason");
  if (found->happened == Happened::terminated && life->alive) {
    break_rule(*life, "terminated, but alive");
  }
  life->owed = false;
  // Who still is in the table is judged anew.
  life->failed = true;
  if (life->alive && life->has_tty) life->begin_anew();
  warden_->told(begun.session.id);
}

inline void World::kill_daemon() {
  note(nullptr, fmt::format("the daemon is killed, and started again {} ms later{}", down_for_ms_,
                            hands_off_next_ ? " in audit mode" : ""));
  ++counts.restarts;
  places_left_.reset();
  warden_.reset();
  book_.reset();
  now_ += std::chrono::milliseconds(down_for_ms_);
  // What it knew and the book does not say is forgotten.
  hang_ups_.clear();
  for (Life& l : lives_) {
    l.signals.clear();
    l.disturb(now_);
    l.last_words_at.reset();
    l.counted_at.reset();
    if (!l.hung_up_at) l.begin_anew();
    if (l.owed) l.failed = l.terminated = false;
  }
  start_daemon(hands_off_next_);
  check_nothing_owed_is_forgotten();
  rescan();
}

inline void World::check_nothing_owed_is_forgotten() {
  for (const Life& l : lives_) {
    if (l.owed && warden_->state(l.session.id) != State::ending) {
      break_rule(l, "its end is owed, and nobody goes on with it");
    }
  }
}

}  // namespace idlewarden::test

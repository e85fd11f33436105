// SPDX-License-Identifier: Apache-2.0
#include "enforce/ending.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

namespace idlewarden {
namespace {

struct Rung {
  int signal;
  const char* name;
};
constexpr std::array<Rung, 2> kRungs{{{SIGTERM, "SIGTERM"}, {SIGKILL, "SIGKILL"}}};

// There is no descriptor for "the peer has taken the rest", nor for the end of a whole tree, nor
// for the use of a connection, so what is waited for is looked at again.
constexpr Nanoseconds kLook = std::chrono::milliseconds(100);
// Whatever the grace: a peer on a slow line is not dead.
constexpr Seconds kHostPatience{1};
// For processes that do not answer at the moment.
constexpr Seconds kTryAgain{2};
constexpr Seconds kLongestTry{60};

}  // namespace

Ending::Ending(std::unique_ptr<Grip> grip, Plan plan, BootTime hung_up_at)
    : grip_(std::move(grip)),
      plan_(std::move(plan)),
      leader_{0, hung_up_at + plan_.grace},
      survivors_due_(plan_.kill_survivors),
      ended_unseen_(plan_.resumed && !grip_->alive().leader),
      looked_at_(hung_up_at),
      steps_(plan_.resumed ? "hang-up before the daemon was restarted" : plan_.begun) {}

Ending::Progress Ending::advance(BootTime now, const Shared& shared) {
  looked_at_ = now;
  const Alive alive = grip_->alive();
  host_unsettled_ = alive.host_unsettled;
  if (alive.leader && !leader_gone_at_) return climb(leader_, true, now);
  if (!leader_gone_at_) {
    leader_gone_at_ = now;
    host_.next = now + std::max(plan_.grace, kHostPatience);
  }
  if (survivors_due_ && shared.connection) {
    steps_ += ", survivors left alone: another session lives on the connection";
    survivors_due_ = false;
  }
  if (survivors_due_) {
    // They have had the leader's hang-up too, and a grace to save their work.
    if (now < host_.next) return Progress::pending;
    end_survivors(shared);
    survivors_due_ = false;
  }
  if (shared.connection) return Progress::ended;
  // What is not settled by the time of the first signal never gets one.
  if (alive.host_unsettled && now < host_.next) return Progress::pending;
  // Each signal follows a look of this very call, the SIGKILL too: a host process that does not go
  // at SIGTERM, and is used meanwhile, is a session of its own again.
  if (!alive.host_stuck) return Progress::ended;
  return climb(host_, false, now);
}

Ending::Progress Ending::climb(Ladder& ladder, bool leader, BootTime now) {
  if (!climbing(ladder) || now < ladder.next) return Progress::pending;
  const std::string whom = leader ? "" : fmt::format(" to host process {}", plan_.host);
  if (ladder.rung == kRungs.size()) {
    ++ladder.rung;
    why_ = fmt::format("{} is still there {} s after SIGKILL; steps taken: {}",
                       leader ? "its leader" : fmt::format("its host process {}", plan_.host),
                       plan_.grace.count(), steps_);
    return Progress::failed;
  }
  const Rung& rung = kRungs[ladder.rung];
  const auto sent = leader ? grip_->signal_leader(rung.signal) : grip_->signal_host(rung.signal);
  const BootTime since = ladder.tried_since.value_or(now);
  if (!sent && sent.error().code == EAGAIN && now - since < kLongestTry) {
    ladder.tried_since = since;
    ladder.next = now + kTryAgain;
    return Progress::pending;
  }
  ladder.tried_since.reset();
  note(rung.name + whom, sent);
  // A stopped process takes SIGTERM only when it runs again.
  if (rung.signal == SIGTERM) {
    const auto woken = leader ? grip_->signal_leader(SIGCONT) : grip_->signal_host(SIGCONT);
    if (!woken) note("SIGCONT" + whom, woken);
  }
  ++ladder.rung;
  ladder.next = now + plan_.grace;
  return Progress::pending;
}

void Ending::end_survivors(const Shared& shared) {
  const auto scope = grip_->scope();
  const auto others = scope ? shared.scope(*scope) : Result<bool>(false);
  if (others && !*others) return note("survivors killed", grip_->kill_survivors());
  steps_ += ", survivors left alone: ";
  steps_ += others ? "another session lives in its scope"
                   : "it cannot be told whether another session lives in its scope (" +
                         others.error().text() + ")";
}

void Ending::note(const std::string& step, const Result<void>& result) {
  steps_ += ", " + step;
  if (!result) steps_ += " failed (" + result.error().text() + ")";
}

bool Ending::climbing(const Ladder& ladder) const {
  return ladder.rung <= kRungs.size();
}

std::optional<BootTime> Ending::wake() const {
  if (!leader_gone_at_) {
    if (!climbing(leader_)) return std::nullopt;
    return leader_fd() && !host_unsettled_ ? leader_.next
                                           : std::min(leader_.next, looked_at_ + kLook);
  }
  if (!climbing(host_)) return std::nullopt;
  return survivors_due_ && !host_unsettled_ ? host_.next : std::min(host_.next, looked_at_ + kLook);
}

std::optional<int> Ending::leader_fd() const {
  const int fd = leader_gone_at_ ? -1 : grip_->leader_fd();
  return fd < 0 ? std::nullopt : std::optional(fd);
}

std::optional<Nanoseconds> Ending::lateness() const {
  if (!leader_gone_at_ || ended_unseen_) return std::nullopt;
  return *leader_gone_at_ - plan_.deadline;
}

}  // namespace idlewarden

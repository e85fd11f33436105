// SPDX-License-Identifier: Apache-2.0
// One session that is being ended, from the hang-up to the observed end. Each harder step comes a
// grace after the one before: the leader gets SIGTERM, then SIGKILL; what survives it is killed if
// the rule says so; a host process that is stuck with unsent output, or whose connection nobody
// uses any more (Alive::host_stuck), gets SIGTERM, then SIGKILL.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "enforce/terminator.h"
#include "enforce/warden.h"

namespace idlewarden {

class Ending {
 public:
  struct Plan {
    Cause cause = Cause::idle;
    Seconds limit{0};
    Nanoseconds idle{0};
    BootTime deadline{};
    Seconds grace{5};
    bool kill_survivors = false;
    pid_t host = 0;
    bool resumed = false;           // hung up by an earlier daemon
    std::string begun = "hang-up";  // as Grip::hang_up() has it
  };
  // `grip` was hung up, at that time.
  Ending(std::unique_ptr<Grip> grip, Plan plan, BootTime hung_up_at);

  // failed: the last step did not help, why() says so; comes once. The end is still watched for.
  enum class Progress { pending, ended, failed };
  // What another session has a part in: with the connection neither the host process nor the
  // scope's survivors are touched, with the scope (mosh-server stays in that of the ssh login which
  // started it) not the survivors.
  struct Shared {
    bool connection = false;
    // Whether another one lives in that scope now; asked just before its survivors are killed.
    std::function<Result<bool>(const std::string& scope)> scope;
  };
  Progress advance(BootTime now, const Shared& shared);

  std::optional<BootTime> wake() const;  // nullopt: only the leader's end matters now
  std::optional<int> leader_fd() const;  // nullopt once it has nothing to tell any more
  bool leader_gone() const noexcept { return leader_gone_at_.has_value(); }
  // From the deadline to the leader's end; nullopt if that came while no daemon was there to see
  // it.
  std::optional<Nanoseconds> lateness() const;
  const std::string& steps() const noexcept { return steps_; }
  const std::string& why() const noexcept { return why_; }
  const Plan& plan() const noexcept { return plan_; }

 private:
  struct Ladder {
    std::size_t rung = 0;
    BootTime next{};
    std::optional<BootTime> tried_since{};  // this rung
  };
  Progress climb(Ladder& ladder, bool leader, BootTime now);
  void end_survivors(const Shared& shared);
  void note(const std::string& step, const Result<void>& result);
  bool climbing(const Ladder& ladder) const;

  std::unique_ptr<Grip> grip_;
  Plan plan_;
  Ladder leader_;
  Ladder host_;
  bool survivors_due_;
  bool ended_unseen_;
  std::optional<BootTime> leader_gone_at_;
  BootTime looked_at_{};
  bool host_unsettled_ = false;  // then
  std::string steps_;
  std::string why_;
};

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// Keeps IdleGaps for the daemon: fed once a turn, written to the state folder every five minutes
// and at the end. Writing happens on a thread of its own, so that a slow disk delays no decision.
// Whatever fails, the daemon goes on, in memory: it is told, and tried again. Not thread-safe.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/state_folder.h"
#include "enforce/warden.h"
#include "report/idle_gaps.h"

namespace idlewarden {

class GapRecorder {
 public:
  // What degrades the keeping: a sentence, or empty when all is well again.
  using Tell = std::function<void(const std::string& sentence)>;
  // `state_dir` empty: nothing is kept. `boot_id` tells a restart from a reboot. `began`: before
  // anything was asked of the kernel. What makes no sense of an earlier run is put aside and told;
  // what cannot be read now is tried again, and nothing is written over it before.
  GapRecorder(std::string state_dir, std::string boot_id, const Clock& clock, BootTime began,
              Tell tell);
  ~GapRecorder();  // waits for a write that is under way
  GapRecorder(const GapRecorder&) = delete;
  GapRecorder& operator=(const GapRecorder&) = delete;

  // `all` ascending by session id: every session there is. `warn` is the policy's.
  void look(BootTime now, Seconds warn, const std::vector<Observation>& all);
  // The daemon ended a session itself.
  void ended_one() { ++gaps_.recent.ended_by_us; }
  // At the end of the daemon: writes what there is, now.
  void finish();

  const IdleGaps& gaps() const noexcept { return gaps_; }

 private:
  void load(BootTime began);
  bool open_folder();
  void save();
  void collect();  // the outcome of a write that has ended
  void problem(const std::string& sentence);

  std::string state_dir_;
  std::string boot_id_;
  const Clock& clock_;
  Tell tell_;
  IdleGaps gaps_;
  std::unique_ptr<StateFolder> folder_;
  bool loaded_ = false;
  BootTime next_load_{};
  BootTime next_save_{};
  std::future<Result<void>> saving_;  // its thread uses folder_
};

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// Events to a program of the administrator's ([hooks] on_event): one at a time and in their order,
// on a thread of its own, behind a queue that has an end. Whatever the program does, whoever offers
// an event never waits. Any thread may call any member.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "limits/policy.h"
#include "report/event.h"

namespace idlewarden {

struct HookCounts {
  std::uint64_t ok = 0;
  std::uint64_t failed = 0;
  std::uint64_t timed_out = 0;
  std::uint64_t dropped = 0;  // the queue was full, or the daemon stopped
};

class HookRunner {
 public:
  static constexpr std::size_t kQueued = 1024;

  HookRunner();
  ~HookRunner();  // as finish() without patience
  HookRunner(const HookRunner&) = delete;
  HookRunner& operator=(const HookRunner&) = delete;

  // Holds from the next run on. Without a program what is still queued is forgotten.
  void configure(const Hooks& hooks);
  void offer(const Event& event);
  HookCounts counts() const;
  // One sentence while the last run did not end well, or since events were dropped until all that
  // is queued was run; of a run that was followed by a good one, once; empty otherwise.
  std::string take_problem();
  // Lets what is queued be run for so long; then the running one is killed, and the rest dropped.
  void finish(std::chrono::milliseconds patience);

 private:
  class Worker;
  std::unique_ptr<Worker> worker_;
};

}  // namespace idlewarden

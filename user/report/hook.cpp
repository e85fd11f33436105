// SPDX-License-Identifier: Apache-2.0
#include "report/hook.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/text.h"
#include "base/unique_fd.h"
#include "report/hook_process.h"

namespace idlewarden {

namespace {

constexpr const char* kNoThread = "no thread for the hook can be started, so its events wait";

}  // namespace

class HookRunner::Worker {
 public:
  ~Worker() { finish(std::chrono::milliseconds(0)); }

  void configure(const Hooks& hooks) {
    const std::lock_guard lock(mutex_);
    if (hooks_.on_event != hooks.on_event) {
      failure_.clear();
      untold_.clear();
    }
    hooks_ = hooks;
    if (hooks_.on_event.empty()) {
      queue_.clear();
      overflowed_ = false;
    } else if (!thread_.joinable() && !closed_) {
      start();
    }
  }

  void offer(const Event& event) {
    const std::lock_guard lock(mutex_);
    if (hooks_.on_event.empty() || closed_) return;
    const auto& wanted = hooks_.events;
    if (!wanted.empty() && std::ranges::find(wanted, event.type) == wanted.end()) return;
    if (queue_.size() == kQueued) {
      ++counts_.dropped;
      overflowed_ = true;
      return;
    }
    queue_.push_back(event);
    changed_.notify_all();
  }

  HookCounts counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
  }

  std::string take_problem() {
    const std::lock_guard lock(mutex_);
    std::string out = failure_.empty() ? untold_ : failure_;
    untold_.clear();
    if (overflowed_) {
      out += fmt::format(
          "{}the hook {} does not keep up: {} events wait for it, further ones are lost",
          out.empty() ? "" : "; ", printable(hooks_.on_event), kQueued);
    }
    return out;
  }

  void finish(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    closed_ = true;
    changed_.notify_all();
    changed_.wait_for(lock, patience, [this] { return queue_.empty() && !running_; });
    counts_.dropped += queue_.size();
    queue_.clear();
    const std::uint64_t one = 1;
    (void)!::write(give_up_.get(), &one, sizeof one);
    lock.unlock();
    if (thread_.joinable()) thread_.join();
  }

 private:
  // Tried again with the next event.
  void start() {
    try {
      thread_ = std::thread([this] { work(); });
      if (failure_ == kNoThread) failure_.clear();
    } catch (const std::system_error&) {
      failure_ = kNoThread;
    }
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return closed_ || !queue_.empty(); });
      if (queue_.empty()) return;
      const Event event = std::move(queue_.front());
      queue_.pop_front();
      const Hooks hooks = hooks_;
      running_ = true;
      lock.unlock();
      const HookOutcome outcome = run_hook(hooks, event, give_up_.get());
      lock.lock();
      running_ = false;
      note(hooks, outcome);
      changed_.notify_all();
    }
  }

  void note(const Hooks& hooks, const HookOutcome& outcome) {
    switch (outcome.end) {
      case HookOutcome::End::well: ++counts_.ok; break;
      case HookOutcome::End::failed: ++counts_.failed; break;
      case HookOutcome::End::timed_out: ++counts_.timed_out; break;
      case HookOutcome::End::given_up: ++counts_.dropped; break;
    }
    if (queue_.empty()) overflowed_ = false;
    if (hooks.on_event != hooks_.on_event) return;  // of a program that is no longer the one
    failure_ = outcome.why.empty()
                   ? ""
                   : fmt::format("the hook {}: {}", printable(hooks.on_event), outcome.why);
    if (!failure_.empty()) untold_ = failure_;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // All under mutex_ but the descriptor, which does not change.
  Hooks hooks_;
  std::deque<Event> queue_;
  HookCounts counts_;
  std::string failure_;  // of the last run
  std::string untold_;   // of the last that failed, until it is taken
  bool overflowed_ = false;
  bool running_ = false;
  bool closed_ = false;
  const UniqueFd give_up_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::thread thread_;
};

HookRunner::HookRunner() : worker_(std::make_unique<Worker>()) {}
HookRunner::~HookRunner() = default;

void HookRunner::configure(const Hooks& hooks) {
  worker_->configure(hooks);
}
void HookRunner::offer(const Event& event) {
  worker_->offer(event);
}
HookCounts HookRunner::counts() const {
  return worker_->counts();
}
std::string HookRunner::take_problem() {
  return worker_->take_problem();
}
void HookRunner::finish(std::chrono::milliseconds patience) {
  worker_->finish(patience);
}

}  // namespace idlewarden

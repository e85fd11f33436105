// SPDX-License-Identifier: Apache-2.0
// Calls that wait for somebody else: a directory server behind NSS, a file on a network. Whoever
// has a loop to keep going gives each to a thread of its own and does not wait for ever. A thread
// whose call hangs stays behind, so there are never more than a few at a time: while they hang,
// nothing more is asked.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace idlewarden {

class Patience {
 public:
  explicit Patience(int most_at_a_time) : most_(most_at_a_time) {}

  // `call` may outlive the caller, and main(): it owns what it uses, uses nothing that is destroyed
  // at exit, and throws nothing. Not valid() if too many hang already, or no thread is to be had.
  template <class T>
  std::future<T> ask(std::function<T()> call) {
    if (running_->fetch_add(1) >= most_) {
      running_->fetch_sub(1);
      return {};
    }
    std::promise<T> promise;
    std::future<T> answer = promise.get_future();
    try {
      std::thread([running = running_, call = std::move(call),
                   promise = std::move(promise)]() mutable {
        T answered = call();
        running->fetch_sub(1);
        promise.set_value(std::move(answered));
      }).detach();
    } catch (const std::system_error&) {
      running_->fetch_sub(1);
      return {};
    }
    return answer;
  }

  // The answer, if there is one in time.
  template <class T>
  std::optional<T> ask(std::chrono::milliseconds time, std::function<T()> call) {
    std::future<T> answer = ask(std::move(call));
    if (!answer.valid() || answer.wait_for(time) != std::future_status::ready) return std::nullopt;
    return answer.get();
  }

 private:
  int most_;
  std::shared_ptr<std::atomic<int>> running_ = std::make_shared<std::atomic<int>>(0);
};

// Patience with many who may hang one by one. Who did not answer in time is not asked again before
// the answer has come, nor for `rest`, so that nobody who is slow on purpose takes much of the time
// or more than one of the threads. Not thread-safe.
template <class Who, class T>
class PatienceWithEach {
 public:
  using Milliseconds = std::chrono::milliseconds;
  explicit PatienceWithEach(int most_at_a_time, Milliseconds time = Milliseconds(250),
                            Milliseconds rest = std::chrono::seconds(10))
      : patience_(most_at_a_time), time_(time), rest_(rest) {}

  // As Patience::ask().
  std::optional<T> ask(const Who& who, std::function<T()> call) {
    const auto now = std::chrono::steady_clock::now();
    std::erase_if(late_, [&](const auto& item) {
      const Late& late = item.second;
      return late.rests_until <= now &&
             late.answer.wait_for(Milliseconds(0)) == std::future_status::ready;
    });
    if (late_.contains(who)) return std::nullopt;
    std::future<T> answer = patience_.ask(std::move(call));
    if (!answer.valid()) return std::nullopt;
    if (answer.wait_for(time_) == std::future_status::ready) return answer.get();
    late_.emplace(who, Late{std::move(answer), now + rest_});
    return std::nullopt;
  }

 private:
  struct Late {
    std::future<T> answer;
    std::chrono::steady_clock::time_point rests_until;
  };
  Patience patience_;
  Milliseconds time_;
  Milliseconds rest_;
  std::map<Who, Late> late_;
};

}  // namespace idlewarden

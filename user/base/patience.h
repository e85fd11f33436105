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

#include "base/shortage.h"

namespace idlewarden {

class Patience {
 public:
  // A call that hangs in the kernel outlives the process too, and keeps open what it can reach. So
  // it begins with no descriptors but 0 to 2, and what it opens is its own (/proc/thread-self/fd,
  // never /proc/self/fd): sockets, locks and pins of the daemon's are free for the next one.
  // `shared`: for libraries that keep descriptors.
  enum class Descriptors { own, shared };
  explicit Patience(int most_at_a_time, Descriptors descriptors = Descriptors::own)
      : most_(most_at_a_time), descriptors_(descriptors) {}

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
      std::thread([running = running_, descriptors = descriptors_, call = std::move(call),
                   promise = std::move(promise)]() mutable {
        if (descriptors == Descriptors::own) leave_descriptors();
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
  static void leave_descriptors() noexcept;

  int most_;
  Descriptors descriptors_;
  std::shared_ptr<std::atomic<int>> running_ = std::make_shared<std::atomic<int>>(0);
};

// Patience with many who may hang one by one. Who did not answer in time is not asked again before
// the answer has come, nor for `rest`, so that nobody who is slow on purpose takes much of the time
// or more than one of the threads. Not thread-safe.
template <class Who>
class PatienceWithEach {
 public:
  using Milliseconds = std::chrono::milliseconds;
  explicit PatienceWithEach(int most_at_a_time, Milliseconds time = Milliseconds(250),
                            Milliseconds rest = std::chrono::seconds(10))
      : patience_(most_at_a_time), time_(time), rest_(rest) {}

  // As Patience::ask(). What the call notes as a shortage (base/shortage.h) is noted for the
  // caller. `time`: if it is less than usual.
  template <class T>
  std::optional<T> ask(const Who& who, std::function<T()> call,
                       std::optional<Milliseconds> time = {}) {
    const auto now = std::chrono::steady_clock::now();
    std::erase_if(late_, [&](const auto& item) {
      return item.second.rests_until <= now && item.second.has_answered();
    });
    if (late_.contains(who)) return std::nullopt;
    const auto answer =
        std::make_shared<std::future<Told<T>>>(patience_.ask<Told<T>>([call = std::move(call)] {
          ShortageWatch shortage;
          Told<T> told{call(), 0};
          told.shortage = shortage.take();
          return told;
        }));
    if (!answer->valid()) return std::nullopt;
    const auto is_there = [answer](Milliseconds time) {
      return answer->wait_for(time) == std::future_status::ready;
    };
    if (!is_there(time.value_or(time_))) {
      late_.emplace(who, Late{[is_there] { return is_there(Milliseconds(0)); }, now + rest_});
      return std::nullopt;
    }
    Told<T> told = answer->get();
    note_shortage(told.shortage);
    return std::move(told.answer);
  }

 private:
  template <class T>
  struct Told {
    T answer;
    int shortage;
  };
  struct Late {
    std::function<bool()> has_answered;
    std::chrono::steady_clock::time_point rests_until;
  };
  Patience patience_;
  Milliseconds time_;
  Milliseconds rest_;
  std::map<Who, Late> late_;
};

}  // namespace idlewarden

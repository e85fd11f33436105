// SPDX-License-Identifier: Apache-2.0
// Calls that wait for somebody else: a directory server behind NSS, a file on a network. Whoever
// has a loop to keep going gives each to another thread and does not wait for ever. A thread whose
// call hangs stays behind, so there are never more than a few at a time: while they hang, nothing
// more is asked. One that has answered waits for the next call: to begin a thread takes longer than
// most answers.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <concepts>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
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
  explicit Patience(int most_at_a_time, Descriptors descriptors = Descriptors::own);
  ~Patience();
  Patience(Patience&&) noexcept = default;
  Patience& operator=(Patience&&) = delete;

  // How the thread of a call fares.
  class Progress {
   public:
    // Whether it could run and has hardly been let. False where that cannot be told.
    bool is_starved() const;

   private:
    friend class Patience;
    void begin() noexcept;
    std::atomic<pid_t> thread_ = 0;  // 0: it has not begun
    std::atomic<std::chrono::steady_clock::duration> began_{};
    std::atomic<std::chrono::nanoseconds> had_run_{};  // when it began
  };

  // `call` may outlive the caller, and main(): it owns what it uses, uses nothing that is destroyed
  // at exit, and throws nothing. It blocks all signals. Not valid() if too many hang already, or no
  // thread is to be had. `progress`: for who goes on to wait for the answer.
  template <class T>
  std::future<T> ask(std::function<T()> call, std::shared_ptr<Progress> progress = nullptr) {
    const bool is_waited_for = progress != nullptr;
    const auto promise = std::make_shared<std::promise<T>>();
    std::future<T> answer = promise->get_future();
    const bool given = give(
        [call = std::move(call), promise, progress = std::move(progress)] {
          if (progress) progress->begin();
          const auto answered = std::make_shared<T>(call());
          return [answered, promise] { promise->set_value(std::move(*answered)); };
        },
        is_waited_for);
    return given ? std::move(answer) : std::future<T>();
  }

  // The answer, if there is one in time.
  template <class T>
  std::optional<T> ask(std::chrono::milliseconds time, std::function<T()> call) {
    std::future<T> answer = ask(std::move(call));
    if (!answer.valid() || answer.wait_for(time) != std::future_status::ready) return std::nullopt;
    return answer.get();
  }

 private:
  struct Room;
  // Makes the call; what it returns hands the answer over.
  using Call = std::function<std::function<void()>()>;
  bool give(Call call, bool is_waited_for);

  std::shared_ptr<Room> room_;
};

// What a call on this thread takes.
class TimeOfCall {
 public:
  struct Taken {
    // By its own doing: all its time if it slept in it, else what it ran. That a thread does not
    // get to run is the machine's doing.
    std::chrono::nanoseconds time{};
    std::chrono::nanoseconds ran{};  // of a CPU
  };
  TimeOfCall() noexcept;
  Taken so_far() const noexcept;

 private:
  struct Reading {
    std::chrono::steady_clock::time_point at;
    std::chrono::nanoseconds ran;
    long sleeps;
  };
  static Reading read() noexcept;
  Reading begin_;
};

// What the answers that the calling thread had of PatienceWithEach have taken of a CPU, elsewhere.
std::chrono::nanoseconds cost_of_answers() noexcept;
void add_cost_of_answer(std::chrono::nanoseconds cost) noexcept;

// Patience with many who may hang one by one. Who did not answer in time is not asked again before
// the answer has come. Who has taken more than twice `time` in all is not asked until what is above
// that is forgotten: kForgotten in each `rest`. So nobody who is slow on purpose takes much of the
// time or more than one of the threads, and who was slow once, on a busy machine, is asked on. Not
// thread-safe.
template <class Who>
class PatienceWithEach {
 public:
  using Milliseconds = std::chrono::milliseconds;
  explicit PatienceWithEach(int most_at_a_time, Milliseconds time = Milliseconds(250),
                            Milliseconds rest = std::chrono::seconds(10))
      : patience_(most_at_a_time), time_(time), rest_(rest) {}

  // As Patience::ask(). What the call notes as a shortage (base/shortage.h) is noted for the
  // caller. `time`: if it is less than usual. A thread that does not get to run has more, of kMore.
  template <class T>
  std::optional<T> ask(const Who& who, std::function<T()> call,
                       std::optional<Milliseconds> time = {}) {
    return ask<T>([&] { return who; }, std::move(call), time);
  }
  // `who` is not called unless it matters: somebody is late, or this takes long.
  template <class T>
  std::optional<T> ask(std::invocable auto who, std::function<T()> call,
                       std::optional<Milliseconds> time = {}) {
    const Time begin = std::chrono::steady_clock::now();
    if (somebody_is_late() && late_.contains(who())) return std::nullopt;
    const auto progress = std::make_shared<Patience::Progress>();
    const auto answer = std::make_shared<std::future<Told<T>>>(patience_.ask<Told<T>>(
        [call = std::move(call)] {
          ShortageWatch shortage;
          const TimeOfCall took;
          Told<T> told{call(), 0, {}};
          told.shortage = shortage.take();
          told.took = took.so_far();
          return told;
        },
        progress));
    if (!answer->valid()) return std::nullopt;
    const auto is_there = [answer](Milliseconds time) {
      return answer->wait_for(time) == std::future_status::ready;
    };
    const Milliseconds round = time.value_or(time_);
    bool there = is_there(round);
    bool starved = false;
    while (!there && (starved = progress->is_starved()) && has_more(round)) there = is_there(round);
    if (!there) {
      const Who late = who();
      // The rounds before the last were the machine's doing.
      late_.emplace(late, Late{[is_there] { return is_there(Milliseconds(0)); },
                               starved ? begin : charge(late, round)});
      return std::nullopt;
    }
    Told<T> told = answer->get();
    add_cost_of_answer(told.took.ran);
    if (told.took.time > kUsual) {
      const Who slow = who();
      late_.emplace(slow, Late{[] { return true; },
                               charge(slow, std::min<Duration>(told.took.time - kUsual, round))});
    }
    note_shortage(told.shortage);
    return std::move(told.answer);
  }

  // Or rests, having taken too much.
  bool somebody_is_late() {
    const Time now = std::chrono::steady_clock::now();
    std::erase_if(late_, [&](const auto& item) {
      return item.second.rests_until <= now && item.second.has_answered();
    });
    return !late_.empty();
  }

 private:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;
  template <class T>
  struct Told {
    T answer;
    int shortage;
    TimeOfCall::Taken took;
  };
  struct Late {
    std::function<bool()> has_answered;
    Time rests_until;
  };
  struct Taken {
    Duration time;
    Time as_of;
  };
  // What anybody's answer takes, who has many processes, is not charged.
  static constexpr Milliseconds kUsual{1};
  static constexpr Milliseconds kForgotten{250};
  // For threads that do not get to run, in all of kMorePer.
  static constexpr Milliseconds kMore{1000};
  static constexpr Milliseconds kMorePer{10'000};

  bool has_more(Milliseconds round) {
    const Time now = std::chrono::steady_clock::now();
    if (now >= more_until_) {
      more_until_ = now + kMorePer;
      more_ = kMore;
    }
    if (more_ < round) return false;
    more_ -= round;
    return true;
  }

  // When it may be asked again.
  Time charge(const Who& who, Duration took) {
    const Time now = std::chrono::steady_clock::now();
    if (rest_ <= rest_.zero()) return now;
    const double forgets = std::chrono::duration<double>(kForgotten) / rest_;  // of each second
    const auto left = [&](const Taken& taken) {
      return taken.time - std::chrono::duration_cast<Duration>((now - taken.as_of) * forgets);
    };
    std::erase_if(taken_, [&](const auto& item) { return left(item.second) <= Duration(0); });
    const auto found = taken_.find(who);
    const Duration all = took + (found == taken_.end() ? Duration(0) : left(found->second));
    taken_.insert_or_assign(who, Taken{all, now});
    const Duration above = std::max(all - 2 * time_, Duration(0));
    return now + std::chrono::duration_cast<Duration>(above / forgets);
  }

  Patience patience_;
  Milliseconds time_;
  Milliseconds rest_;
  std::map<Who, Late> late_;
  std::map<Who, Taken> taken_;
  Milliseconds more_{0};
  Time more_until_{};
};

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "base/patience.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace idlewarden {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kTime = 500ms;

std::function<int()> after(std::chrono::milliseconds time) {
  return [time] {
    std::this_thread::sleep_for(time);
    return 1;
  };
}

// Answers that come just in time are no way to take as much of it as one likes.
TEST(PatienceWithEach, WhoIsSlowTakesLittleInAll) {
  PatienceWithEach<std::string> patience(8, kTime, 10s);
  EXPECT_TRUE(patience.ask<int>("bob", after(0ms)));
  const auto begin = Clock::now();
  int answers = 0;
  for (int i = 0; i < 20; ++i) answers += patience.ask<int>("alice", after(kTime / 2)) ? 1 : 0;
  EXPECT_LE(Clock::now() - begin, 3 * kTime + 100ms);
  EXPECT_GE(answers, 1);
  EXPECT_TRUE(patience.ask<int>("bob", after(0ms))) << "who is another";
}

TEST(PatienceWithEach, WhoWasSlowIsAskedAgainAfterARest) {
  PatienceWithEach<std::string> patience(8, kTime / 2, 1s);
  for (int i = 0; i < 20; ++i) (void)patience.ask<int>("alice", after(kTime / 4));
  EXPECT_FALSE(patience.ask<int>("alice", after(0ms)));
  std::this_thread::sleep_for(1100ms);
  EXPECT_TRUE(patience.ask<int>("alice", after(0ms)));
}

// A process that begins a program on a busy machine is late once; it is not out of sight for it.
TEST(PatienceWithEach, WhoWasLateOnceIsAskedAgainOnceThatIsAnswered) {
  PatienceWithEach<std::string> patience(8, kTime / 2, 1000s);
  EXPECT_FALSE(patience.ask<int>("alice", after(kTime)));
  EXPECT_FALSE(patience.ask<int>("alice", after(0ms))) << "it still hangs";
  std::this_thread::sleep_for(kTime);
  EXPECT_TRUE(patience.ask<int>("alice", after(0ms)));
}

TEST(PatienceWithEach, WhoIsLateEachTimeTakesLittleInAll) {
  PatienceWithEach<std::string> patience(8, 100ms, 1000s);
  const auto begin = Clock::now();
  Clock::duration waited{};
  while (Clock::now() - begin < 4s) {
    const auto asked = Clock::now();
    EXPECT_FALSE(patience.ask<int>("alice", after(400ms)));
    waited += Clock::now() - asked;
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_GE(waited, 150ms) << "more than once";
  EXPECT_LE(waited, 600ms);  // else it were a second
}

// One user has hundreds of sessions, each asked for at each scan.
TEST(PatienceWithEach, WhoIsAskedOftenAndAnswersAtOnceIsAskedOn) {
  PatienceWithEach<std::string> patience(8, kTime, 10s);
  int answers = 0;
  for (int i = 0; i < 2000; ++i) answers += patience.ask<int>("alice", [] { return 1; }) ? 1 : 0;
  EXPECT_EQ(answers, 2000);
}

// One CPU, which eight others have as well.
class BusyMachine {
 public:
  BusyMachine() {
    cpu_set_t one;
    ::sched_getaffinity(0, sizeof before_, &before_);
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu) {
      if (CPU_ISSET(cpu, &before_)) CPU_SET(cpu, &one);
    }
    ::sched_setaffinity(0, sizeof one, &one);
    for (int i = 0; i < 8; ++i) {
      others_.emplace_back([](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
        }
      });
    }
  }
  ~BusyMachine() { ::sched_setaffinity(0, sizeof before_, &before_); }

 private:
  cpu_set_t before_{};
  std::vector<std::jthread> others_;
};

// Takes this much of a CPU.
std::function<int()> after_work(std::chrono::nanoseconds time) {
  return [time] {
    timespec ran{};
    do {
      ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran);
    } while (std::chrono::seconds(ran.tv_sec) + std::chrono::nanoseconds(ran.tv_nsec) < time);
    return 1;
  };
}

// That a thread does not get to run is not who is asked's doing.
TEST(PatienceWithEach, ABusyMachineIsNobodysDoing) {
  const BusyMachine busy;
  PatienceWithEach<std::string> patience(8, 2s, 1000s);
  const auto begin = Clock::now();
  int asked = 0;
  int answers = 0;
  // For longer than it may take, nearly all of which is waiting for the processor.
  for (; Clock::now() - begin < 4s; ++asked) {
    answers += patience.ask<int>("alice", [] { return 1; }) ? 1 : 0;
  }
  EXPECT_EQ(answers, asked);
}

// Nor is it waited for as one that hangs.
TEST(PatienceWithEach, AThreadThatDoesNotGetToRunHasMoreTime) {
  const BusyMachine busy;
  PatienceWithEach<std::string> patience(8, 30ms, 1000s);
  EXPECT_TRUE(patience.ask<int>("alice", after_work(10ms)));
}

// One that has answered waits for the next; which nobody has who hangs.
TEST(Patience, OneThreadAnswersAllThatIsAskedOneAfterTheOther) {
  Patience patience(2);
  std::set<std::thread::id> threads;
  for (int i = 0; i < 100; ++i) {
    threads.insert(*patience.ask<std::thread::id>(10s, [] { return std::this_thread::get_id(); }));
  }
  EXPECT_EQ(threads.size(), 1U);
  EXPECT_FALSE(patience.ask<int>(1ms, after(300ms)));
  EXPECT_TRUE(patience.ask<int>(10s, after(0ms))) << "another thread";
  EXPECT_FALSE(patience.ask<int>(1ms, after(300ms)));
  EXPECT_FALSE(patience.ask<int>(std::function<int()>(after(0ms))).valid()) << "two hang";
  std::this_thread::sleep_for(600ms);
  EXPECT_TRUE(patience.ask<int>(10s, after(0ms)));
}

// A call is one thread's, though another one becomes free before that has taken it.
TEST(Patience, WhatIsAskedTogetherIsAnsweredEach) {
  Patience patience(4);
  for (int i = 0; i < 5000; ++i) {
    std::vector<std::future<int>> answers;
    for (int k = 0; k < 4; ++k) answers.push_back(patience.ask<int>([k] { return k; }));
    for (int k = 0; k < 4; ++k) {
      ASSERT_TRUE(answers[static_cast<std::size_t>(k)].valid()) << i;
      ASSERT_EQ(answers[static_cast<std::size_t>(k)].get(), k);
    }
  }
}

TEST(Patience, ItsThreadsLeaveSignalsToOthers) {
  const auto blocked = Patience(1).ask<bool>(10s, [] {
    sigset_t now;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &now);
    return sigismember(&now, SIGTERM) == 1 && sigismember(&now, SIGHUP) == 1;
  });
  EXPECT_EQ(blocked, true);
  sigset_t mine;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mine);
  EXPECT_EQ(sigismember(&mine, SIGTERM), 0);
}

// With nothing asked any more its threads go, also the one that hung meanwhile.
TEST(Patience, WhatGoesLeavesNoThread) {
  std::set<pid_t> threads;
  {
    Patience patience(4);
    for (const auto hang : {300ms, 0ms}) {
      const auto thread = std::make_shared<std::atomic<pid_t>>(0);
      EXPECT_EQ(patience.ask<int>(hang == 0ms ? 10s : 100ms,
                                  [thread, hang] {
                                    *thread = ::gettid();
                                    return after(hang)();
                                  }),
                hang == 0ms ? std::optional(1) : std::nullopt);
      threads.insert(*thread);
    }
  }
  EXPECT_EQ(threads.size(), 2U);
  const auto lives = [](pid_t thread) {
    return std::filesystem::exists("/proc/self/task/" + std::to_string(thread));
  };
  for (int i = 0; i < 500 && std::ranges::any_of(threads, lives); ++i) {
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_TRUE(std::ranges::none_of(threads, lives));
}

}  // namespace
}  // namespace idlewarden

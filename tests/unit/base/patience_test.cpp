// SPDX-License-Identifier: Apache-2.0
#include "base/patience.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <chrono>
#include <functional>
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
  EXPECT_LE(Clock::now() - begin, 2 * kTime + 100ms);
  EXPECT_GE(answers, 1);
  EXPECT_TRUE(patience.ask<int>("bob", after(0ms))) << "who is another";
}

TEST(PatienceWithEach, WhoWasSlowIsAskedAgainAfterARest) {
  PatienceWithEach<std::string> patience(8, kTime / 2, 1s);
  for (int i = 0; i < 3; ++i) (void)patience.ask<int>("alice", after(kTime / 4));
  EXPECT_FALSE(patience.ask<int>("alice", after(0ms)));
  std::this_thread::sleep_for(1100ms);
  EXPECT_TRUE(patience.ask<int>("alice", after(0ms)));
}

// One user has hundreds of sessions, each asked for at each scan.
TEST(PatienceWithEach, WhoIsAskedOftenAndAnswersAtOnceIsAskedOn) {
  PatienceWithEach<std::string> patience(8, kTime, 10s);
  int answers = 0;
  for (int i = 0; i < 2000; ++i) answers += patience.ask<int>("alice", [] { return 1; }) ? 1 : 0;
  EXPECT_EQ(answers, 2000);
}

// That a thread does not get to run is not who is asked's doing.
TEST(PatienceWithEach, ABusyMachineIsNobodysDoing) {
  cpu_set_t before;
  cpu_set_t one;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  }
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  std::vector<std::jthread> busy;
  for (int i = 0; i < 8; ++i) {
    busy.emplace_back([](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
      }
    });
  }
  PatienceWithEach<std::string> patience(8, 2s, 1000s);
  const auto begin = Clock::now();
  int asked = 0;
  int answers = 0;
  // For longer than it may take, nearly all of which is waiting for the processor.
  for (; Clock::now() - begin < 4s; ++asked) {
    answers += patience.ask<int>("alice", [] { return 1; }) ? 1 : 0;
  }
  EXPECT_EQ(answers, asked);
  ::sched_setaffinity(0, sizeof before, &before);
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "kernel/input_sampler.h"

#include <gtest/gtest.h>

namespace idlewarden {
namespace {

constexpr Tty kPts{.address = 0x1000, .major = 136, .minor = 3, .index = 3, .devpts_dev = 24};
constexpr Tty kConsole{.address = 0x2000, .major = 4, .minor = 1, .index = 1, .devpts_dev = 0};

BootTime at(int seconds) {
  return boot_time(static_cast<std::uint64_t>(seconds) * 1'000'000'000);
}

class Sampler : public testing::Test {
 protected:
  void scan(const Tty& tty, const LineState& line, int seconds) {
    sampler_.observe(tty, line, at(seconds));
    sampler_.end_scan(at(seconds));
  }
  std::optional<BootTime> last_input(const Tty& tty) { return sampler_.input(tty).last_input; }

  InputSampler sampler_;
};

TEST_F(Sampler, KnowsNothingOfATtyThatIsNotWatched) {
  scan(kPts, {.flip_used = 1}, 10);
  scan(kPts, {.flip_used = 2}, 12);
  EXPECT_EQ(sampler_.input(kPts).since, std::nullopt);
  EXPECT_EQ(last_input(kPts), std::nullopt);
}

TEST_F(Sampler, InputIsDatedToTheScanThatNoticedIt) {
  scan(kPts, {.read_head = 1, .flip = 7, .flip_used = 1}, 10);
  sampler_.watch(kPts);
  scan(kPts, {.read_head = 1, .flip = 7, .flip_used = 1}, 12);
  EXPECT_EQ(last_input(kPts), std::nullopt);
  scan(kPts, {.read_head = 2, .flip = 7, .flip_used = 2}, 14);
  scan(kPts, {.read_head = 2, .flip = 7, .flip_used = 2}, 16);
  EXPECT_EQ(last_input(kPts), at(14));
  EXPECT_EQ(sampler_.input(kPts).inputs, 1U);
}

TEST_F(Sampler, TheLastScanIsTheBaseline) {
  scan(kPts, {.flip_used = 1}, 10);
  sampler_.watch(kPts);
  EXPECT_EQ(sampler_.input(kPts).since, at(10));
  scan(kPts, {.flip_used = 2}, 12);
  EXPECT_EQ(last_input(kPts), at(12));
}

TEST_F(Sampler, WithoutAScanTheNextIsTheBaseline) {
  sampler_.watch(kPts);
  EXPECT_EQ(sampler_.input(kPts).since, std::nullopt);
  scan(kPts, {.flip_used = 9}, 10);
  EXPECT_EQ(sampler_.input(kPts).since, at(10));
  EXPECT_EQ(last_input(kPts), std::nullopt);
}

TEST_F(Sampler, AConsoleThatWasFlushedWasUsed) {
  scan(kConsole, {.read_head = 9}, 10);
  sampler_.watch(kConsole);
  scan(kConsole, {.read_head = 0}, 12);
  EXPECT_EQ(last_input(kConsole), at(12));
}

TEST_F(Sampler, APtsThatOnlyItsOwnProgramTypedIntoWasNot) {
  scan(kPts, {.read_head = 9}, 10);
  sampler_.watch(kPts);
  scan(kPts, {.read_head = 10}, 12);
  EXPECT_EQ(last_input(kPts), std::nullopt);
}

TEST_F(Sampler, ASignalCharacterIsSeenThoughReadHeadStays) {
  scan(kConsole, {.read_head = 0, .flip_used = 5}, 10);
  sampler_.watch(kConsole);
  scan(kConsole, {.read_head = 0, .flip_used = 6}, 12);
  EXPECT_EQ(last_input(kConsole), at(12));
}

TEST_F(Sampler, WhatTheHookRecordedIsNotCountedAgain) {
  scan(kPts, {.flip_used = 1, .recorded = 0}, 10);
  sampler_.watch(kPts);
  scan(kPts, {.flip_used = 2, .recorded = 1}, 12);
  EXPECT_EQ(last_input(kPts), std::nullopt);
}

TEST_F(Sampler, WhatTheHookMissedIsInput) {
  scan(kPts, {.flip_used = 1, .recorded = 5}, 10);
  sampler_.watch(kPts);
  scan(kPts, {.flip_used = 2, .recorded = 5}, 12);
  EXPECT_EQ(last_input(kPts), at(12));
}

TEST_F(Sampler, WatchingTwiceForgetsNothing) {
  scan(kPts, {.flip_used = 1}, 10);
  sampler_.watch(kPts);
  scan(kPts, {.flip_used = 2}, 12);
  sampler_.watch(kPts);
  EXPECT_EQ(last_input(kPts), at(12));
}

TEST_F(Sampler, AWatchThatEndedAndBeganAgainStartsAfresh) {
  sampler_.watch(kPts);
  scan(kPts, {.flip_used = 1}, 10);
  scan(kPts, {.flip_used = 2}, 12);
  sampler_.unwatch(kPts);
  EXPECT_FALSE(sampler_.watches(kPts));
  sampler_.watch(kPts);
  EXPECT_EQ(last_input(kPts), std::nullopt);
  EXPECT_EQ(sampler_.input(kPts).since, at(12));
}

TEST_F(Sampler, ATtyThatIsGoneIsForgotten) {
  scan(kPts, {.flip_used = 1}, 10);
  sampler_.end_scan(at(12));
  sampler_.watch(kPts);
  EXPECT_EQ(sampler_.input(kPts).since, std::nullopt);
}

// Same address and number, another devpts mount.
TEST_F(Sampler, AnotherTtyOfTheSameNumberIsAnother) {
  Tty other = kPts;
  other.devpts_dev = 25;
  scan(kPts, {.flip_used = 1}, 10);
  sampler_.watch(kPts);
  sampler_.observe(other, {.flip_used = 2}, at(12));
  EXPECT_EQ(last_input(kPts), std::nullopt);
}

}  // namespace
}  // namespace idlewarden

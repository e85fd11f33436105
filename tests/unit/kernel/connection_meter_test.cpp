// SPDX-License-Identifier: Apache-2.0
#include "kernel/connection_meter.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <vector>

namespace idlewarden {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct FakeClock final : Clock {
  BootTime now() const override { return at; }
  WallTime wall() const override { return WallTime(Seconds(1'000'000)); }
  BootTime at{Seconds(100)};
};

// An sshd by its counters. What the next looks find first can be set.
struct FakeProbe final : ConnectionProbe {
  Result<ConnectionBytes> look(const ConnectionEnd& end) override {
    ++looks;
    last = end;
    if (error != 0) return fail_errno("cannot look", error);
    if (!first.empty()) {
      const ConnectionBytes found = first.front();
      first.pop_front();
      return found;
    }
    return bytes;
  }
  void from_client(std::uint64_t wire) {
    bytes.read += wire;
    bytes.taken += wire;
  }
  void to_client(std::uint64_t wire) {
    bytes.written += wire;
    bytes.given += wire;
  }
  ConnectionBytes bytes{.read = 9000, .written = 5000, .taken = 8000, .given = 4000, .socket = 7};
  std::deque<ConnectionBytes> first;
  ConnectionEnd last;
  int error = 0;
  int looks = 0;
};

struct MeterTest : ::testing::Test {
  MeterTest() { meter.watch(end); }
  // A sample so many seconds later.
  InputSeen after(double s) {
    clock.at += Nanoseconds(static_cast<std::int64_t>(s * 1e9));
    meter.sample();
    return meter.input(end);
  }

  FakeClock clock;
  FakeProbe probe;
  ConnectionMeter meter{probe, clock};
  const ConnectionEnd end{4711, 815, 4};
  InputSeen seen;
};

TEST_F(MeterTest, NothingMovesIt) {
  EXPECT_EQ(probe.last, end);
  seen = after(2);
  EXPECT_EQ(seen.last_input, std::nullopt);
  EXPECT_EQ(seen.last_output, std::nullopt);
  EXPECT_EQ(seen.inputs, 0u);
  EXPECT_EQ(seen.since, BootTime(Seconds(100)));
}

TEST_F(MeterTest, ACommandThatHasEndedIsInput) {
  probe.bytes.children = 171;
  seen = after(2);
  EXPECT_EQ(seen.last_input, clock.at);
  EXPECT_EQ(after(2).last_input, seen.last_input);
}

TEST_F(MeterTest, ItIsKnownSinceItsConnectionIsQuiet) {
  const ConnectionEnd quiet{4712, 816, 4};
  probe.bytes.quiet = Seconds(30);
  meter.watch(quiet);
  EXPECT_EQ(meter.input(quiet).since, BootTime(Seconds(70)));
  EXPECT_EQ(meter.input(quiet).last_input, std::nullopt);
}

TEST_F(MeterTest, KeepalivesOfBothSidesLeaveIt) {
  for (int i = 0; i < 100; ++i) {
    probe.from_client(52);
    probe.to_client(28);
    probe.to_client(52);
    probe.from_client(28);
    EXPECT_EQ(after(1).last_input, std::nullopt);
  }
}

TEST_F(MeterTest, ThreeTypedBytesMoveIt) {
  probe.from_client(36);
  probe.bytes.written += 3;
  seen = after(2);
  EXPECT_EQ(seen.last_input, clock.at);
  EXPECT_EQ(seen.inputs, 1u);
  seen = after(2);
  EXPECT_EQ(seen.last_input, clock.at - Seconds(2));
}

TEST_F(MeterTest, ALookInTheMiddleOfAWriteIsRepeated) {
  // Given to the socket, and not yet counted as written.
  ConnectionBytes middle = probe.bytes;
  middle.given += 52;
  probe.first = {middle, middle};
  const int before = probe.looks;
  EXPECT_EQ(after(2).last_input, std::nullopt);
  EXPECT_EQ(probe.looks - before, 3);
  probe.to_client(52);
  EXPECT_EQ(after(2).last_input, std::nullopt);
}

TEST_F(MeterTest, OneThatCanOnlyBeFoundInTheMiddleOfAWriteIsNotIdle) {
  probe.bytes.given += 52;
  seen = after(2);
  EXPECT_EQ(seen.last_input, clock.at);
  clock.at += Seconds(1);
  EXPECT_EQ(meter.input(end).last_input, clock.at) << "now, not when it was sampled";
  EXPECT_THAT(meter.take_problems(), IsEmpty());
  probe.bytes.written += 52;
  EXPECT_EQ(after(2).last_input, std::nullopt) << "it was a write to the client, and nothing else";
}

TEST_F(MeterTest, AWriteToTheClientDoesNotHideInput) {
  probe.bytes.written += 3;
  ConnectionBytes middle = probe.bytes;
  middle.given += 52;
  probe.first = {middle};
  seen = after(2);
  EXPECT_EQ(seen.last_input, clock.at);
}

TEST_F(MeterTest, ALittleOutputIsNoTransfer) {
  for (int i = 0; i < 10; ++i) {
    probe.bytes.read += 1000;
    probe.to_client(1050);
    seen = after(1);
    EXPECT_EQ(seen.last_input, std::nullopt);
    EXPECT_EQ(seen.last_output, clock.at);
  }
}

TEST_F(MeterTest, ATransferToTheClientIsActivity) {
  probe.bytes.read += 1024;
  probe.to_client(1100);
  seen = after(1);
  EXPECT_EQ(seen.last_input, clock.at);
  probe.bytes.read += 2 * 1024;
  seen = after(2);
  EXPECT_EQ(seen.last_input, clock.at);
  seen = after(2);
  EXPECT_EQ(seen.last_input, clock.at - Seconds(2));
}

TEST_F(MeterTest, ABurstIsMeasuredOverASecondAtLeast) {
  probe.bytes.read += 1000;
  EXPECT_EQ(after(0.25).last_input, std::nullopt);
  EXPECT_EQ(after(0.85).last_input, std::nullopt);
  probe.bytes.read += 1500;
  EXPECT_EQ(after(0.5).last_input, std::nullopt);
  seen = after(0.6);
  EXPECT_EQ(seen.last_input, clock.at);
}

TEST_F(MeterTest, WhatCannotBeReadIsNotIdleAndIsToldOnce) {
  probe.error = EPERM;
  seen = after(2);
  EXPECT_EQ(seen.last_input, clock.at);
  seen = after(2);
  EXPECT_EQ(seen.last_input, clock.at);
  const auto problems = meter.take_problems();
  ASSERT_THAT(problems, SizeIs(1));
  EXPECT_THAT(problems[0].text(), HasSubstr("cannot look"));
  probe.error = 0;
  EXPECT_EQ(after(2).last_input, std::nullopt) << "nothing had moved";
  EXPECT_THAT(meter.take_problems(), IsEmpty());
}

TEST_F(MeterTest, OneThatEndsIsNotTold) {
  probe.error = ESRCH;
  seen = after(2);
  EXPECT_EQ(seen.last_input, clock.at);
  EXPECT_THAT(meter.take_problems(), IsEmpty());
}

TEST_F(MeterTest, AnotherConnectionUnderTheSameNumbersIsNotIdle) {
  probe.bytes.socket = 8;
  seen = after(2);
  EXPECT_EQ(seen.last_input, clock.at);
  EXPECT_THAT(meter.take_problems(), SizeIs(1));
}

TEST_F(MeterTest, OneMoreLookAtOneConnection) {
  const ConnectionEnd other{4712, 816, 4};
  meter.watch(other);
  probe.bytes.written += 1;
  meter.sample(other);
  EXPECT_EQ(meter.input(other).last_input, clock.at);
  EXPECT_EQ(meter.input(end).last_input, std::nullopt);
}

TEST_F(MeterTest, SeveralSessionsShareAConnection) {
  meter.watch(end);
  meter.unwatch(end);
  probe.bytes.written += 1;
  seen = after(2);
  EXPECT_EQ(seen.last_input, clock.at);
  meter.unwatch(end);
  const int before = probe.looks;
  EXPECT_EQ(after(2).since, std::nullopt);
  EXPECT_EQ(probe.looks, before);
}

TEST_F(MeterTest, ManyAreLookedAtInTurn) {
  std::vector<ConnectionEnd> all{end};
  for (pid_t pid = 10'000; pid < 10'499; ++pid) all.push_back({pid, 1, 4});
  for (const ConnectionEnd& one : all) meter.watch(one);
  probe.bytes.written += 1;
  const auto noticed = [&] {
    return std::ranges::count_if(
        all, [&](const ConnectionEnd& one) { return meter.input(one).last_input.has_value(); });
  };
  for (const int expected : {200, 400, 500, 500}) {
    const int before = probe.looks;
    after(1);
    EXPECT_EQ(probe.looks - before, 200);
    EXPECT_EQ(noticed(), expected);
  }
}

TEST_F(MeterTest, OneThatCannotBeMeasuredAtFirstIsTriedAgain) {
  const ConnectionEnd other{4712, 816, 4};
  probe.error = EPERM;
  meter.watch(other);
  EXPECT_EQ(meter.input(other).since, std::nullopt);
  EXPECT_EQ(meter.input(other).last_input, clock.at);
  probe.error = 0;
  after(2);
  EXPECT_EQ(meter.input(other).since, clock.at);
  // What was sent until then is in no count.
  const BootTime first = clock.at;
  EXPECT_EQ(meter.input(other).last_input, first);
  after(2);
  EXPECT_EQ(meter.input(other).last_input, first);
}

}  // namespace
}  // namespace idlewarden

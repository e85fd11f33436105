// SPDX-License-Identifier: Apache-2.0
#include "enforce/connection_use.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <deque>
#include <functional>
#include <string>

#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using Since = ConnectionUse::Since;

constexpr pid_t kHost = 4711;
constexpr pid_t kLeader = 4800;

// An sshd by its counters. What the next looks find first can be set.
struct FakeProbe final : ConnectionProbe {
  Result<ConnectionBytes> look(const ConnectionEnd& end) override {
    ++looks;
    last = end;
    if (on_look) on_look();
    if (error != 0) return fail_errno("cannot look", error);
    if (first.empty()) return bytes;
    const ConnectionBytes found = first.front();
    first.pop_front();
    return found;
  }
  ConnectionBytes bytes{
      .read = 9000, .written = 5000, .taken = 8000, .given = 4000, .socket = 7, .children = 100};
  std::deque<ConnectionBytes> first;
  std::function<void()> on_look;
  ConnectionEnd last;
  int error = 0;
  int looks = 0;
};

class ConnectionUseTest : public testing::Test {
 protected:
  ConnectionUseTest() { children("4800"); }
  void children(const std::string& pids) const {
    dir.file(fmt::format("{0}/task/{0}/children", kHost), pids);
  }
  ConnectionUse seized() { return {probe, Procfs(dir.path()), end, kLeader}; }
  // The leader ends and is waited for.
  void leader_ends() {
    children("");
    probe.bytes.children += 71;
  }

  const test::TempDir dir;
  FakeProbe probe;
  const ConnectionEnd end{kHost, 815, 4};
};

TEST_F(ConnectionUseTest, TheEndOfTheLeaderIsNoUse) {
  ConnectionUse use = seized();
  EXPECT_EQ(probe.last, end);
  EXPECT_EQ(use.look(), Since::none_yet);
  leader_ends();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(use.look(), Since::none);
}

TEST_F(ConnectionUseTest, WhatGoesToTheClientIsNoUse) {
  ConnectionUse use = seized();
  leader_ends();
  probe.bytes.written += 88;
  probe.bytes.given += 88;
  probe.bytes.read += 36;
  probe.bytes.taken += 36;
  EXPECT_EQ(use.look(), Since::none);
}

TEST_F(ConnectionUseTest, AByteThatCameSinceIsUseForGood) {
  for (const bool before_the_end : {true, false}) {
    ConnectionUse use = seized();
    if (!before_the_end) {
      leader_ends();
      EXPECT_EQ(use.look(), Since::none);
    }
    probe.bytes.written += 2;
    EXPECT_EQ(use.look(), Since::some);
    probe.bytes.written -= 2;
    if (before_the_end) leader_ends();
    EXPECT_EQ(use.look(), Since::some);
    children("4800");
  }
}

TEST_F(ConnectionUseTest, ButForTheByteByWhichAnSshdTellsItselfOfTheEnd) {
  for (const bool seen_before_the_end : {true, false}) {
    ConnectionUse use = seized();
    ++probe.bytes.written;
    if (seen_before_the_end) {
      EXPECT_EQ(use.look(), Since::none_yet);
    }
    leader_ends();
    for (int i = 0; i < 2; ++i) EXPECT_EQ(use.look(), Since::none);
    ++probe.bytes.written;
    EXPECT_EQ(use.look(), Since::some);
    children("4800");
  }
}

// Between two looks, and so with the leader's own end.
TEST_F(ConnectionUseTest, WhatCameWithTheEndIsUse) {
  ConnectionUse use = seized();
  leader_ends();
  probe.bytes.written += 2;
  EXPECT_EQ(use.look(), Since::some);
}

TEST_F(ConnectionUseTest, ALookInTheMiddleOfAWriteIsRepeated) {
  ConnectionUse use = seized();
  leader_ends();
  ASSERT_EQ(use.look(), Since::none);
  ConnectionBytes middle = probe.bytes;
  middle.given += 52;
  probe.first = {middle, middle, middle};
  EXPECT_EQ(use.look(), Since::none);
  EXPECT_TRUE(probe.first.empty());
  probe.first = {middle, middle, middle, middle};
  EXPECT_EQ(use.look(), Since::some) << "who is found in one so often is at work";
  EXPECT_EQ(use.look(), Since::some);
}

TEST_F(ConnectionUseTest, ACommandThatHasComeAndGoneIsUse) {
  ConnectionUse after = seized();
  leader_ends();
  ASSERT_EQ(after.look(), Since::none);
  ++probe.bytes.children;
  EXPECT_EQ(after.look(), Since::some);
  EXPECT_EQ(after.look(), Since::some);

  children("4800");
  ConnectionUse meanwhile = seized();
  ++probe.bytes.children;
  EXPECT_EQ(meanwhile.look(), Since::some);
}

TEST_F(ConnectionUseTest, ANewCommandIsUse) {
  ConnectionUse meanwhile = seized();
  children("4800 4900");
  EXPECT_EQ(meanwhile.look(), Since::some);
  children("4800");
  ConnectionUse after = seized();
  leader_ends();
  ASSERT_EQ(after.look(), Since::none);
  children("4800");
  EXPECT_EQ(after.look(), Since::some) << "under the leader's pid";
}

TEST_F(ConnectionUseTest, TheEndOfACommandThatWasThereIsNoUse) {
  children("4790 4800");
  ConnectionUse use = seized();
  children("4790");
  probe.bytes.children += 71;
  EXPECT_EQ(use.look(), Since::none_yet);
  leader_ends();
  EXPECT_EQ(use.look(), Since::none);
  ++probe.bytes.children;
  EXPECT_EQ(use.look(), Since::some);
}

// The leader is waited for while it is looked at: its end is still no use, and nothing is missed.
TEST_F(ConnectionUseTest, TheLeaderMayEndInTheMiddleOfALook) {
  for (const int before : {1, 2}) {
    ConnectionUse use = seized();
    const int start = probe.looks;
    probe.on_look = [&] {
      if (probe.looks == start + before) leader_ends();
    };
    EXPECT_NE(use.look(), Since::some);
    EXPECT_EQ(use.look(), Since::none);
    probe.on_look = {};
    children("4800");
  }
}

TEST_F(ConnectionUseTest, WhatCannotBeToldIsUse) {
  probe.error = EPERM;
  ConnectionUse never = seized();
  probe.error = 0;
  leader_ends();
  EXPECT_EQ(never.look(), Since::some) << "not when it was seized";

  ConnectionUse once = seized();
  ASSERT_EQ(once.look(), Since::none);
  probe.error = ESRCH;
  EXPECT_EQ(once.look(), Since::some);
  probe.error = 0;
  EXPECT_EQ(once.look(), Since::some);

  ConnectionUse other = seized();
  probe.bytes.socket = 8;
  EXPECT_EQ(other.look(), Since::some) << "another socket";

  ConnectionUse blind(probe, Procfs("/nonexistent"), end, kLeader);
  EXPECT_EQ(blind.look(), Since::some);
}

}  // namespace
}  // namespace idlewarden

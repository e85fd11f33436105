// SPDX-License-Identifier: Apache-2.0
// The real Terminator on a session that an earlier daemon has hung up. Needs root.
#include <gtest/gtest.h>

#include "enforce/terminate.h"
#include "pty_child.h"

namespace idlewarden {
namespace {

using std::chrono::milliseconds;
using test::ends_within;
using test::PtyChild;

constexpr const char* kStubborn = "trap '' HUP TERM; echo ready; while :; do sleep 0.1; done";

class SeizeAgain : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root may hang up a tty";
  }
  static void hang_up(const PtyChild& child) {
    const auto grip = system_terminator()->seize(child.session);
    ASSERT_TRUE(grip) << grip.error().text();
    ASSERT_TRUE((*grip)->hang_up());
  }
  static std::unique_ptr<Grip> seize_again(const Session& session) {
    auto grip = system_terminator()->seize_again(session);
    EXPECT_TRUE(grip) << grip.error().text();
    return grip ? std::move(*grip) : nullptr;
  }
};

TEST_F(SeizeAgain, ALeaderThatHasLostItsTtyIsHeldByItsPid) {
  PtyChild child(kStubborn);
  hang_up(child);
  const auto grip = seize_again(child.session);
  ASSERT_TRUE(grip);
  EXPECT_TRUE(grip->alive().leader);
  EXPECT_FALSE(grip->say("nobody reads it"));
  EXPECT_FALSE(grip->hang_up());
  EXPECT_TRUE(grip->signal_leader(SIGTERM));
  EXPECT_FALSE(ends_within(grip->leader_fd(), milliseconds(300)));
  EXPECT_TRUE(grip->signal_leader(SIGKILL));
  EXPECT_TRUE(ends_within(grip->leader_fd(), milliseconds(1000)));
  EXPECT_FALSE(grip->alive().leader);
}

TEST_F(SeizeAgain, ALeaderThatHasItsTtyIsWhole) {
  PtyChild child(kStubborn);
  const auto grip = system_terminator()->seize_again(child.session);
  ASSERT_FALSE(grip);
  EXPECT_EQ(grip.error().code, EBUSY);
}

TEST_F(SeizeAgain, AnotherProcessWithTheLeadersPidIsNotHeld) {
  PtyChild child(kStubborn);
  hang_up(child);
  Session other = child.session;
  other.id.start -= std::chrono::seconds(10);
  const auto grip = seize_again(other);
  ASSERT_TRUE(grip);
  EXPECT_FALSE(grip->alive().leader);
  (void)grip->signal_leader(SIGKILL);
  EXPECT_FALSE(grip->kill_survivors());
  EXPECT_TRUE(seize_again(child.session)->alive().leader);
}

TEST_F(SeizeAgain, ALeaderThatHasEndedIsNoError) {
  Session session;
  {
    PtyChild child("trap '' HUP; echo ready; while :; do sleep 0.1; done");
    hang_up(child);
    session = child.session;
    ::kill(child.pid, SIGKILL);
    // A zombie until it is reaped, and then nothing.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (seize_again(session)->alive().leader && std::chrono::steady_clock::now() < deadline) {
      ::usleep(10'000);
    }
    EXPECT_FALSE(seize_again(session)->alive().leader);
  }
  const auto grip = seize_again(session);
  ASSERT_TRUE(grip);
  EXPECT_FALSE(grip->alive().leader);
  EXPECT_FALSE(grip->alive().host_stuck);
}

TEST_F(SeizeAgain, ProcessOneIsNeverTouched) {
  Session session;
  session.id = {1, BootTime{}, 1};
  EXPECT_FALSE(system_terminator()->seize_again(session));
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// What logind says, handed in by the test, and what becomes of the sessions by it.
#include "sessions/logind_sessions.h"

#include <gmock/gmock.h>

#include "made_proc.h"
#include "sessions/session_table.h"

namespace idlewarden {
namespace {

using test::kInit;
using test::leader_on_console;
using test::leader_on_pts;
using test::MadeProc;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr pid_t kListener = 5'000'010;
constexpr pid_t kMonitor = 5'000'011;  // the privileged half of an sshd: who asks PAM
constexpr pid_t kHost = 5'000'012;
constexpr pid_t kShell = 5'000'013;

struct FixedClock final : Clock {
  BootTime now() const override { return boot_time(100'000'000'000); }
  WallTime wall() const override { return WallTime(Seconds(1'000'000)); }
};

BootTime second(int s) {
  return BootTime(Seconds(s));
}

struct LogindTest : ::testing::Test {
  LogindTest() {
    proc.add({.pid = kListener, .executable = "/usr/sbin/sshd"});
    proc.add(
        {.pid = kMonitor, .parent = kListener, .executable = "/usr/sbin/sshd", .start_ticks = 70});
    proc.add({.pid = kHost,
              .parent = kMonitor,
              .executable = "/usr/sbin/sshd",
              .masters = {{8, 3}, {9, 4}}});
    proc.add({.pid = kShell, .parent = kHost, .executable = "/bin/bash", .comm = "bash"});
  }
  LogindSession session(const std::string& id, const std::string& kind = "user") const {
    return {.id = id, .kind = kind, .seat = {}, .leader = kMonitor, .leader_start_ticks = 70};
  }
  SessionTable::Change update(int at) {
    return table.update({leader_on_pts(kShell, kHost, 3)}, second(at));
  }
  const Session& only() const {
    EXPECT_EQ(table.sessions().size(), 1u);
    return table.sessions().begin()->second;
  }

  MadeProc proc;
  FixedClock clock;
  LogindSessions logind;
  SessionTable table{proc.procfs(), clock, {}, &logind};
};

TEST_F(LogindTest, WithoutLogindOnlyTheIdIsMissing) {
  EXPECT_THAT(update(50).started, SizeIs(1));
  EXPECT_EQ(only().logind_session, std::nullopt);
  EXPECT_EQ(only().logind_class, "");
}

TEST_F(LogindTest, TheSessionOfTheSshdThatAskedForIt) {
  logind.put(session("7"));
  update(50);
  EXPECT_EQ(only().logind_session, "7");
  EXPECT_EQ(only().logind_class, "user");
  EXPECT_EQ(only().logind_seat, "");
}

TEST_F(LogindTest, ItMayBeKnownLaterAndChange) {
  update(50);
  logind.put(session("7"));
  EXPECT_THAT(update(52).started, IsEmpty());
  EXPECT_EQ(only().logind_session, "7");
  LogindSession seated = session("7", "user-light");
  seated.seat = "seat0";
  logind.put(seated);
  update(54);
  EXPECT_EQ(only().logind_class, "user-light");
  EXPECT_EQ(only().logind_seat, "seat0");
}

// Nobody is taken for another one's because a leader does not answer.
TEST_F(LogindTest, WhoseLeaderCannotBeLookedAtIsAskedAgain) {
  proc.file(kShell, "cgroup", "0::/user.slice/user-0.slice/session-5.scope\n");
  const auto look = [&](bool can) {
    if (!can) return proc.link(kMonitor, "stat", "/proc/self/mem");  // EIO
    std::filesystem::remove(proc.path() + "/" + std::to_string(kMonitor) + "/stat");
    proc.add(
        {.pid = kMonitor, .parent = kListener, .executable = "/usr/sbin/sshd", .start_ticks = 70});
  };
  look(false);
  logind.put(session("7"));
  logind.put({.id = "5", .kind = "user", .seat = {}, .leader = 5'000'099, .leader_start_ticks = 0});
  EXPECT_THAT(update(50).started, IsEmpty());
  look(true);
  EXPECT_THAT(update(52).started, SizeIs(1));
  EXPECT_EQ(only().logind_session, "7");
}

TEST_F(LogindTest, ASessionWhoseLogindLeaderCannotBeLookedAtStays) {
  update(50);
  proc.link(kMonitor, "stat", "/proc/self/mem");  // EIO
  logind.put(session("7", "greeter"));
  EXPECT_THAT(update(52).ended, IsEmpty());
  EXPECT_EQ(only().logind_session, std::nullopt);
  std::filesystem::remove(proc.path() + "/" + std::to_string(kMonitor) + "/stat");
  proc.add(
      {.pid = kMonitor, .parent = kListener, .executable = "/usr/sbin/sshd", .start_ticks = 70});
  EXPECT_THAT(update(54).ended, SizeIs(1));
}

TEST_F(LogindTest, AnotherProcessWithTheLeadersPidIsNotTheLeader) {
  LogindSession stale = session("7");
  stale.leader_start_ticks = 69;
  logind.put(stale);
  update(50);
  EXPECT_EQ(only().logind_session, std::nullopt);
}

TEST_F(LogindTest, TwoTerminalsOfOneConnectionAreOneSessionToLogind) {
  logind.put(session("7"));
  proc.add({.pid = kShell + 1, .parent = kHost, .executable = "/bin/bash"});
  table.update({leader_on_pts(kShell, kHost, 3), leader_on_pts(kShell + 1, kHost, 4)}, second(50));
  ASSERT_THAT(table.sessions(), SizeIs(2));
  for (const auto& [id, each] : table.sessions()) EXPECT_EQ(each.logind_session, "7");
  logind.remove("7");
  const auto change = table.update(
      {leader_on_pts(kShell, kHost, 3), leader_on_pts(kShell + 1, kHost, 4)}, second(51));
  EXPECT_THAT(change.ended, SizeIs(2));
}

TEST_F(LogindTest, AConsoleLoginIsItsLoginsAndSitsAtASeat) {
  proc.drivers("unknown /dev/tty 4 1-63 console\n");
  proc.keyboard("tty1");
  proc.add({.pid = kMonitor, .executable = "/bin/login", .comm = "login", .start_ticks = 70});
  proc.add({.pid = kShell,
            .parent = kMonitor,
            .executable = "/bin/bash",
            .command_line = "-bash",
            .loginuid = 0});
  LogindSession seated = session("c1");
  seated.seat = "seat0";
  logind.put(seated);
  table.update({leader_on_console(kShell, kMonitor, 4, 1)}, second(50));
  EXPECT_EQ(only().kind, Kind::console);
  EXPECT_EQ(only().logind_session, "c1");
  EXPECT_EQ(only().logind_seat, "seat0");
}

// An sshd that somebody started in their own session, without PAM.
TEST_F(LogindTest, WhatRunsInsideASessionByOtherMeansIsNotThatSession) {
  constexpr pid_t kOuter = 5'000'009;
  proc.add({.pid = kOuter, .executable = "/usr/sbin/sshd", .start_ticks = 60});
  proc.add({.pid = kListener, .parent = kOuter, .executable = "/usr/sbin/sshd"});
  proc.file(kShell, "cgroup", "0::/user.slice/user-0.slice/session-5.scope\n");
  logind.put({.id = "5", .kind = "user", .seat = {}, .leader = kOuter, .leader_start_ticks = 60});
  update(50);
  EXPECT_EQ(only().logind_session, std::nullopt);
  logind.remove("5");
  EXPECT_THAT(update(52).ended, IsEmpty());
}

TEST_F(LogindTest, AMoshServerStaysInTheScopeOfTheSshdThatStartedIt) {
  proc.add({.pid = kHost, .executable = "/usr/bin/mosh-server", .masters = {{8, 3}}});
  proc.file(kShell, "cgroup", "0::/user.slice/user-0.slice/session-5.scope\n");
  logind.put({.id = "5", .kind = "user", .seat = {}, .leader = 5'000'099, .leader_start_ticks = 0});
  update(50);
  EXPECT_EQ(only().kind, Kind::mosh);
  EXPECT_EQ(only().logind_session, "5");
}

TEST_F(LogindTest, WhatLogindRemovedIsGoneAtOnce) {
  logind.put(session("7"));
  update(50);
  logind.remove("7");
  const auto change = update(51);
  EXPECT_THAT(change.ended, SizeIs(1));
  EXPECT_THAT(table.sessions(), IsEmpty());
  EXPECT_THAT(update(55).started, IsEmpty());
}

TEST_F(LogindTest, AShellThatOutlivesItIsASessionAgain) {
  logind.put(session("7"));
  update(50);
  logind.remove("7");
  update(51);
  EXPECT_THAT(update(56).started, SizeIs(1));
  EXPECT_EQ(only().logind_session, std::nullopt);
  EXPECT_THAT(update(58).ended, IsEmpty());
}

TEST_F(LogindTest, ALogindThatComesBackKeepsWhatItStillKnows) {
  logind.put(session("7"));
  update(50);
  logind.retain({"7", "8"});
  EXPECT_THAT(update(52).ended, IsEmpty());
  EXPECT_EQ(only().logind_session, "7");
  logind.retain({"8"});
  EXPECT_THAT(update(54).ended, SizeIs(1));
}

TEST_F(LogindTest, NobodysClassesAreNoSessions) {
  for (const char* kind : {"greeter", "lock-screen", "background", "background-light"}) {
    logind.put(session("7", kind));
    update(50);
    EXPECT_THAT(table.sessions(), IsEmpty()) << kind;
    logind.put(session("7"));
    update(52);
    EXPECT_THAT(table.sessions(), SizeIs(1)) << kind;
  }
  for (const char* kind : {"user", "user-early", "user-incomplete", "what-comes-next", ""}) {
    EXPECT_TRUE(is_login_class(kind)) << kind;
  }
}

TEST_F(LogindTest, ASessionThatTurnsOutToBeNobodysLeaves) {
  update(50);
  logind.put(session("7", "background"));
  EXPECT_THAT(update(52).ended, SizeIs(1));
  EXPECT_THAT(update(60).started, IsEmpty());
}

TEST_F(LogindTest, AContainersLoginIsNotTheHostsLogindSession) {
  proc.link(::getpid(), "ns/pid", "pid:[1]");
  proc.link(kShell, "ns/pid", "pid:[2]");
  logind.put(session("7", "background"));
  update(50);
  EXPECT_EQ(only().container, "pid:[2]");
  EXPECT_EQ(only().logind_session, std::nullopt);
}

TEST(SessionOfScope, IsTheNameBetweenTheTwo) {
  EXPECT_EQ(session_of_scope("/user.slice/user-1000.slice/session-c12.scope"), "c12");
  EXPECT_EQ(session_of_scope("/user.slice/user-1000.slice/session-3.scope/inner"), "3");
  for (const char* none : {"", "/", "/session-.scope", "/system.slice/ssh.service",
                           "/user.slice/user-1000.slice/user@1000.service/app.slice"}) {
    EXPECT_EQ(session_of_scope(none), "") << none;
  }
}

}  // namespace
}  // namespace idlewarden

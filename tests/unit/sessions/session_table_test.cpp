// SPDX-License-Identifier: Apache-2.0
#include "sessions/session_table.h"

#include <gmock/gmock.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <thread>

#include "made_proc.h"
#include "support/no_descriptors.h"

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
constexpr pid_t kHost = 5'000'012;
constexpr pid_t kShell = 5'000'013;

struct FixedClock final : Clock {
  BootTime now() const override { return at; }
  WallTime wall() const override { return WallTime(Seconds(1'000'000)); }
  BootTime at = boot_time(100'000'000'000);
};

BootTime second(double s) {
  return boot_time(static_cast<std::uint64_t>(s * 1e9));
}

struct SessionTableTest : ::testing::Test {
  SessionTableTest() {
    proc.link(::getpid(), "ns/mnt", "mnt:[1]");
    proc.drivers("unknown /dev/tty 4 1-63 console\nserial /dev/ttyS 4 64-95 serial\n");
    proc.add({.pid = kListener,
              .executable = "/usr/sbin/sshd",
              .command_line = "sshd: /usr/sbin/sshd -D -f /etc/b [listener] 0 of 10-100 startups"});
    proc.add({.pid = kHost,
              .parent = kListener,
              .executable = "/usr/sbin/sshd",
              .command_line = "sshd: root@pts/3",
              .start_ticks = 4711,
              .masters = {{8, 3}, {9, 4}}});
    shell(kShell);
  }
  void shell(pid_t pid, const std::string& exe = "/bin/bash", const std::string& comm = "bash") {
    proc.add({.pid = pid, .parent = kHost, .executable = exe, .comm = comm});
  }
  Leader fresh(double start) const {
    Leader leader = leader_on_pts(kShell, kHost, 3);
    leader.start = second(start);
    leader.no_input_yet = true;
    return leader;
  }
  const Session& only() const {
    EXPECT_EQ(table.sessions().size(), 1u);
    return table.sessions().begin()->second;
  }

  MadeProc proc;
  FixedClock clock;
  SessionTable table{proc.procfs(), clock, {}};
};

TEST_F(SessionTableTest, ALogin) {
  const Leader leader = leader_on_pts(kShell, kHost, 3, 0);
  const auto change = table.update({leader}, second(50));
  const SessionId id{kShell, leader.start, leader.tty->address};
  EXPECT_THAT(change.started, ElementsAre(id));
  EXPECT_THAT(change.ended, IsEmpty());
  ASSERT_EQ(table.find(id), &only());
  EXPECT_EQ(only().kind, Kind::ssh);
  EXPECT_EQ(only().tty, leader.tty);
  EXPECT_EQ(only().tty_name, "pts/3");
  EXPECT_EQ(only().user, "root");
  EXPECT_EQ(only().host, kHost);
  EXPECT_EQ(start_ticks(only().host_start), 4711u);
  EXPECT_EQ(*only().sshd, (AcceptingSshd{kListener, "/etc/b", {}, "/", ""}));
  EXPECT_EQ(only().started, clock.wall() - Seconds(99));
  EXPECT_EQ(only().foreground_pgrp, kShell);
  EXPECT_EQ(only().foreground, "bash");
  EXPECT_EQ(only().remote, std::nullopt);
  EXPECT_THAT(table.update({leader}, second(52)).started, IsEmpty());
}

TEST_F(SessionTableTest, AnEndedOneComesWithItsLastData) {
  const Leader leader = leader_on_pts(kShell, kHost, 3);
  table.update({leader}, second(50));
  proc.end(kShell);
  const auto change = table.update({}, second(52));
  ASSERT_THAT(change.ended, SizeIs(1));
  EXPECT_EQ(change.ended[0].tty_name, "pts/3");
  EXPECT_THAT(table.sessions(), IsEmpty());
  EXPECT_THAT(table.update({}, second(54)).ended, IsEmpty());
}

TEST_F(SessionTableTest, TheSamePidAndTtyWithAnotherStartIsAnotherSession) {
  Leader leader = leader_on_pts(kShell, kHost, 3);
  table.update({leader}, second(50));
  leader.start += Seconds(40);
  const auto change = table.update({leader}, second(52));
  EXPECT_THAT(change.started, SizeIs(1));
  EXPECT_THAT(change.ended, SizeIs(1));
  EXPECT_EQ(only().id.start, leader.start);
}

TEST_F(SessionTableTest, AnotherTtyAtTheSameAddressIsAnotherSession) {
  Leader leader = leader_on_pts(kShell, kHost, 3);
  table.update({leader}, second(50));
  leader.tty->devpts_dev += 1;
  const auto change = table.update({leader}, second(52));
  EXPECT_THAT(change.ended, SizeIs(1));
  EXPECT_THAT(table.sessions(), IsEmpty());
}

TEST_F(SessionTableTest, AServiceIsNoSession) {
  Leader leader = leader_on_pts(kShell, kInit, 3);
  leader.tty.reset();
  EXPECT_THAT(table.update({leader}, second(50)).started, IsEmpty());
}

TEST_F(SessionTableTest, ATerminalInsideIsNoSession) {
  EXPECT_THAT(table.update({leader_on_pts(kShell, kHost, 7)}, second(50)).started, IsEmpty());
}

TEST_F(SessionTableTest, NotBeforeTheHostProgramBecameTheShell) {
  shell(kShell, "/usr/sbin/sshd");
  EXPECT_THAT(table.update({fresh(49)}, second(50)).started, IsEmpty());
  shell(kShell);
  EXPECT_THAT(table.update({fresh(49)}, second(52)).started, SizeIs(1));
}

TEST_F(SessionTableTest, AShellThatHasAHostProgramsNameIsOneAllTheSame) {
  shell(kShell, "/usr/sbin/sshd", "sshd");
  EXPECT_THAT(table.update({fresh(49)}, second(50)).started, IsEmpty());
  EXPECT_THAT(table.update({fresh(49)}, second(60)).started, SizeIs(1));
}

TEST_F(SessionTableTest, AUsersProgramIsNoLoginPromptWhateverItIsCalled) {
  shell(kShell, "/home/mallory/login", "login");
  EXPECT_THAT(table.update({leader_on_pts(kShell, kHost, 3, 1000)}, second(50)).started, SizeIs(1));
}

TEST_F(SessionTableTest, AnSshServerThatStaysRootSaysNothingAboutTheUser) {
  proc.add({.pid = kShell, .parent = kHost, .executable = "/bin/bash", .uid = 47'000});
  table.update({leader_on_pts(kShell, kHost, 3, 47'000)}, second(50));
  EXPECT_EQ(only().uid, 47'000u);
}

// The scan saw the server's child before it became the user, /proc shows the user's shell.
TEST_F(SessionTableTest, AUserIsWhoTheShellRunsAsNotWhoWasScanned) {
  proc.add({.pid = kHost, .executable = "/usr/sbin/dropbear", .masters = {{3, 3}}});
  proc.add({.pid = kShell, .parent = kHost, .executable = "/bin/bash", .uid = 47'000});
  table.update({leader_on_pts(kShell, kHost, 3, 0)}, second(50));
  EXPECT_EQ(only().kind, Kind::dropbear);
  EXPECT_EQ(only().uid, 47'000u);
}

TEST_F(SessionTableTest, TheNameOfAHostProgramTellsItsKind) {
  EXPECT_EQ(host_program("/opt/ssh/sbin/sshd"), (HostProgram{"/opt/ssh/sbin/sshd", Kind::ssh}));
  EXPECT_EQ(host_program("/opt/d/dropbearmulti").kind, Kind::dropbear);
  EXPECT_EQ(host_program("/opt/mosh-server-1.4").kind, Kind::mosh);
  EXPECT_EQ(host_program("/opt/dropbear/in.telnetd").kind, Kind::telnet);
  EXPECT_EQ(host_program("/opt/telnetd/tectia").kind, Kind::ssh);
}

TEST_F(SessionTableTest, WhatCannotBeResolvedIsTriedAgain) {
  proc.end(kHost);
  const auto change = table.update({leader_on_pts(kShell, kHost, 3)}, second(50));
  EXPECT_THAT(change.started, IsEmpty());
  EXPECT_THAT(change.problems, IsEmpty());
  proc.add({.pid = kHost, .executable = "/usr/sbin/sshd", .masters = {{8, 3}}});
  EXPECT_THAT(table.update({leader_on_pts(kShell, kHost, 3)}, second(52)).started, SizeIs(1));
}

TEST_F(SessionTableTest, AProblemIsToldWhileItLasts) {
  proc.file(kHost, "stat", "nonsense");
  EXPECT_THAT(table.update({leader_on_pts(kShell, kHost, 3)}, second(50)).problems, SizeIs(1));
  EXPECT_THAT(table.update({leader_on_pts(kShell, kHost, 3)}, second(52)).problems, SizeIs(1));
  proc.add({.pid = kHost, .executable = "/usr/sbin/sshd", .masters = {{8, 3}}});
  EXPECT_THAT(table.update({leader_on_pts(kShell, kHost, 3)}, second(54)).problems, IsEmpty());
}

TEST_F(SessionTableTest, TheClockOfAFreshLoginStartsWithIt) {
  table.update({}, second(50));
  table.update({fresh(51)}, second(52));
  EXPECT_EQ(only().clock_start, second(51));
}

TEST_F(SessionTableTest, AtTheFirstScanNobodyKnowsWhatWasTypedBefore) {
  table.update({fresh(51)}, second(52));
  EXPECT_EQ(only().clock_start, second(52));
}

TEST_F(SessionTableTest, ALeaderOlderThanTheScanBeforeMayHaveFlushedWhatWasTyped) {
  table.update({}, second(50));
  table.update({fresh(49)}, second(52));
  EXPECT_EQ(only().clock_start, second(52));
}

TEST_F(SessionTableTest, TypedBeforeItWasFound) {
  table.update({}, second(50));
  Leader leader = fresh(51);
  leader.no_input_yet = false;
  table.update({leader}, second(52));
  EXPECT_EQ(only().clock_start, second(52));
}

TEST_F(SessionTableTest, AFreshLoginThatWasResolvedLate) {
  shell(kShell, "/usr/sbin/sshd");
  table.update({}, second(50));
  table.update({fresh(51)}, second(52));
  shell(kShell);
  table.update({fresh(51)}, second(54));
  EXPECT_EQ(only().clock_start, second(51));
}

TEST_F(SessionTableTest, OnceTypedIsTypedAlsoIfTheBufferIsEmptyLater) {
  shell(kShell, "/usr/sbin/sshd");
  table.update({}, second(50));
  Leader typed = fresh(51);
  typed.no_input_yet = false;
  table.update({typed}, second(52));
  shell(kShell);
  table.update({fresh(51)}, second(54));
  EXPECT_EQ(only().clock_start, second(54));
}

TEST_F(SessionTableTest, TheForegroundProgram) {
  constexpr pid_t kVim = 5'000'030;
  Leader leader = leader_on_pts(kShell, kHost, 3);
  table.update({leader}, second(50));
  leader.foreground_pgrp = kVim;
  proc.add({.pid = kVim, .parent = kShell, .comm = "bash"});
  table.update({leader}, second(52));
  EXPECT_EQ(only().foreground_pgrp, kVim);
  EXPECT_EQ(only().foreground, "bash");
  proc.add({.pid = kVim, .parent = kShell, .comm = "v\x1b[2Jim (x)"});
  table.update({leader}, second(54));
  EXPECT_EQ(only().foreground, "v\x1b[2Jim (x)");
  // The group goes on without its leader.
  proc.end(kVim);
  table.update({leader}, second(56));
  EXPECT_EQ(only().foreground, "v\x1b[2Jim (x)");
  leader.foreground_pgrp = 0;
  table.update({leader}, second(58));
  EXPECT_EQ(only().foreground, "");
}

TEST_F(SessionTableTest, OnlyWhatIsReachedThroughTheGivenProcess) {
  for (const pid_t pid : {kListener, kHost}) {
    SessionTable narrow(proc.procfs(), clock, {default_host_programs(), {pid}});
    EXPECT_THAT(narrow.update({leader_on_pts(kShell, kHost, 3)}, second(50)).started, SizeIs(1));
  }
  SessionTable other(proc.procfs(), clock, {default_host_programs(), {kShell, 5'000'040}});
  proc.keyboard("tty1");
  proc.add({.pid = 5'000'041, .executable = "/bin/bash", .loginuid = 0});
  Leader console = leader_on_console(5'000'041, kInit, 4, 1);
  console.loginuid = 0;
  EXPECT_THAT(other.update({leader_on_pts(kShell, kHost, 3), console}, second(50)).started,
              IsEmpty());
}

TEST_F(SessionTableTest, AConsoleFromGettyToShellUnderOneIdentity) {
  proc.keyboard("tty1");
  proc.add({.pid = kShell, .executable = "/sbin/agetty"});
  Leader leader = leader_on_console(kShell, kInit, 4, 1);
  leader.no_input_yet = true;
  leader.start = second(51);
  table.update({}, second(50));
  EXPECT_THAT(table.update({leader}, second(52)).started, IsEmpty());
  proc.add({.pid = kShell, .executable = "/usr/bin/login"});
  EXPECT_THAT(table.update({leader}, second(54)).started, IsEmpty());
  leader.loginuid = 0;
  EXPECT_THAT(table.update({leader}, second(56)).started, SizeIs(1));
  EXPECT_EQ(only().kind, Kind::console);
  EXPECT_EQ(only().tty_name, "tty1");
  EXPECT_EQ(only().user, "root");
  EXPECT_EQ(only().host, 0);
  EXPECT_EQ(only().clock_start, second(56));
  EXPECT_EQ(only().login, second(56)) << "not when the getty began";
}

TEST_F(SessionTableTest, TheLoginAtAConsoleIsAsOldAsTheShell) {
  constexpr pid_t kChild = 5'000'060;
  proc.keyboard("tty1");
  proc.add({.pid = kShell, .executable = "/usr/bin/login"});
  proc.add({.pid = kChild, .parent = kShell, .executable = "/bin/bash", .start_ticks = 5500});
  proc.children(kShell, {kChild});
  Leader leader = leader_on_console(kShell, kInit, 4, 1);
  leader.start = second(51);
  leader.loginuid = 0;
  ASSERT_THAT(table.update({leader}, second(70)).started, SizeIs(1));
  EXPECT_EQ(only().login, from_start_ticks(5500));
}

TEST_F(SessionTableTest, ALoginThatStartsTheShellAsTheLeader) {
  constexpr pid_t kLogin = 5'000'061;
  proc.keyboard("tty1");
  proc.add({.pid = kLogin, .executable = "/usr/bin/login"});
  proc.add({.pid = kShell, .parent = kLogin, .executable = "/bin/bash"});
  Leader leader = leader_on_console(kShell, kLogin, 4, 1);
  leader.start = second(51);
  leader.loginuid = 0;
  ASSERT_THAT(table.update({leader}, second(70)).started, SizeIs(1));
  EXPECT_EQ(only().login, second(51));
}

TEST_F(SessionTableTest, AConsoleStaysWhatItIsWhileItsKeyboardCannotBeAsked) {
  proc.add({.pid = kShell, .executable = "/bin/bash"});
  Leader leader = leader_on_console(kShell, kInit, 4, 2);
  leader.loginuid = 0;
  const auto unknown = table.update({leader}, second(48));
  EXPECT_THAT(unknown.started, IsEmpty());
  EXPECT_THAT(unknown.problems, SizeIs(1));
  proc.keyboard("tty2");
  EXPECT_THAT(table.update({leader}, second(50)).started, SizeIs(1));
  {
    const test::NoDescriptors none;
    const auto change = table.update({leader}, second(52));
    EXPECT_THAT(change.ended, IsEmpty());
    EXPECT_THAT(change.problems, SizeIs(1));
  }
  const auto change = table.update({leader}, second(54));
  EXPECT_THAT(change.started, IsEmpty());
  EXPECT_THAT(change.problems, IsEmpty());
  EXPECT_EQ(only().clock_start, second(50));
}

// On this thread and those that it starts.
void refuse_process_descriptors() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{.len = std::size(program), .filter = program};
  ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

TEST_F(SessionTableTest, AnAddressThatIsRefusedIsAProblemAsLongAsItsSession) {
  proc.link(kHost, "fd/3", "socket:[1]");
  const Leader one = leader_on_pts(kShell, kHost, 3);
  const Leader two = leader_on_pts(kShell + 1, kHost, 4);
  shell(two.pid);
  std::thread([&] {
    refuse_process_descriptors();
    EXPECT_THAT(table.update({one, two}, second(50)).problems, SizeIs(1));
  }).join();
  ASSERT_THAT(table.sessions(), SizeIs(2));
  EXPECT_TRUE(table.sessions().begin()->second.address_unknown);
  EXPECT_THAT(table.update({one, two}, second(52)).problems, SizeIs(1));
  EXPECT_THAT(table.update({two}, second(54)).problems, SizeIs(1));
  EXPECT_THAT(table.update({}, second(56)).problems, IsEmpty());
}

TEST_F(SessionTableTest, TelnetWalksThroughLogin) {
  constexpr pid_t kLogin = 5'000'050;
  proc.add({.pid = kHost, .executable = "/usr/sbin/in.telnetd", .masters = {{3, 3}}});
  proc.add({.pid = kLogin, .parent = kHost, .executable = "/bin/login"});
  Leader login = leader_on_pts(kLogin, kHost, 3, 0);
  EXPECT_THAT(table.update({login}, second(50)).started, IsEmpty());
  Leader shell = leader_on_pts(kShell, kLogin, 3, 0);
  EXPECT_THAT(table.update({shell}, second(52)).started, SizeIs(1));
  EXPECT_EQ(only().kind, Kind::telnet);
  EXPECT_EQ(only().host, kHost);
  EXPECT_EQ(only().sshd, nullptr);
}

TEST_F(SessionTableTest, AnUnknownUserIsANumberInNoGroup) {
  proc.add({.pid = kHost,
            .parent = kListener,
            .executable = "/usr/sbin/sshd",
            .uid = 4'100'000'000,
            .masters = {{8, 3}}});
  table.update({leader_on_pts(kShell, kHost, 3)}, second(50));
  EXPECT_EQ(only().user, "4100000000");
  EXPECT_EQ(only().gid, static_cast<gid_t>(-1));
}

}  // namespace
}  // namespace idlewarden

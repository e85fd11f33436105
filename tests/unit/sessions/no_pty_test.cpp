// SPDX-License-Identifier: Apache-2.0
#include "sessions/no_pty.h"

#include <gmock/gmock.h>

#include "made_proc.h"
#include "support/hung_process.h"

namespace idlewarden {
namespace {

using test::kInit;
using test::leader_on_pts;
using test::MadeProc;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using What = NoPtyPart::What;

constexpr pid_t kListener = 5'000'010;
constexpr pid_t kMonitor = 5'000'020;
constexpr pid_t kHost = 5'000'021;
constexpr pid_t kCommand = 5'000'022;
constexpr const char* kSshd = "/usr/sbin/sshd";

struct FixedClock final : Clock {
  BootTime now() const override { return boot_time(100'000'000'000); }
  WallTime wall() const override { return WallTime(Seconds(1'000'000)); }
};

BootTime second(double s) {
  return boot_time(static_cast<std::uint64_t>(s * 1e9));
}

// An sshd with one connection, on which uid 1000 has logged in.
struct NoPtyTest : ::testing::Test {
  NoPtyTest() {
    proc.add({.pid = kListener,
              .executable = kSshd,
              .command_line = "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"});
    proc.add({.pid = kMonitor,
              .parent = kListener,
              .executable = kSshd,
              .command_line = "sshd: alice [priv]"});
    proc.add({.pid = kHost,
              .parent = kMonitor,
              .executable = kSshd,
              .command_line = "sshd: alice@notty",
              .uid = 1000,
              .start_ticks = 4711});
    proc.children(kMonitor, {kHost});
    command("cat");
  }
  void command(const std::string& comm, const std::string& executable = "/usr/bin/cat") {
    proc.add({.pid = kCommand,
              .parent = kHost,
              .executable = executable,
              .command_line = comm,
              .comm = comm,
              .uid = 1000});
  }
  static Leader leader(pid_t pid, pid_t parent) {
    Leader leader = leader_on_pts(pid, parent, 0);
    leader.tty.reset();
    leader.foreground_pgrp = 0;
    return leader;
  }
  Leader monitor() const { return leader(kMonitor, kListener); }
  Leader channel() const { return leader(kCommand, kHost); }
  NoPtyPart part(const Leader& leader) const {
    const auto found = no_pty_part(proc.procfs(), default_host_programs(), leader);
    EXPECT_TRUE(found) << found.error().text();
    return found.value_or(NoPtyPart());
  }
  void title(pid_t pid, const std::string& title) const {
    proc.file(pid, "cmdline", title + std::string(20, '\0'));
  }

  MadeProc proc;
  FixedClock clock;
  SessionTable table{proc.procfs(), clock, {}};
};

TEST_F(NoPtyTest, ACommandIsAChildOfWhatServesItsUser) {
  const NoPtyPart found = part(channel());
  EXPECT_EQ(found.what, What::channel);
  EXPECT_EQ(found.host, kHost);
  EXPECT_FALSE(found.is_sshd);
}

TEST_F(NoPtyTest, InternalSftpIsAnSshd) {
  command("sshd", kSshd);
  title(kCommand, "sshd: alice@internal-sftp");
  EXPECT_EQ(part(channel()).what, What::channel);
  EXPECT_TRUE(part(channel()).is_sshd);
}

TEST_F(NoPtyTest, TheMonitorLeadsItsConnection) {
  const NoPtyPart found = part(monitor());
  EXPECT_EQ(found.what, What::connection);
  EXPECT_EQ(found.host, kHost);
}

TEST_F(NoPtyTest, RootHasNoMonitor) {
  title(kMonitor, "sshd: root@notty");
  EXPECT_EQ(part(monitor()).what, What::connection);
  EXPECT_EQ(part(monitor()).host, kMonitor);
  EXPECT_EQ(part(leader(kCommand, kMonitor)).what, What::channel);
}

TEST_F(NoPtyTest, BeforeTheLoginThereIsNoSession) {
  for (const char* before : {"sshd: alice [net]", "sshd: [net]", "sshd: alice [pam]"}) {
    title(kHost, before);
    EXPECT_EQ(part(monitor()).what, What::not_yet) << before;
  }
  title(kMonitor, "sshd: [accepted]");
  EXPECT_EQ(part(monitor()).what, What::not_yet);
  title(kMonitor, "/usr/sbin/sshd");
  EXPECT_EQ(part(monitor()).what, What::not_yet);
}

TEST_F(NoPtyTest, WhatServesNobodyYetIsNotTheUsers) {
  proc.link(kHost, "exe", "/usr/lib/openssh/sshd-auth");
  EXPECT_EQ(part(monitor()).what, What::not_yet);
}

TEST_F(NoPtyTest, ServicesAreNothing) {
  proc.add({.pid = 5'000'030, .executable = "/usr/sbin/cron", .command_line = "cron"});
  EXPECT_EQ(part(leader(5'000'030, kInit)).what, What::nothing);
}

TEST_F(NoPtyTest, WhatACommandStartsIsNothing) {
  proc.add({.pid = 5'000'031, .parent = kCommand, .executable = "/usr/bin/sleep"});
  EXPECT_EQ(part(leader(5'000'031, kCommand)).what, What::nothing);
}

TEST_F(NoPtyTest, ACommandIsASession) {
  const auto change = table.update({monitor(), channel()}, second(50));
  const SessionId id{kCommand, channel().start, 0};
  ASSERT_THAT(change.started, ElementsAre(id));
  const Session& session = *table.find(id);
  EXPECT_EQ(session.kind, Kind::ssh_nopty);
  EXPECT_EQ(session.tty_name, "");
  EXPECT_FALSE(session.has_tty());
  EXPECT_EQ(session.uid, 1000u);
  EXPECT_EQ(session.host, kHost);
  EXPECT_EQ(start_ticks(session.host_start), 4711u);
  EXPECT_EQ(session.sshd->listener, kListener);
  EXPECT_EQ(session.foreground, "cat");
  EXPECT_EQ(session.clock_start, second(50));
  EXPECT_EQ(session.started, clock.wall() - Seconds(99));
  EXPECT_THAT(table.update({monitor()}, second(52)).ended, SizeIs(1));
}

TEST_F(NoPtyTest, OneThatBeganAfterTheScanBeforeMayBeIdleSinceItsStart) {
  table.update({}, second(0));
  table.update({monitor(), channel()}, second(50));
  EXPECT_EQ(table.find({kCommand, channel().start, 0})->clock_start, channel().start);
}

TEST_F(NoPtyTest, SeveralCommandsOnOneConnectionAreASessionEach) {
  proc.add({.pid = 5'000'023, .parent = kHost, .executable = "/usr/bin/rsync", .comm = "rsync"});
  const auto change = table.update({monitor(), channel(), leader(5'000'023, kHost)}, second(50));
  EXPECT_THAT(change.started, SizeIs(2));
}

TEST_F(NoPtyTest, TheCommandIsTheOneThatAShellWaitsFor) {
  command("bash", "/bin/bash");
  proc.file(kCommand, "stat",
            "5000022 (bash) S 5000021 5000022 5000022 0 -1 0 1 2 3 4 5 6 7 8 20 "
            "0 1 0 100 1 2 3\n");
  proc.children(kCommand, {5'000'040});
  proc.add({.pid = 5'000'040, .parent = kCommand, .executable = "/usr/bin/make", .comm = "make"});
  proc.file(5'000'040, "stat",
            "5000040 (make) S 5000022 5000022 5000022 0 -1 0 1 2 3 4 5 6 7 8 20 "
            "0 1 0 100 1 2 3\n");
  EXPECT_EQ(command_name(proc.procfs(), kCommand), "make");
  proc.children(kCommand, {5'000'040, kHost});
  EXPECT_EQ(command_name(proc.procfs(), kCommand), "make") << "of another session is none";
  proc.children(kCommand, {5'000'040, 5'000'040});
  EXPECT_EQ(command_name(proc.procfs(), kCommand), "bash") << "which of several it cannot be told";
}

TEST_F(NoPtyTest, WhatAListenerHasForkedForAConnectionIsNone) {
  proc.file(kListener, "auxv", "here");
  title(kMonitor, "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups");
  table.update({monitor()}, monitor().start + Seconds(1));
  EXPECT_THAT(table.listeners(), IsEmpty());
  title(kMonitor, "sshd: alice [priv]");
  EXPECT_THAT(table.update({monitor(), channel()}, second(50)).started, SizeIs(1));
}

TEST_F(NoPtyTest, AListenerIsKnownBeforeAnybodyLogsIn) {
  proc.file(kListener, "auxv", "here");
  const Leader listener = leader(kListener, kInit);
  EXPECT_EQ(part(listener).what, What::listener);
  EXPECT_THAT(table.listeners(), IsEmpty());
  EXPECT_THAT(table.update({listener}, second(50)).started, IsEmpty());
  const auto found = table.listeners();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].listener, kListener);
  table.update({listener, monitor(), channel()}, second(52));
  ASSERT_THAT(table.sessions(), SizeIs(1));
  EXPECT_EQ(*table.sessions().begin()->second.sshd, found[0]);
  proc.end(kListener);
  EXPECT_THAT(table.listeners(), IsEmpty());
}

TEST_F(NoPtyTest, WhatAChannelWasAskedForAs) {
  const auto channel_of_shell = [&](const std::vector<std::string>& arguments) {
    std::string joined;
    for (const std::string& argument : arguments) joined += argument + '\0';
    command("bash", "/bin/bash");
    proc.file(kCommand, "cmdline", joined);
    return channel_of(proc.procfs(), kCommand);
  };
  EXPECT_EQ(channel_of_shell({"-bash"}), Channel::shell);
  EXPECT_EQ(channel_of_shell({"bash", "-c", "make -j8"}), Channel::command);
  EXPECT_EQ(channel_of_shell({"bash", "-c", "/usr/lib/openssh/sftp-server -l INFO"}),
            Channel::sftp);
  EXPECT_EQ(channel_of_shell({"bash", "-c", "cat sftp-server"}), Channel::command);
  EXPECT_EQ(channel_of_shell({"bash", "-s"}), Channel::command);
  EXPECT_EQ(channel_of_shell({"bash", "-c", ""}), Channel::command);
  EXPECT_EQ(channel_of_shell({}), Channel::unknown);
  command("sftp-server", "/usr/lib/openssh/sftp-server");
  EXPECT_EQ(channel_of(proc.procfs(), kCommand), Channel::sftp);
  command("sshd", kSshd);
  EXPECT_EQ(channel_of(proc.procfs(), kCommand), Channel::unknown);
  title(kCommand, "sshd: alice@internal-sftp");
  EXPECT_EQ(channel_of(proc.procfs(), kCommand), Channel::sftp);
}

TEST_F(NoPtyTest, AChannelStaysWhatItWasAskedForAs) {
  const auto channel_after = [&](const char* comm) {
    command(comm);
    table.update({monitor(), channel()}, second(50));
    return table.find({kCommand, channel().start, 0})->channel;
  };
  EXPECT_EQ(channel_after("sh"), Channel::command);
  EXPECT_EQ(channel_after("sftp-server"), Channel::sftp);
  EXPECT_EQ(channel_after("make"), Channel::sftp);
}

TEST_F(NoPtyTest, AnSshdIsTakenForItsChannelOnlyAfterAWhile) {
  command("sshd", kSshd);
  EXPECT_THAT(table.update({monitor(), channel()}, second(50)).started, IsEmpty());
  EXPECT_THAT(table.update({monitor(), channel()}, second(52)).started, IsEmpty());
  EXPECT_THAT(table.update({monitor(), channel()}, second(54)).started, SizeIs(1));
}

TEST_F(NoPtyTest, AConnectionWithoutChannelsIsASessionAfterAWhile) {
  EXPECT_THAT(table.update({monitor()}, second(50)).started, IsEmpty());
  EXPECT_THAT(table.update({monitor()}, second(52)).started, IsEmpty());
  const SessionId id{kHost, from_start_ticks(4711), 0};
  ASSERT_THAT(table.update({monitor()}, second(53)).started, ElementsAre(id));
  EXPECT_EQ(table.find(id)->host, kHost);
  EXPECT_EQ(table.find(id)->kind, Kind::ssh_nopty);
  EXPECT_EQ(table.find(id)->foreground, "");
  EXPECT_EQ(table.find(id)->channel, Channel::none);
  EXPECT_THAT(table.update({monitor()}, second(55)).started, IsEmpty());
}

TEST_F(NoPtyTest, AChannelTakesAConnectionsPlace) {
  table.update({monitor()}, second(50));
  table.update({monitor()}, second(53));
  ASSERT_THAT(table.sessions(), SizeIs(1));
  auto change = table.update({monitor(), channel()}, second(55));
  EXPECT_THAT(change.ended, SizeIs(1));
  EXPECT_THAT(change.started, ElementsAre(SessionId{kCommand, channel().start, 0}));
  // And back again, after as long as at first.
  EXPECT_THAT(table.update({monitor()}, second(57)).started, IsEmpty());
  EXPECT_THAT(table.update({monitor()}, second(60)).started, SizeIs(1));
}

TEST_F(NoPtyTest, ATerminalOnAConnectionIsAChannelToo) {
  Leader shell = leader_on_pts(5'000'050, kHost, 3);
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(table.update({monitor(), shell}, second(50 + 2 * i)).started, IsEmpty());
  }
}

TEST_F(NoPtyTest, ALeaderThatLosesItsTtyIsLeftToEnd) {
  Leader shell = leader_on_pts(kCommand, kHost, 3);
  table.update({monitor(), shell}, second(50));
  shell.tty.reset();
  EXPECT_THAT(table.update({monitor(), shell}, second(52)).started, IsEmpty());
  EXPECT_THAT(table.update({monitor(), shell}, second(80)).started, IsEmpty());
  EXPECT_THAT(table.update({monitor(), shell}, second(113)).started, SizeIs(1))
      << "who keeps the connection without its tty is watched all the same";
}

TEST_F(NoPtyTest, ALeaderThatAnEarlierDaemonHungUpIsLeftToEnd) {
  SessionTable after(proc.procfs(), clock, {});
  const Leader shell = leader_on_pts(kCommand, kHost, 3);
  after.hung_up({shell.pid, shell.start, shell.tty->address});
  EXPECT_THAT(after.update({monitor(), channel()}, second(50)).started, IsEmpty());
  EXPECT_THAT(after.update({monitor(), channel()}, second(109)).started, IsEmpty());
  EXPECT_THAT(after.update({monitor(), channel()}, second(111)).started, SizeIs(1));
}

TEST_F(NoPtyTest, WhatAConnectionLeavesBehindIsNobodysSession) {
  ASSERT_THAT(table.update({monitor(), channel()}, second(50)).started, SizeIs(1));
  const Leader left = leader(kCommand, kInit);
  EXPECT_THAT(table.update({left}, second(52)).ended, SizeIs(1));
  for (int t = 54; t < 200; t += 20) {
    EXPECT_THAT(table.update({left}, second(t)).started, IsEmpty());
  }
}

// Anybody can start two processes that say they are this connection.
TEST_F(NoPtyTest, AConnectionIsOneSessionWhoeverClaimsIt) {
  const std::vector<Leader> both{monitor(), leader(kHost, kMonitor)};
  table.update(both, second(50));
  EXPECT_THAT(table.update(both, second(53)).started, SizeIs(1));
  EXPECT_THAT(table.update(both, second(55)).started, IsEmpty());
  EXPECT_THAT(table.sessions(), SizeIs(1));
  // The one that has it goes: it is the other's.
  const auto change = table.update({leader(kHost, kMonitor)}, second(57));
  EXPECT_THAT(change.ended, SizeIs(1));
  EXPECT_THAT(table.update({leader(kHost, kMonitor)}, second(59)).started, SizeIs(1));
  EXPECT_THAT(table.update({}, second(61)).ended, SizeIs(1));
  EXPECT_THAT(table.sessions(), IsEmpty());
}

// Which channel it is stays unknown until it answers; the session is one, and nobody waits.
TEST_F(NoPtyTest, ACommandWhoseMemoryDoesNotAnswer) {
  const test::HungProcess hung(54'321);
  if (!hung.why_not().empty()) GTEST_SKIP() << hung.why_not();
  const std::string its = "/proc/" + std::to_string(hung.pid()) + "/cmdline";
  proc.link(kCommand, "cmdline", its);
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_THAT(table.update({monitor(), channel()}, second(50)).started, SizeIs(1));
  EXPECT_EQ(table.sessions().begin()->second.channel, Channel::unknown);
  for (int t = 51; t < 60; ++t) table.update({monitor(), channel()}, second(t));
  EXPECT_EQ(table.sessions().begin()->second.channel, Channel::unknown);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  // It may be sshd's own sftp.
  proc.file(kCommand, "comm", "sshd\n");
  EXPECT_EQ(command_name(proc.procfs(), kCommand), "internal-sftp");
  // Nor does what its user makes hang keep sshd's own titles from being read.
  EXPECT_EQ(part(channel()).what, What::channel);
}

TEST_F(NoPtyTest, OutOfScope) {
  SessionTable other(proc.procfs(), clock,
                     {.hosts = default_host_programs(), .only_host_pids = {5'000'099}});
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(other.update({monitor(), channel()}, second(50 + 2 * i)).started, IsEmpty());
    EXPECT_THAT(other.update({monitor()}, second(70 + 2 * i)).started, IsEmpty());
  }
  SessionTable ours(proc.procfs(), clock,
                    {.hosts = default_host_programs(), .only_host_pids = {kListener}});
  EXPECT_THAT(ours.update({monitor(), channel()}, second(50)).started, SizeIs(1));
}

TEST_F(NoPtyTest, WhetherASessionIsStillThere) {
  table.update({monitor(), channel()}, second(50));
  const Session command = table.sessions().begin()->second;
  EXPECT_TRUE(is_there(proc.procfs(), {monitor(), channel()}, command));
  EXPECT_FALSE(is_there(proc.procfs(), {monitor()}, command));
  Leader later = channel();
  later.start += Seconds(1);
  EXPECT_FALSE(is_there(proc.procfs(), {monitor(), later}, command));
  EXPECT_FALSE(is_there(proc.procfs(), {leader_on_pts(kCommand, kHost, 3)}, command));
}

TEST_F(NoPtyTest, WhoIsOnAnotherTtyAtTheSameAddressIsNotThere) {
  Leader leader = leader_on_pts(kCommand, kHost, 3);
  Session session;
  session.id = {leader.pid, leader.start, leader.tty->address};
  session.tty = *leader.tty;
  EXPECT_TRUE(is_there(proc.procfs(), {leader}, session));
  leader.tty->devpts_dev += 1;
  EXPECT_FALSE(is_there(proc.procfs(), {leader}, session));
}

TEST_F(NoPtyTest, WhetherAConnectionIsStillBare) {
  table.update({monitor()}, second(50));
  table.update({monitor()}, second(53));
  const Session bare = table.sessions().begin()->second;
  EXPECT_TRUE(is_there(proc.procfs(), {monitor()}, bare));
  EXPECT_FALSE(is_there(proc.procfs(), {monitor(), channel()}, bare));
  proc.end(kHost);
  EXPECT_FALSE(is_there(proc.procfs(), {monitor()}, bare));
}

}  // namespace
}  // namespace idlewarden

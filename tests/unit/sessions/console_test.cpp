// SPDX-License-Identifier: Apache-2.0
#include "sessions/console.h"

#include "made_proc.h"

namespace idlewarden {
namespace {

using test::kInit;
using test::leader_on_console;
using test::MadeProc;

constexpr const char* kDrivers =
    "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
    "/dev/console         /dev/console    5       1 system:console\n"
    "/dev/ptmx            /dev/ptmx       5       2 system\n"
    "/dev/vc/0            /dev/vc/0       4       0 system:vtmaster\n"
    "serial               /dev/ttyS       4 64-95 serial\n"
    "USB ACM modem        /dev/ttyACM   166 0-255 serial\n"
    "ttyAMA               /dev/ttyAMA   204 64-77 serial\n"
    "hvc                  /dev/hvc      229 0-7 system\n"
    "pty_slave            /dev/pts      136 0-1048575 pty:slave\n"
    "pty_master           /dev/ptm      128 0-1048575 pty:master\n"
    "unknown              /dev/tty        4 1-63 console\n"
    "\n"
    "of another form\n"
    "bad                  /dev/bad      x 1-y serial\n";

std::string name_of(std::uint32_t major, std::uint32_t minor) {
  const auto name = tty_name(parse_tty_drivers(kDrivers), Tty{1, major, minor, 0, 0});
  return name ? name->name + " " + std::string(to_string(name->kind)) : "none";
}

TEST(TtyDrivers, NamesAndKinds) {
  EXPECT_EQ(name_of(4, 1), "tty1 console");
  EXPECT_EQ(name_of(4, 63), "tty63 console");
  EXPECT_EQ(name_of(4, 64), "ttyS0 serial");
  EXPECT_EQ(name_of(4, 66), "ttyS2 serial");
  EXPECT_EQ(name_of(166, 3), "ttyACM3 serial");
  EXPECT_EQ(name_of(204, 65), "ttyAMA1 serial");
  EXPECT_EQ(name_of(229, 0), "hvc0 console");
}

TEST(TtyDrivers, WhatNobodyLogsInOn) {
  EXPECT_EQ(name_of(5, 1), "none");
  EXPECT_EQ(name_of(136, 1), "none");
  EXPECT_EQ(name_of(4, 96), "none");
  EXPECT_EQ(name_of(3, 0), "none");
  EXPECT_TRUE(parse_tty_drivers("").empty());
}

constexpr pid_t kLeader = 5'000'020;
constexpr pid_t kParent = 5'000'021;
constexpr pid_t kShell = 5'000'022;

struct ConsoleLogin : ::testing::Test {
  // `loginuid` and `foreground` are the leader's; the parent is init unless `parent` says else.
  bool login(const std::string& exe, std::optional<uid_t> loginuid, pid_t foreground = kLeader,
             const std::string& parent = {}, const std::string& command_line = "x") {
    if (!parent.empty()) {
      proc.add({.pid = kParent, .executable = parent, .loginuid = parents_loginuid});
    }
    leader = leader_on_console(kLeader, parent.empty() ? kInit : kParent, 4, 1);
    proc.add({.pid = kLeader,
              .parent = leader.parent,
              .executable = exe,
              .command_line = command_line,
              .comm = comm,
              .loginuid = loginuid});
    leader.loginuid = loginuid;
    leader.foreground_pgrp = foreground;
    leader.uid = leaders_uid;
    const auto result = is_console_login(proc.procfs(), leader);
    EXPECT_TRUE(result) << result.error().text();
    return result.value_or(false);
  }
  uid_t uid() const { return uid_of_login(proc.procfs(), leader).value_or(99); }

  MadeProc proc;
  Leader leader;
  std::string comm = "some";
  std::optional<uid_t> parents_loginuid;
  uid_t leaders_uid = 0;
};

TEST_F(ConsoleLogin, AGettyIsNone) {
  EXPECT_FALSE(login("/usr/sbin/agetty", std::nullopt));
  EXPECT_FALSE(login("/sbin/getty", std::nullopt));
  // Started by hand, it has the login uid of whoever did.
  EXPECT_FALSE(login("/usr/sbin/agetty", 1000, kLeader, "/bin/bash"));
}

TEST_F(ConsoleLogin, ThePromptOfLoginIsNone) {
  EXPECT_FALSE(login("/usr/bin/login", std::nullopt));
}

TEST_F(ConsoleLogin, WhatAUserCallsAGettyIsTheUsersShell) {
  leaders_uid = 1000;
  EXPECT_TRUE(login("/home/mallory/agetty", 1000));
  EXPECT_TRUE(login("/home/mallory/login", 1000));
}

TEST_F(ConsoleLogin, AnInheritedLoginUidIsNone) {
  parents_loginuid = 1000;
  EXPECT_FALSE(login("/usr/bin/login", 1000, kLeader, "/usr/sbin/telnetd"));
  EXPECT_FALSE(login("/usr/bin/bash", 1000, kLeader, "/usr/bin/openvt"));
}

TEST_F(ConsoleLogin, LoginThatStaysTheLeader) {
  EXPECT_TRUE(login("/usr/bin/login", 1000));
  EXPECT_EQ(uid(), 1000u);
  // Without audit: the shell in the foreground shows it.
  proc.add({.pid = kShell, .parent = kLeader, .executable = "/bin/bash", .uid = 1001});
  EXPECT_TRUE(login("/usr/bin/login", std::nullopt, kShell));
  EXPECT_EQ(uid(), 1001u);
  // Whatever runs in front as somebody else.
  constexpr pid_t kSudo = 5'000'023;
  proc.add({.pid = kSudo, .parent = kShell, .executable = "/usr/bin/sudo", .uid = 0});
  EXPECT_TRUE(login("/usr/bin/login", std::nullopt, kSudo));
  EXPECT_EQ(uid(), 1001u);
}

TEST_F(ConsoleLogin, LoginThatMakesTheShellTheLeader) {
  parents_loginuid = 1000;
  EXPECT_TRUE(login("/bin/bash", 1000, kLeader, "/usr/bin/login"));
  EXPECT_EQ(uid(), 1000u);
  parents_loginuid.reset();
  EXPECT_TRUE(login("/bin/bash", std::nullopt, kLeader, "/usr/bin/login"));
  leader.uid = 0;
  proc.add({.pid = kLeader, .parent = kParent, .executable = "/bin/bash", .uid = 1002});
  EXPECT_EQ(uid(), 1002u);
}

TEST_F(ConsoleLogin, LoginThatBecomesTheShell) {
  EXPECT_TRUE(login("/bin/ash", std::nullopt, kLeader, "", "-ash"));
  EXPECT_TRUE(login("/bin/bash", 0, kLeader));
}

TEST_F(ConsoleLogin, AServiceOnAConsoleIsNone) {
  EXPECT_FALSE(login("/usr/lib/xorg/Xorg", std::nullopt));
  EXPECT_FALSE(login("/usr/bin/htop", std::nullopt));
}

TEST_F(ConsoleLogin, BusyboxIsWhatItRunsAs) {
  comm = "getty";
  EXPECT_FALSE(login("/bin/busybox", std::nullopt));
  comm = "login";
  EXPECT_FALSE(login("/bin/busybox", std::nullopt));
  comm = "sh";
  EXPECT_TRUE(login("/bin/busybox", std::nullopt, kLeader, "", "-sh"));
}

TEST_F(ConsoleLogin, AProcessThatIsGoneIsAnError) {
  EXPECT_FALSE(is_console_login(proc.procfs(), leader_on_console(kLeader, kInit, 4, 1)));
}

TEST_F(ConsoleLogin, AKeyboardThatCannotBeAskedIsAnError) {
  const Tty tty3{1, 4, 3, 2, 0};
  EXPECT_FALSE(keyboard_reaches(proc.procfs(), tty3));
  proc.keyboard("tty3");
  EXPECT_TRUE(keyboard_reaches(proc.procfs(), tty3).value_or(false));
  EXPECT_TRUE(keyboard_reaches(proc.procfs(), Tty{1, 4, 64, 0, 0}).value_or(false));
  EXPECT_TRUE(keyboard_reaches(proc.procfs(), Tty{1, 136, 3, 3, 0}).value_or(false));
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// Whoever uses a session keeps it; whoever only seems to does not.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "e2e/e2e.h"

namespace idlewarden::test {
namespace {

class Activity : public Scaled {};
INSTANTIATE_TEST_SUITE_P(Backends, Activity, testing::ValuesIn(backends()), backend_name);

TEST_P(Activity, OneKeyEveryThreeSecondsKeepsASession) {
  MonitorProcess monitor(watching(kEnforce));
  SshLogin login(server, account);
  for (int i = 0; i < 9; ++i) {
    login.terminal().type("x");
    ASSERT_FALSE(login.terminal().wait_end(3s)) << monitor.log();
  }
  EXPECT_TRUE(monitor.events("terminated").empty());
}

TEST_P(Activity, KeysTypedWhileTheProgramDoesNotReadThemCount) {
  MonitorProcess monitor(watching(kEnforce));
  SshLogin login(server, account);
  login.command("stty -echo; sleep 1000");
  for (int i = 0; i < 5; ++i) {
    ASSERT_FALSE(login.terminal().wait_end(4s)) << monitor.log();
    login.terminal().type("x");
  }
  EXPECT_TRUE(monitor.events("terminated").empty());
}

TEST_P(Activity, TypingAfterTheWarningCancelsIt) {
  MonitorProcess monitor(
      watching("mode = \"enforce\"\nwarn = \"4s\"\n[derive]\nclient_alive_floor = \"0s\"\n"));
  SshLogin login(server, account);
  const auto warned = monitor.wait_event("warned", 6s + lateness_allowed() + 5s);
  ASSERT_FALSE(warned.is_null()) << monitor.log();
  EXPECT_TRUE(login.terminal().wait_for("idle", 3s)) << login.terminal().output();
  EXPECT_TRUE(login.terminal().running());
  login.terminal().type("x");
  EXPECT_FALSE(monitor.wait_event("resumed", 4s).is_null()) << monitor.log();
  EXPECT_FALSE(login.terminal().wait_end(5s)) << login.terminal().output();
  EXPECT_TRUE(monitor.events("terminated").empty());
}

TEST_P(Activity, AnActiveSessionBesideAnIdleOneStays) {
  const Account bob = add_account("iwbob");
  server.authorize(bob);
  MonitorProcess monitor(watching(kEnforce));
  SshLogin active(server, account);
  SshLogin idle(server, bob);
  for (int i = 0; i < 8; ++i) {
    active.terminal().type("x");
    ASSERT_FALSE(active.terminal().wait_end(2s)) << monitor.log();
  }
  EXPECT_FALSE(idle.terminal().running()) << monitor.log();
  const auto ended = monitor.events("terminated");
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0]["user"], bob.name);
}

TEST_P(Activity, OneSessionOfASharedConnectionIsEndedAlone) {
  const TempDir dir;
  const std::string control = "ControlPath=" + dir.path() + "/control";
  MonitorProcess monitor(watching(kEnforce));
  SshLogin active(server, account, {"-o", "ControlMaster=yes", "-o", control});
  SshLogin idle(server, account, {"-o", "ControlMaster=no", "-o", control});
  for (int i = 0; i < 9; ++i) {
    active.terminal().type("x");
    ASSERT_FALSE(active.terminal().wait_end(2s)) << monitor.log();
  }
  EXPECT_FALSE(idle.terminal().running()) << monitor.log();
  EXPECT_EQ(monitor.events("terminated").size(), 1U);
  EXPECT_TRUE(monitor.events("terminate_failed").empty()) << monitor.log();
}

// What the owner of the tty can do to its times, and what root can push into its input queue.
class Forgery : public Scaled {
 protected:
  template <class Trick>
  void expect_ended_all_the_same(Trick trick) {
    MonitorProcess monitor(watching(kEnforce));
    SshLogin login(server, account);
    const std::string tty = login.tty();
    const auto until = login.last_key() + 10s + lateness_allowed() + 1s;
    while (login.terminal().running() && std::chrono::steady_clock::now() < until) {
      trick(tty);
      login.terminal().wait_end(500ms);
    }
    ASSERT_FALSE(login.terminal().running()) << monitor.log();
    EXPECT_GE(seconds(*login.terminal().ended_at() - login.last_key()), 10.0);
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, Forgery, testing::ValuesIn(backends()), backend_name);

TEST_P(Forgery, TouchingTheTtyDoesNotHelp) {
  int touched = 0;
  expect_ended_all_the_same([&](const std::string& tty) {
    // It may end between the look and the touch.
    if (::utimensat(AT_FDCWD, tty.c_str(), nullptr, 0) == 0) ++touched;
  });
  EXPECT_GT(touched, 5) << "the tty could not be touched, so nothing was proven";
}

TEST_P(Forgery, TiocstiDoesNotHelp) {
  int pushed = 0;
  expect_ended_all_the_same([&](const std::string& tty) {
    const UniqueFd fd(::open(tty.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK));
    const char key = 'x';
    if (fd && ::ioctl(fd.get(), TIOCSTI, &key) == 0) ++pushed;
  });
  EXPECT_GT(pushed, 5) << "TIOCSTI was refused, so nothing was proven";
}

// A program that asks the terminal questions in a loop, and a terminal that answers them.
TEST_P(Forgery, AnswersOfTheTerminalDoNotHelp) {
  if (GetParam() == "sampler") GTEST_SKIP() << "the sampler cannot tell answers from keys";
  MonitorProcess monitor(watching(kEnforce));
  SshLogin login(server, account);
  login.terminal().answer("\x1b[6n", "\x1b[12;34R");
  login.terminal().answer("\x1b[c", "\x1b[?62;1;6;22c");
  login.command(
      "stty -echo; while :; do printf '\\033[6n'; sleep 0.5; printf '\\033[c'; "
      "sleep 0.5; done");
  ASSERT_TRUE(login.terminal().wait_end(25s)) << monitor.log();
  const double idle = seconds(*login.terminal().ended_at() - login.last_key());
  EXPECT_GE(idle, 10.0);
  EXPECT_LE(idle, 10.0 + seconds(lateness_allowed()));
  const auto ended = monitor.wait_event("terminated", 3s);
  EXPECT_FALSE(ended.is_null()) << monitor.log();
}

}  // namespace
}  // namespace idlewarden::test

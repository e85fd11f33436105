// SPDX-License-Identifier: Apache-2.0
// Whoever uses a session keeps it; whoever only seems to does not.
#include "e2e/e2e.h"

namespace idlewarden::test {
namespace {

class Activity : public Scaled {
 protected:
  // Types into the one until the other has ended, and once more.
  static void type_until_the_end(SshLogin& active, SshLogin& idle) {
    const auto until = std::chrono::steady_clock::now() + patience(18s);
    bool ended = false;
    while (!ended && std::chrono::steady_clock::now() < until) {
      ended = !idle.terminal().running();
      active.terminal().type("x");
      ASSERT_FALSE(active.terminal().wait_end(2s));
    }
  }
};
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
  type_until_the_end(active, idle);
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
  type_until_the_end(active, idle);
  EXPECT_FALSE(idle.terminal().running()) << monitor.log();
  EXPECT_EQ(monitor.events("terminated").size(), 1U);
  EXPECT_TRUE(monitor.events("terminate_failed").empty()) << monitor.log();
}

}  // namespace
}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// The daemon is killed (SIGKILL) while it ends a session whose leader ignores SIGHUP and SIGTERM,
// and started again.
#include <signal.h>

#include <fstream>

#include "base/procfs.h"
#include "e2e/killed.h"

namespace idlewarden::test {
namespace {

class Killed : public Scaled {
 protected:
  static constexpr auto kLimit = 6s;
  static constexpr auto kGrace = 3s;

  Killed() : Scaled("ClientAliveInterval 3\nClientAliveCountMax 2\n") {}

  static std::string policy(const std::string& mode) {
    return "mode = \"" + mode +
           "\"\nwarn = \"0s\"\ngrace = \"3s\"\n[derive]\nclient_alive_floor = \"0s\"\n";
  }
  // The stubborn leader; SIGTERM leaves a file.
  void resist() {
    const auto started = monitor.wait_event("session_started", 10s);
    ASSERT_FALSE(started.is_null()) << monitor.log();
    leader = std::stoi(started["session"].get<std::string>());
    login.command(
        "exec sh -c 'trap \"\" HUP; trap \"echo > ~/term\" TERM; echo stub''born; "
        "while :; do sleep 0.2; done'");
    ASSERT_TRUE(login.terminal().wait_for("stubborn", 10s));
  }
  bool owed() const { return is_owed(monitor, leader); }
  bool hung_up() const {
    const auto stat = Procfs().stat(leader);
    return stat && stat->tty_nr == 0;
  }
  bool told_to_end() const { return std::ifstream(account.home + "/term").good(); }
  // Killed as soon as this is so.
  template <class Predicate>
  void kill_when(Predicate&& predicate) {
    ASSERT_TRUE(wait_until(predicate, kLimit + kGrace + lateness_allowed() + 5s)) << monitor.log();
    monitor.kill();
    ASSERT_TRUE(owed());
    ASSERT_TRUE(Procfs().lives(leader));
    ASSERT_TRUE(monitor.events("terminated").empty());
  }
  void expect_it_told_once() {
    const auto told = monitor.wait_event("terminated", 5s);
    ASSERT_FALSE(told.is_null()) << monitor.log();
    EXPECT_EQ(told["user"], account.name);
    EXPECT_EQ(told["decided_by"], "sshd_config");
    EXPECT_TRUE(wait_until([&] { return !owed(); }, 2s));
    monitor.kill();
    monitor.restart();
    std::this_thread::sleep_for(3s);
    EXPECT_EQ(monitor.events("terminated").size(), 1U) << monitor.log();
    EXPECT_TRUE(monitor.events("terminate_failed").empty()) << monitor.log();
  }

  MonitorProcess monitor{watching(policy("enforce"))};
  SshLogin login{server, account};
  pid_t leader = 0;
};
// How the input is seen makes no difference to this.
INSTANTIATE_TEST_SUITE_P(Backends, Killed, testing::Values(backends().front()), backend_name);

// Before the hang-up or just after it: whole, the session is judged anew, and its clock with it.
TEST_P(Killed, OnceItsEndIsWritten) {
  resist();
  kill_when([&] { return owed(); });
  monitor.restart();
  EXPECT_TRUE(wait_until([&] { return !Procfs().lives(leader); },
                         kLimit + 2 * kGrace + 2 * lateness_allowed()))
      << monitor.log();
  expect_it_told_once();
}

TEST_P(Killed, AfterTheHangUp) {
  resist();
  kill_when([&] { return hung_up(); });
  monitor.restart();
  EXPECT_TRUE(wait_until([&] { return !Procfs().lives(leader); }, 2 * kGrace + lateness_allowed()))
      << monitor.log();
  expect_it_told_once();
}

TEST_P(Killed, AfterTheSigterm) {
  resist();
  kill_when([&] { return told_to_end(); });
  monitor.restart();
  EXPECT_TRUE(wait_until([&] { return !Procfs().lives(leader); }, 2 * kGrace + lateness_allowed()))
      << monitor.log();
  expect_it_told_once();
}

TEST_P(Killed, AndTheLeaderEndsMeanwhile) {
  resist();
  kill_when([&] { return hung_up(); });
  ASSERT_EQ(::kill(leader, SIGKILL), 0);
  ASSERT_TRUE(wait_until([&] { return !Procfs().lives(leader); }, 5s));
  monitor.restart();
  const auto told = monitor.wait_event("terminated", 5s);
  ASSERT_FALSE(told.is_null()) << monitor.log();
  EXPECT_TRUE(told["lateness_seconds"].is_null()) << told.dump();
  expect_it_told_once();
}

TEST_P(Killed, AndStartedAgainInAuditMode) {
  resist();
  kill_when([&] { return hung_up(); });
  monitor.write_policy(policy("audit"));
  monitor.restart();
  const auto told = monitor.wait_event("terminate_failed", 5s);
  ASSERT_FALSE(told.is_null()) << monitor.log();
  EXPECT_TRUE(wait_until([&] { return !owed(); }, 2s));
  std::this_thread::sleep_for(2 * kGrace + 1s);
  EXPECT_TRUE(Procfs().lives(leader));
  EXPECT_FALSE(told_to_end());
  EXPECT_TRUE(monitor.events("terminated").empty());
  EXPECT_EQ(monitor.events("terminate_failed").size(), 1U);
  ::kill(leader, SIGKILL);
}

}  // namespace
}  // namespace idlewarden::test

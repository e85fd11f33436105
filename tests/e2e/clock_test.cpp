// SPDX-License-Identifier: Apache-2.0
// A daemon that stood still: stopped before the limit, resumed past it.
#include <signal.h>

#include "e2e/e2e.h"

namespace idlewarden::test {
namespace {

class Stalled : public Scaled {};
INSTANTIATE_TEST_SUITE_P(Backends, Stalled, testing::ValuesIn(backends()), backend_name);

TEST_P(Stalled, WhoTypedMeanwhileStaysAndWhoDidNotIsEnded) {
  const Account bob = add_account("iwbob");
  server.authorize(bob);
  // They log in before anybody watches: however long that takes, their clocks start together.
  SshLogin active(server, account);
  SshLogin idle(server, bob);
  MonitorProcess monitor(watching(kEnforce));
  const auto both = [&] { return monitor.events("session_started").size() == 2; };
  for (const auto until = std::chrono::steady_clock::now() + patience(10s);
       !both() && std::chrono::steady_clock::now() < until;) {
    std::this_thread::sleep_for(100ms);
  }
  ASSERT_TRUE(both()) << monitor.log();

  monitor.process().signal(SIGSTOP);
  for (int i = 0; i < 6; ++i) {
    active.terminal().type("x");
    std::this_thread::sleep_for(2s);
  }
  const auto resumed = std::chrono::steady_clock::now();
  EXPECT_TRUE(idle.terminal().running());
  monitor.process().signal(SIGCONT);

  // Two seconds are given to whatever waited to be read.
  ASSERT_TRUE(idle.terminal().ends_within(3s + lateness_allowed())) << monitor.log();
  EXPECT_GE(seconds(*idle.terminal().ended_at() - resumed), 1.9);
  EXPECT_TRUE(active.terminal().running()) << monitor.log();
  const auto ended = monitor.wait_event("terminated", 5s);
  ASSERT_FALSE(ended.is_null()) << monitor.log();
  EXPECT_EQ(ended["user"], bob.name);
  EXPECT_NE(monitor.log().find("everything is read again"), std::string::npos) << monitor.log();
  active.terminal().type("x");
  EXPECT_FALSE(active.terminal().wait_end(6s)) << monitor.log();
}

}  // namespace
}  // namespace idlewarden::test

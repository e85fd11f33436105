// SPDX-License-Identifier: Apache-2.0
// Several terminals on one connection (ControlMaster): whichever is ended, and however hard that
// is, the others go on.
#include <signal.h>

#include <fstream>

#include "e2e/e2e.h"

namespace idlewarden::test {
namespace {

class Mux : public Scaled {
 protected:
  static constexpr const char* kPolicy =
      "mode = \"enforce\"\nwarn = \"0s\"\ngrace = \"2s\"\n[derive]\nclient_alive_floor = \"0s\"\n";

  std::vector<std::string> shared() const { return {"-o", "ControlPath=" + dir_.path() + "/c"}; }
  std::vector<std::string> master() const {
    auto options = shared();
    options.insert(options.end(), {"-o", "ControlMaster=yes"});
    return options;
  }
  // Types into `active` until somebody is ended and a while longer; then it must still answer.
  void expect_undisturbed(const MonitorProcess& monitor, SshLogin& active) {
    const auto until = std::chrono::steady_clock::now() + patience(60s);
    int rounds_after = 0;
    while (rounds_after < 3 && std::chrono::steady_clock::now() < until) {
      active.terminal().type("x");
      ASSERT_FALSE(active.terminal().wait_end(2s)) << monitor.log();
      if (!monitor.events("terminated").empty()) ++rounds_after;
    }
    ASSERT_EQ(monitor.events("terminated").size(), 1U) << monitor.log();
    EXPECT_TRUE(monitor.events("terminate_failed").empty()) << monitor.log();
    active.command(
        "\x15"
        "echo still $((40 + 2))");
    EXPECT_TRUE(active.terminal().wait_for("still 42", 20s)) << active.terminal().output();
  }
  static std::string steps(const MonitorProcess& monitor) {
    const auto ended = monitor.events("terminated");
    return ended.empty() ? "" : ended[0]["detail"].get<std::string>();
  }

 private:
  TempDir dir_;
};
INSTANTIATE_TEST_SUITE_P(Backends, Mux, testing::ValuesIn(backends()), backend_name);

TEST_P(Mux, AStubbornLeaderIsKilledAlone) {
  MonitorProcess monitor(watching(kPolicy));
  SshLogin active(server, account, master());
  SshLogin stubborn(server, account, shared());
  stubborn.command("trap '' HUP TERM; while :; do sleep 1; done");
  expect_undisturbed(monitor, active);
  EXPECT_NE(steps(monitor).find("SIGKILL"), std::string::npos) << steps(monitor);
  EXPECT_EQ(steps(monitor).find("host process"), std::string::npos) << steps(monitor);
}

// Nobody takes the session's output any more: its channel is full, and so is everything before it.
// Through a pipe, because ssh writes to a terminal blocking, and so would stop for everybody.
TEST_P(Mux, AStuckClientIsEndedAlone) {
  MonitorProcess monitor(watching(kPolicy));
  SshLogin active(server, account, master());
  const TempDir dir;
  const std::string file = dir.path() + "/reader";
  SshLogin stuck(server, account, shared(), [&](const std::vector<std::string>& client) {
    std::string line;
    for (const std::string& word : client) line += (line.empty() ? "" : " ") + word;
    line += " | { exec 3<&0; cat <&3 & echo $! >" + file + "; wait; }";
    return std::vector<std::string>{"sh", "-c", line};
  });
  stuck.command("yes");
  EXPECT_TRUE(stuck.terminal().wait_for("y\r\ny\r\ny", 20s)) << stuck.terminal().output();
  pid_t reader = 0;
  std::ifstream(file) >> reader;
  ASSERT_GT(reader, 1);
  ASSERT_EQ(::kill(reader, SIGSTOP), 0);
  expect_undisturbed(monitor, active);
  EXPECT_EQ(steps(monitor).find("host process"), std::string::npos) << steps(monitor);
  EXPECT_EQ(::kill(reader, SIGCONT), 0);
}

}  // namespace
}  // namespace idlewarden::test

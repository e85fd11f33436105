// SPDX-License-Identifier: Apache-2.0
// The daemon as a program: audit mode, what it shows, reload, stop.
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "e2e/e2e.h"

namespace idlewarden::test {
namespace {

class DaemonProgram : public Scaled {};
INSTANTIATE_TEST_SUITE_P(Backends, DaemonProgram, testing::ValuesIn(backends()), backend_name);

TEST_P(DaemonProgram, AuditEndsNothingAndReportsOnce) {
  MonitorProcess monitor(watching(kAudit));
  SshLogin login(server, account);
  const std::string before = login.terminal().output();
  const auto would = monitor.wait_event("would_terminate", 10s + lateness_allowed() + 5s);
  ASSERT_FALSE(would.is_null()) << monitor.log();
  EXPECT_GE(would["idle_seconds"].get<double>(), 10.0);
  EXPECT_FALSE(login.terminal().wait_end(5s));
  EXPECT_EQ(login.terminal().output(), before) << "audit wrote to the terminal";
  EXPECT_EQ(monitor.events("would_terminate").size(), 1U);
  EXPECT_TRUE(monitor.events("terminated").empty());
  EXPECT_TRUE(monitor.events("warned").empty());
}

TEST_P(DaemonProgram, ShowsSessionsAndMetrics) {
  MonitorProcess monitor(watching(kAudit));
  SshLogin login(server, account);
  login.command("vim.tiny /etc/hostname || vi /etc/hostname");
  ASSERT_FALSE(monitor.wait_event("session_started", 10s).is_null()) << monitor.log();
  std::this_thread::sleep_for(3s);
  const auto shown = monitor.sessions();
  EXPECT_EQ(shown["backend"], GetParam());
  EXPECT_EQ(shown["mode"], "audit");
  ASSERT_EQ(shown["sessions"].size(), 1U) << shown.dump(2);
  const auto& session = shown["sessions"][0];
  EXPECT_EQ(session["kind"], "ssh");
  EXPECT_EQ(session["user"], account.name);
  EXPECT_EQ(session["remote_addr"], "127.0.0.1");
  EXPECT_GT(session["remote_port"].get<int>(), 1023);
  EXPECT_EQ(session["limit_seconds"], 10);
  EXPECT_EQ(session["decided_by"], "sshd_config");
  EXPECT_TRUE(session["foreground"].get<std::string>().starts_with("vi")) << session.dump();
  EXPECT_LT(session["idle_seconds"].get<double>(), 6.0);
  const std::string metrics = monitor.metrics();
  EXPECT_NE(metrics.find("idlewarden_sessions{"), std::string::npos) << metrics;
  struct stat st {};
  ASSERT_EQ(::stat(monitor.socket().c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600U);
}

TEST_P(DaemonProgram, ReloadTakesAGoodPolicyAndRefusesABadOne) {
  MonitorProcess monitor(watching(kAudit));
  SshLogin login(server, account);
  ASSERT_FALSE(monitor.wait_event("session_started", 10s).is_null()) << monitor.log();

  monitor.write_policy("mode = \"audit\"\nwarm = \"5s\"\n");
  monitor.process().signal(SIGHUP);
  const auto rejected = monitor.wait_event("config_rejected", 5s);
  ASSERT_FALSE(rejected.is_null()) << monitor.log();
  EXPECT_NE(rejected["detail"].get<std::string>().find("warn"), std::string::npos)
      << "the nearest right key is not named: " << rejected.dump();
  EXPECT_EQ(monitor.sessions()["sessions"][0]["limit_seconds"], 10);

  monitor.write_policy("mode = \"audit\"\n[[rule]]\nname = \"all\"\nlimit = \"1h\"\n");
  monitor.process().signal(SIGHUP);
  ASSERT_FALSE(monitor.wait_event("config_reloaded", 5s).is_null()) << monitor.log();
  const auto session = monitor.sessions()["sessions"][0];
  EXPECT_EQ(session["limit_seconds"], 3600);
  EXPECT_EQ(session["decided_by"], "rule");
}

TEST_P(DaemonProgram, StoppingItLeavesSessionsAlone) {
  MonitorProcess monitor(watching(kEnforce));
  SshLogin login(server, account);
  ASSERT_FALSE(monitor.wait_event("session_started", 10s).is_null()) << monitor.log();
  const int status = monitor.process().stop();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status << monitor.log();
  EXPECT_FALSE(login.terminal().wait_end(11s)) << monitor.log();
}

TEST_P(DaemonProgram, AWrongPolicyAtTheStartIsRefusedWithItsPlace) {
  const TempDir dir;
  const std::string policy = dir.file("bad.toml", "mode = \"enforce\"\ngrace = \"five\"\n");
  const Finished ran =
      run({binary(), "run", "--config", policy, "--socket", dir.path() + "/s", "--pin-dir", "none",
           "--metrics-listen", "none", "--only-host-pid", std::to_string(server.pid())});
  EXPECT_TRUE(WIFEXITED(ran.status) && WEXITSTATUS(ran.status) == 1) << ran.output;
  EXPECT_NE(ran.output.find(policy + ":2:"), std::string::npos) << ran.output;
}

}  // namespace
}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// The daemon as a program: audit mode, what it shows, reload, stop.
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cerrno>
#include <system_error>

#include "base/procfs.h"
#include "base/unique_fd.h"
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

TEST_P(DaemonProgram, KeepsOnlyTheCapabilitiesItUses) {
  MonitorProcess monitor(watching(kAudit));
  const auto read = Procfs().read(std::to_string(monitor.process().pid()) + "/status");
  ASSERT_TRUE(read) << read.error().text();
  const std::string& status = *read;
  // SYS_ADMIN, SYS_PTRACE, KILL, DAC_OVERRIDE (linux/capability.h)
  constexpr unsigned long kNeeded = 1UL << 21 | 1UL << 19 | 1UL << 5 | 1UL << 1;
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    const auto at = status.find(std::string(set) + ":\t");
    ASSERT_NE(at, std::string::npos) << status;
    EXPECT_EQ(std::stoul(status.substr(at + 8), nullptr, 16) & ~kNeeded, 0U) << set;
  }
}

TEST_P(DaemonProgram, ShowsSessionsAndMetrics) {
  MonitorProcess monitor(watching(kAudit));
  SshLogin login(server, account);
  login.command("vim.tiny /etc/hostname || vi /etc/hostname");
  ASSERT_FALSE(monitor.wait_event("session_started", 10s).is_null()) << monitor.log();
  auto shown = monitor.sessions();
  const auto in_vi = [&] {
    const auto& all = shown["sessions"];
    return all.size() == 1 && all[0]["foreground"].is_string() &&
           all[0]["foreground"].get<std::string>().starts_with("vi");
  };
  for (const auto until = std::chrono::steady_clock::now() + patience(5s);
       !in_vi() && std::chrono::steady_clock::now() < until; shown = monitor.sessions()) {
    std::this_thread::sleep_for(500ms);
  }
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
  EXPECT_LT(session["idle_seconds"].get<double>(),
            seconds(std::chrono::steady_clock::now() - login.last_key()) + 2);
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

// The service manager's socket, sd_notify(3).
class NotifySocket {
 public:
  NotifySocket() : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    const timeval patience{.tv_sec = 0, .tv_usec = 100'000};
    if (::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) {
      throw std::system_error(errno, std::generic_category(), "the notify socket");
    }
  }
  std::string path() const { return dir_.path() + "/notify"; }
  bool hears(const std::string& word, std::chrono::seconds within) {
    const auto until = std::chrono::steady_clock::now() + within;
    while (heard_.find(word) == std::string::npos && std::chrono::steady_clock::now() < until) {
      char buffer[512];
      const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
      if (n > 0) heard_.append(buffer, static_cast<std::size_t>(n)).append("\n");
    }
    return heard_.find(word) != std::string::npos;
  }
  const std::string& heard() const { return heard_; }

 private:
  TempDir dir_;
  UniqueFd fd_;
  std::string heard_;
};

TEST_P(DaemonProgram, KeepsTheServiceManagerInformed) {
  NotifySocket manager;
  MonitorOptions options = watching(kAudit);
  options.environment = {{"NOTIFY_SOCKET", manager.path()}, {"WATCHDOG_USEC", "1000000"}};
  MonitorProcess monitor(options);
  EXPECT_TRUE(manager.hears("READY=1", 10s)) << manager.heard();
  EXPECT_TRUE(manager.hears("WATCHDOG=1", 5s)) << manager.heard();
  monitor.process().signal(SIGHUP);
  EXPECT_TRUE(manager.hears("RELOADING=1", 5s)) << manager.heard();
  monitor.process().stop();
  EXPECT_TRUE(manager.hears("STOPPING=1", 2s)) << manager.heard();
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
  const Finished ran = run({binary(), "run", "--config", policy, "--socket", dir.path() + "/s",
                            "--pin-dir", "none", "--state-dir", "none", "--metrics-listen", "none",
                            "--only-host-pid", std::to_string(server.pid())});
  EXPECT_TRUE(WIFEXITED(ran.status) && WEXITSTATUS(ran.status) == 1) << ran.output;
  EXPECT_NE(ran.output.find(policy + ":2:"), std::string::npos) << ran.output;
}

}  // namespace
}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// Files that change under a running daemon, and what it then goes by: `explain --session`.
#include <signal.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "e2e/e2e.h"

namespace idlewarden::test {
namespace {

using Json = MonitorProcess::Json;

constexpr const char* kAnHour =
    "mode = \"audit\"\n[derive]\nclient_alive_floor = \"0s\"\n"
    "[[rule]]\nname = \"all\"\nlimit = \"1h\"\n";

class Reload : public Scaled {
 protected:
  static std::chrono::milliseconds soon() { return lateness_allowed(); }  // 2 s

  // The next event of this type, within 2 s.
  Json next(const MonitorProcess& monitor, const std::string& type) {
    std::size_t& seen = seen_[type];
    const auto until = std::chrono::steady_clock::now() + soon();
    while (std::chrono::steady_clock::now() < until) {
      const auto all = monitor.events(type);
      if (all.size() > seen) return all[seen++];
      std::this_thread::sleep_for(20ms);
    }
    return nullptr;
  }
  // A login, and the session that the daemon saw begin.
  Json log_in(const MonitorProcess& monitor) {
    logins_.push_back(std::make_unique<SshLogin>(server, account));
    const Json started = monitor.wait_event("session_started", 10s, [&](const Json& event) {
      return !known_.contains(event["session"].get<std::string>());
    });
    if (!started.is_null()) known_.insert(started["session"].get<std::string>());
    return started;
  }
  static Finished explain(const MonitorProcess& monitor, const std::string& id,
                          const std::vector<std::string>& more = {}) {
    std::vector<std::string> argv{binary(), "explain",  "--session",
                                  id,       "--socket", monitor.socket()};
    argv.insert(argv.end(), more.begin(), more.end());
    return run(argv);
  }
  static Json explained(const MonitorProcess& monitor, const Json& started) {
    return Json::parse(explain(monitor, started["session"], {"--json"}).output);
  }
  // As an editor does: another file takes its place.
  void change_sshd_config(const std::string& from, const std::string& to) const {
    std::ostringstream text;
    text << std::ifstream(server.config_file()).rdbuf();
    std::string changed = text.str();
    const auto at = changed.find(from);
    ASSERT_NE(at, std::string::npos) << changed;
    changed.replace(at, from.size(), to);
    std::ofstream(server.config_file() + ".new") << changed;
    std::filesystem::rename(server.config_file() + ".new", server.config_file());
  }
  void reload_sshd() const {
    const auto listening = [&] {
      const std::string log = server.log();
      int times = 0;
      for (auto at = log.find("Server listening on"); at != std::string::npos;
           at = log.find("Server listening on", at + 1)) {
        ++times;
      }
      return times;
    };
    const int before = listening();
    ASSERT_EQ(::kill(server.pid(), SIGHUP), 0);
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (listening() == before && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(20ms);
    }
    ASSERT_GT(listening(), before) << server.log();
  }

  std::map<std::string, std::size_t> seen_;
  std::set<std::string> known_;
  std::vector<std::unique_ptr<SshLogin>> logins_;
};
// What is read and shown does not depend on how input is seen.
INSTANTIATE_TEST_SUITE_P(Backends, Reload, testing::Values(backends().front()), backend_name);

TEST_P(Reload, APolicyThatIsEditedHoldsForRunningSessionsAtOnce) {
  MonitorProcess monitor(watching(kAudit));
  ASSERT_FALSE(log_in(monitor).is_null()) << monitor.log();
  monitor.write_policy(kAnHour);
  const Json reloaded = next(monitor, "config_reloaded");
  ASSERT_FALSE(reloaded.is_null()) << monitor.log();
  EXPECT_NE(reloaded["detail"].get<std::string>().find("policy.toml changed"), std::string::npos)
      << reloaded;
  const Json session = monitor.sessions()["sessions"][0];
  EXPECT_EQ(session["limit_seconds"], 3600);
  EXPECT_EQ(session["decided_by"], "rule");
}

TEST_P(Reload, ABrokenPolicyIsToldUntilItIsMended) {
  MonitorProcess monitor(watching(kAudit));
  ASSERT_FALSE(log_in(monitor).is_null()) << monitor.log();
  monitor.write_policy("mode = \"audit\"\nwarm = \"5s\"\n");
  const Json rejected = next(monitor, "config_rejected");
  ASSERT_FALSE(rejected.is_null()) << monitor.log();
  EXPECT_NE(rejected["source"].get<std::string>().find("policy.toml:2"), std::string::npos)
      << rejected;
  const Json shown = monitor.sessions();
  EXPECT_EQ(shown["sessions"][0]["limit_seconds"], 10);
  EXPECT_TRUE(shown["degraded"].contains("policy_rejected")) << shown["degraded"];
  const Finished table = run({binary(), "sessions", "--socket", monitor.socket()});
  EXPECT_NE(table.output.find("degraded: the last good policy stays in force"), std::string::npos)
      << table.output;
  const std::string metrics = monitor.metrics();
  EXPECT_NE(metrics.find("idlewarden_degraded{reason=\"policy_rejected\"} 1"), std::string::npos)
      << metrics;
  EXPECT_NE(metrics.find("idlewarden_policy_reloads_total{result=\"failure\"} 1"),
            std::string::npos)
      << metrics;

  monitor.write_policy(kAnHour);
  ASSERT_FALSE(next(monitor, "config_reloaded").is_null()) << monitor.log();
  EXPECT_EQ(monitor.sessions()["degraded"], Json::object());
  EXPECT_EQ(monitor.sessions()["sessions"][0]["limit_seconds"], 3600);
}

TEST_P(Reload, ASessionKeepsTheSshdConfigThatItsSshdHadRead) {
  MonitorProcess monitor(watching(kAudit));
  const Json old = log_in(monitor);
  ASSERT_FALSE(old.is_null()) << monitor.log();
  EXPECT_EQ(old["limit_seconds"], 10);
  change_sshd_config("ClientAliveInterval 5", "ClientAliveInterval 20");
  ASSERT_FALSE(next(monitor, "config_reloaded").is_null()) << monitor.log();
  EXPECT_EQ(explained(monitor, old)["limit_seconds"], 10);
  const Json between = log_in(monitor);
  EXPECT_EQ(between["limit_seconds"], 10) << "sshd has not read its file again";
  reload_sshd();
  const Json after = log_in(monitor);
  EXPECT_EQ(after["limit_seconds"], 40) << monitor.log();

  const Json why = explained(monitor, old);
  EXPECT_EQ(why["limit_seconds"], 10);
  bool told = false;
  for (const Json& source : why["sources"]) {
    told |= source["text"] == "ClientAliveInterval 20" && source["used"] == false &&
            source["reason"].get<std::string>().find("in the file now") != std::string::npos;
  }
  EXPECT_TRUE(told) << why.dump(2);
}

TEST_P(Reload, ABrokenSshdConfigIsToldUntilItIsMended) {
  MonitorProcess monitor(watching(kAudit));
  ASSERT_FALSE(log_in(monitor).is_null()) << monitor.log();
  change_sshd_config("ClientAliveInterval 5", "ClientAliveInterval five");
  const Json rejected = next(monitor, "config_rejected");
  ASSERT_FALSE(rejected.is_null()) << monitor.log();
  EXPECT_NE(rejected["source"].get<std::string>().find("sshd_config:"), std::string::npos)
      << rejected;
  const Json shown = monitor.sessions();
  EXPECT_TRUE(shown["degraded"].contains("host_files")) << shown["degraded"];
  EXPECT_EQ(shown["sessions"][0]["limit_seconds"], 10);
  change_sshd_config("ClientAliveInterval five", "ClientAliveInterval 5");
  ASSERT_FALSE(next(monitor, "config_reloaded").is_null()) << monitor.log();
  EXPECT_EQ(monitor.sessions()["degraded"], Json::object());
}

TEST_P(Reload, ExplainsALiveSession) {
  MonitorProcess monitor(watching(kAudit));
  const Json started = log_in(monitor);
  ASSERT_FALSE(started.is_null()) << monitor.log();
  const Json why = explained(monitor, started);
  EXPECT_EQ(why["limit_seconds"], 10);
  EXPECT_EQ(why["decided_by"], "sshd_config");
  EXPECT_EQ(why["mode"], "audit");
  EXPECT_EQ(why["session"]["id"], started["session"]);
  EXPECT_EQ(why["session"]["user"], account.name);
  EXPECT_GT(why["session"]["left_seconds"].get<double>(), 0);
  const Json imagined = Json::parse(run({binary(), "explain", "--user", account.name,
                                         "--sshd-config", server.config_file(), "--json"})
                                        .output);
  for (const auto& [key, value] : imagined.items()) EXPECT_TRUE(why.contains(key)) << key;

  for (const std::string& name :
       {started["session"].get<std::string>(), started["tty"].get<std::string>(),
        std::to_string(why["session"]["leader_pid"].get<int>())}) {
    const Finished text = explain(monitor, name);
    EXPECT_EQ(text.status, 0) << text.output;
    EXPECT_TRUE(text.output.starts_with("Session " + started["session"].get<std::string>()))
        << text.output;
    EXPECT_NE(text.output.find(server.config_file() + ":"), std::string::npos) << text.output;
  }
  const Finished unknown = explain(monitor, "4-2");
  EXPECT_EQ(WEXITSTATUS(unknown.status), 1) << unknown.output;
  EXPECT_NE(unknown.output.find(started["session"].get<std::string>()), std::string::npos)
      << "the live ones are not named: " << unknown.output;
  EXPECT_EQ(
      WEXITSTATUS(run({binary(), "explain", "--session", "1", "--socket", "/nowhere"}).status), 3);
  EXPECT_EQ(WEXITSTATUS(explain(monitor, "1", {"--user", "root"}).status), 2);
}

}  // namespace
}  // namespace idlewarden::test

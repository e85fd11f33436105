// SPDX-License-Identifier: Apache-2.0
// The daemon as the pod of the shipped DaemonSet: with its mounts, capabilities and namespaces
// (as_daemonset.py), which are all that it has of the host.
#include <unistd.h>

#include <fstream>

#include "e2e/e2e.h"

namespace idlewarden::test {
namespace {

using Json = MonitorProcess::Json;

const std::string kAsDaemonSet = IDLEWARDEN_SOURCE "/tests/e2e/as_daemonset.py";
const std::string kManifest =
    IDLEWARDEN_SOURCE "/scripts/packaging/kubernetes/idlewarden-daemonset.yaml";

class DaemonSet : public Scaled {
 protected:
  void SetUp() override {
    if (::access(kManifest.c_str(), R_OK) != 0) GTEST_SKIP() << "the source tree is not here";
  }
  // Rules are by name: the host's accounts are known in the pod.
  MonitorOptions in_a_pod(const std::string& mode) const {
    MonitorOptions options =
        watching("mode = \"" + mode + "\"\nwarn = \"0s\"\n[derive]\nclient_alive_floor = \"0s\"\n" +
                 "[[rule]]\nname = \"known\"\nmatch = { users = [\"" + account.name +
                 "\"] }\n[[rule]]\nname = \"others\"\nlimit = \"never\"\n");
    options.through = {kAsDaemonSet, kManifest};
    // The tree with ThreadSanitizer's suppressions is not in the pod.
    options.environment = {{"IDLEWARDEN_POLICY_DIR", policy_dir_.path()}, {"TSAN_OPTIONS", ""}};
    return options;
  }

  const TempDir policy_dir_;
};
INSTANTIATE_TEST_SUITE_P(Backends, DaemonSet, testing::ValuesIn(backends()), backend_name);

std::string status_line(pid_t pid, const std::string& name) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
  }
  return {};
}

TEST_P(DaemonSet, EndsAnIdleLoginOfTheHost) {
  const MonitorProcess monitor(in_a_pod("enforce"));
  EXPECT_EQ(status_line(monitor.process().pid(), "CapBnd"), "0000000000280022");
  EXPECT_EQ(status_line(monitor.process().pid(), "CapEff"), "0000000000280022");
  SshLogin login(server, account);
  const Json started = monitor.wait_event("session_started", 20s);
  ASSERT_FALSE(started.is_null()) << monitor.log();
  EXPECT_EQ(started["user"], account.name);
  EXPECT_EQ(started["kind"], "ssh");
  EXPECT_EQ(started["remote_addr"], "127.0.0.1");
  EXPECT_EQ(started["container"], nullptr) << "the host's own login";
  EXPECT_EQ(started["limit_seconds"], 10);
  EXPECT_EQ(started["decided_by"], "sshd_config");
  EXPECT_TRUE(started["source"].get<std::string>().starts_with(server.config_file())) << started;

  std::this_thread::sleep_for(3s);
  const auto last_key = std::chrono::steady_clock::now();
  login.terminal().type("x");
  const Json ended = monitor.wait_event("terminated", 40s);
  ASSERT_FALSE(ended.is_null()) << monitor.log();
  EXPECT_GE(std::chrono::steady_clock::now() - last_key, 10s) << "the key was not seen";
  EXPECT_LE(ended["lateness_seconds"].get<double>(), seconds(lateness_allowed())) << ended;
  EXPECT_TRUE(login.terminal().wait_end(20s));
}

TEST_P(DaemonSet, SeesAndEndsWhatHasNoTerminal) {
  const MonitorProcess monitor(in_a_pod("enforce"));
  std::vector<std::string> ssh{"ssh", "-T"};
  for (const std::string& option : server.client_options()) ssh.push_back(option);
  ssh.insert(ssh.end(), {account.name + "@127.0.0.1", "exec cat"});
  const PipedProcess command(ssh);
  const Json started = monitor.wait_event("session_started", 20s);
  ASSERT_FALSE(started.is_null()) << monitor.log();
  EXPECT_EQ(started["kind"], "ssh-nopty");
  EXPECT_EQ(started["user"], account.name);
  EXPECT_FALSE(monitor.wait_event("terminated", 40s).is_null()) << monitor.log();
  EXPECT_EQ(monitor.sessions()["degraded"], Json::object());
}

}  // namespace
}  // namespace idlewarden::test

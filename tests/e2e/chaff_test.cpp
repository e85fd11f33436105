// SPDX-License-Identifier: Apache-2.0
// Since OpenSSH 9.5 a client hides the rhythm of keys among packets that mean nothing, if the
// server knows them. Both are Debian 13's, in a root of their own (newer-ssh).
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "e2e/e2e.h"

namespace idlewarden::test {
namespace {

const std::string kNewerSsh = IDLEWARDEN_SOURCE "/tests/e2e/newer-ssh";
constexpr int kCannotRun = 77;

class Chaff : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (::access(kNewerSsh.c_str(), X_OK) != 0) GTEST_SKIP() << "the source tree is not here";
    const Finished tree = run({kNewerSsh}, 150s);
    if (WEXITSTATUS(tree.status) == kCannotRun) GTEST_SKIP() << tree.output;
    ASSERT_EQ(tree.status, 0) << tree.output;
  }
  static std::vector<std::string> in_its_root(std::vector<std::string> command) {
    command.insert(command.begin(), kNewerSsh);
    return command;
  }
  static long inputs(const MonitorProcess& monitor) {
    const std::string metrics = monitor.metrics();
    const auto at = metrics.find("\nidlewarden_inputs_total ");
    return at == std::string::npos ? -1L : std::stol(metrics.substr(at + 25));
  }
  std::string client_log() const {
    std::ostringstream out;
    out << std::ifstream(dir_.path() + "/client").rdbuf();
    return out.str();
  }
  static std::size_t count(const std::string& text, const std::string& word) {
    std::size_t times = 0;
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++times;
    return times;
  }

  const Account account_ = add_account("iwalice");
  const TempDir dir_;
};
INSTANTIATE_TEST_SUITE_P(Backends, Chaff, testing::ValuesIn(backends()), backend_name);

TEST_P(Chaff, IsNoInput) {
  const SshServer server("", "/usr/sbin/sshd", {kNewerSsh});
  server.authorize(account_);
  const MonitorProcess monitor({.policy = "mode = \"audit\"\n",
                                .backend = GetParam(),
                                .only_host_pids = {server.pid()},
                                .more = {}});
  SshLogin login(
      server, account_,
      {"-o", "ObscureKeystrokeTiming=interval:20", "-vvv", "-E", dir_.path() + "/client"},
      in_its_root);
  ASSERT_FALSE(monitor.wait_event("session_started", 20s).is_null()) << monitor.log();
  login.command("cat >/dev/null");
  std::this_thread::sleep_for(4s);
  const long before = inputs(monitor);
  const std::size_t begun = count(client_log(), "obfuscate_keystroke_timing: starting");
  login.terminal().type("x");
  std::this_thread::sleep_for(5s);  // the chaff goes on for a second or two
  const std::string log = client_log();
  EXPECT_GT(count(log, "obfuscate_keystroke_timing: starting"), begun) << "no chaff was sent";
  EXPECT_EQ(inputs(monitor), before + 1);
  const auto sessions = monitor.sessions()["sessions"];
  ASSERT_EQ(sessions.size(), 1U) << sessions;
  EXPECT_GE(sessions[0]["idle_seconds"].get<double>(), 2.5) << "chaff was taken for a person";
}

}  // namespace
}  // namespace idlewarden::test

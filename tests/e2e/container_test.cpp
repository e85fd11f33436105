// SPDX-License-Identifier: Apache-2.0
// An sshd in a container: pid and mount namespaces, a devpts and accounts of its own, beside one of
// the host, with a login on a terminal of the same number in each.
#include <fstream>
#include <regex>
#include <sstream>

#include "e2e/e2e.h"
#include "support/silent_fs.h"

namespace idlewarden::test {
namespace {

// Numbers below $1 are taken from the container's devpts, so that its next pty gets that one.
constexpr const char* kContainer = R"sh(
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts /dev/pts &&
  mount --bind "$2" /etc/passwd || exit 1
python3 -c 'import os, sys, time
held = [os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY) for _ in range(int(sys.argv[1]))]
time.sleep(100000)' "$1" &
while [ "$(ls /dev/pts | grep -c '[0-9]')" -lt "$1" ]; do sleep 0.05; done
shift 2
exec "$@"
)sh";

class Containers : public testing::TestWithParam<std::string> {
 protected:
  static constexpr const char* kHowTo = "ClientAliveInterval 5\nClientAliveCountMax 2\n";
  // What the container calls one of its users loosens nothing.
  static constexpr const char* kPolicy =
      "mode = \"enforce\"\nwarn = \"0s\"\n[derive]\nclient_alive_floor = \"0s\"\n"
      "[[rule]]\nname = \"not they\"\nmatch = { users = [\"inside\"] }\nlimit = \"never\"\n";

  Containers() {
    outer_server.authorize(outer_account);
    std::string number;
    // Other tests may hold hundreds of ptys for a while; a container is not allowed as many.
    for (int i = 0; i < 30 && (number.empty() || number.size() > 2); ++i) {
      if (i > 0) std::this_thread::sleep_for(2s);
      outer = std::make_unique<SshLogin>(outer_server, outer_account);
      const std::string tty = outer->tty();
      number = tty.substr(tty.rfind('/') + 1);
    }
    std::ostringstream passwd;
    passwd << std::ifstream("/etc/passwd").rdbuf();
    write_host_file("/etc/passwd.inside",
                    std::regex_replace(passwd.str(), std::regex("(^|\n)iwinside:"), "$1inside:"));
    inner_server = std::make_unique<SshServer>(
        kHowTo, "/usr/sbin/sshd",
        std::vector<std::string>{"unshare", "--pid", "--mount", "--fork", "--kill-child",
                                 "--mount-proc", "sh", "-c", kContainer, "container", number,
                                 "/etc/passwd.inside"});
    inner_account.name = "inside";
    inner_server->authorize(inner_account);
    inner = std::make_unique<SshLogin>(*inner_server, inner_account);
  }

  MonitorOptions watching(const std::string& policy) const {
    return {.policy = policy,
            .backend = GetParam(),
            .only_host_pids = {outer_server.pid(), inner_server->pid()},
            .more = {}};
  }
  // An account that a starved machine does not look up in time is asked for again.
  static auto both_of(const MonitorProcess& monitor) {
    auto both = monitor.sessions()["sessions"];
    const auto until = std::chrono::steady_clock::now() + patience(10s);
    while (both.size() != 2 && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(200ms);
      both = monitor.sessions()["sessions"];
    }
    return both;
  }
  // Of the two one is typed at all the time.
  void ends_only(const MonitorProcess& monitor, SshLogin& idle, SshLogin& busy) const {
    const auto until = std::chrono::steady_clock::now() + 15s + lateness_allowed();
    while (idle.terminal().running() && std::chrono::steady_clock::now() < until) {
      busy.terminal().type("x");
      std::this_thread::sleep_for(500ms);
    }
    ASSERT_FALSE(idle.terminal().running()) << monitor.log() << monitor.sessions().dump(2);
    const auto ended = monitor.wait_event("terminated", 5s);
    ASSERT_FALSE(ended.is_null()) << monitor.log();
    EXPECT_EQ(ended["container"].is_null(), &idle == outer.get()) << ended;
    EXPECT_EQ(ended["user"], &idle == outer.get() ? "iwoutside" : "inside") << ended;
    for (int i = 0; i < 4; ++i) {
      busy.terminal().type("x");
      std::this_thread::sleep_for(500ms);
    }
    EXPECT_TRUE(busy.terminal().running()) << monitor.log();
    EXPECT_EQ(monitor.events("terminated").size(), 1U) << monitor.log();
    const auto left = monitor.sessions()["sessions"];
    ASSERT_EQ(left.size(), 1U) << left;
    EXPECT_LT(left[0]["idle_seconds"].get<double>(), 5.0) << left;
    EXPECT_EQ(left[0]["container"].is_null(), &busy == outer.get()) << left;
  }

  // Who reads this file instead of another one waits for ever.
  void stall(const std::string& file) const {
    const auto bound = run({"nsenter", "-t", std::to_string(inner_server->pid()), "-m", "mount",
                            "--bind", kSilent + "/" + SilentFs::kOpened, file});
    ASSERT_EQ(bound.status, 0) << bound.output;
  }

  const std::string kSilent = "/run/silent";
  const bool made = std::filesystem::create_directories(kSilent);
  std::unique_ptr<SilentFs> silent = std::make_unique<SilentFs>(kSilent);
  Account outer_account = add_account("iwoutside");
  Account inner_account = add_account("iwinside");
  SshServer outer_server{kHowTo};
  std::unique_ptr<SshServer> inner_server;
  std::unique_ptr<SshLogin> outer;
  std::unique_ptr<SshLogin> inner;
};
INSTANTIATE_TEST_SUITE_P(Backends, Containers, testing::ValuesIn(backends()), backend_name);

TEST_P(Containers, TerminalsOfOneNumberAreToldApart) {
  const MonitorProcess monitor(watching("mode = \"audit\"\n"));
  const auto both = both_of(monitor);
  ASSERT_EQ(both.size(), 2U) << both;
  const bool first_is_inner = both[0]["user"] == "inside";
  const auto& in = both[first_is_inner ? 0 : 1];
  const auto& out = both[first_is_inner ? 1 : 0];
  EXPECT_EQ(in["tty"], out["tty"]);
  EXPECT_NE(in["id"], out["id"]);
  EXPECT_EQ(out["user"], "iwoutside");
  EXPECT_TRUE(out["container"].is_null()) << out;
  EXPECT_EQ(in["user"], "inside") << "the uid's name on the host is another's";
  EXPECT_TRUE(in["container"].is_string()) << in;
  EXPECT_EQ(in["remote_addr"], "127.0.0.1");
  EXPECT_NE(in["remote_port"], out["remote_port"]);
  const std::string table = run({binary(), "sessions", "--socket", monitor.socket()}).output;
  EXPECT_NE(table.find(in["tty"].get<std::string>() + " in "), std::string::npos) << table;
}

TEST_P(Containers, TheIdleOneInTheContainerIsEnded) {
  ends_only(MonitorProcess(watching(kPolicy)), *inner, *outer);
}

TEST_P(Containers, TheIdleOneOfTheHostIsEnded) {
  ends_only(MonitorProcess(watching(kPolicy)), *outer, *inner);
}

// What was known of it holds, and nobody else waits.
TEST_P(Containers, StorageThatStopsAnsweringHoldsNobodyUp) {
  if (!silent->why_not().empty()) GTEST_SKIP() << silent->why_not();
  const MonitorProcess monitor(watching(kPolicy));
  ASSERT_EQ(both_of(monitor).size(), 2U) << monitor.log();
  stall("/etc/group");
  stall(inner_server->config_file());
  monitor.process().signal(SIGHUP);
  const std::string unread = "idlewarden_degraded{reason=\"limits_unread\"} 1";
  EXPECT_TRUE(
      wait_until([&] { return monitor.metrics().find(unread) != std::string::npos; }, patience(5s)))
      << monitor.metrics() << monitor.log();
  ends_only(monitor, *inner, *outer);
  // Nor is the next daemon kept from anything.
  monitor.process().signal(SIGKILL);
  EXPECT_TRUE(wait_until([&] { return monitor.refuses(); }, patience(5s)));
  silent.reset();
}

TEST_P(Containers, AReloadToAuditHoldsWhereStorageStopsAnswering) {
  if (!silent->why_not().empty()) GTEST_SKIP() << silent->why_not();
  const MonitorProcess monitor(watching(kPolicy));
  ASSERT_EQ(both_of(monitor).size(), 2U) << monitor.log();
  stall("/etc/group");
  const std::string enforce = "enforce";
  std::string policy = kPolicy;
  monitor.write_policy(policy.replace(policy.find(enforce), enforce.size(), "audit"));
  monitor.process().signal(SIGHUP);
  const auto inside = [](const auto& event) { return event["user"] == "inside"; };
  EXPECT_FALSE(monitor.wait_event("would_terminate", 20s + lateness_allowed(), inside).is_null())
      << monitor.log();
  EXPECT_TRUE(monitor.events("terminated").empty()) << monitor.log();
  EXPECT_TRUE(inner->terminal().running());
  silent.reset();
}

}  // namespace
}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// The status page of the running daemon, with a real login, in a real browser; and who gets it on
// an address that others can reach.
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>

#include "e2e/e2e.h"
#include "support/browser.h"
#include "support/confinement.h"
#include "support/http.h"
#include "support/loopback.h"

namespace idlewarden::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(StatusPage, ShowsALoginFromItsBeginToItsEnd) {
  if (const std::string why = Browser::missing(); !why.empty()) GTEST_SKIP() << why;
  const SshServer server("");
  const Account alice = add_account("iwalice");
  server.authorize(alice);
  const std::string address = "127.0.0.1:" + std::to_string(free_port());
  const MonitorProcess monitor({.policy = "mode = \"enforce\"\nwarn = \"0s\"\ngrace = \"1s\"\n"
                                          "[[rule]]\nname = \"all <b>\"\nlimit = \"30s\"\n",
                                .backend = backends().front(),
                                .only_host_pids = {server.pid()},
                                .more = {},
                                .metrics_listen = address});
  Browser browser;
  browser.open("http://" + address + "/");
  const auto shows = [&](const std::string& text, std::chrono::seconds within) {
    return browser.wait_until("document.body.innerText.includes('" + text + "')", patience(within));
  };
  EXPECT_TRUE(shows("Nobody is logged in", 5s));
  EXPECT_TRUE(shows("enforce: idle sessions are ended", 1s));

  SshLogin login(server, alice);
  const std::string tty = login.tty().substr(5);
  login.command("vim.tiny /etc/hostname || vi /etc/hostname");
  EXPECT_TRUE(shows("iwalice", 15s));
  EXPECT_TRUE(shows("ssh from 127.0.0.1", 1s));
  EXPECT_TRUE(shows(tty, 1s));
  EXPECT_TRUE(shows("30s: rule \"all <b>\"", 1s));
  EXPECT_TRUE(shows("policy.toml:6", 1s));
  EXPECT_TRUE(shows("session_started", 5s));
  ASSERT_FALSE(monitor.wait_event("terminated", 60s).is_null()) << monitor.log();
  EXPECT_TRUE(shows("Nobody is logged in", 15s));
  EXPECT_TRUE(shows("ended iwalice on " + tty, 5s));
  EXPECT_THAT(browser.complaints(), testing::IsEmpty());
}

// Any user can take a port before the daemon does.
TEST(MetricsListener, APortThatIsTakenKeepsNobodyFromBeingEnded) {
  const SshServer server("");
  const Account alice = add_account("iwalice");
  server.authorize(alice);
  LoopbackListener taken;
  const MonitorProcess monitor({.policy = "mode = \"enforce\"\nwarn = \"0s\"\ngrace = \"1s\"\n"
                                          "[[rule]]\nname = \"all\"\nlimit = \"3s\"\n",
                                .backend = backends().front(),
                                .only_host_pids = {server.pid()},
                                .more = {},
                                .metrics_listen = "127.0.0.1:" + std::to_string(taken.port)});
  const SshLogin login(server, alice);
  EXPECT_FALSE(monitor.wait_event("terminated", 60s).is_null()) << monitor.log();
  const auto degraded = [&] { return monitor.sessions()["degraded"]; };
  ASSERT_TRUE(degraded().contains("metrics_listen")) << degraded().dump() << monitor.log();
  const std::string said = degraded()["metrics_listen"];
  EXPECT_THAT(said, HasSubstr("tried again every 10 s"));
  EXPECT_THAT(monitor.log(), HasSubstr(said));
  if (confining_unit()) {  // which leaves the daemon no network
    EXPECT_THAT(said, HasSubstr("systemctl status idlewarden.socket"));
    return;
  }
  EXPECT_THAT(said, HasSubstr("(`ss -ltnp sport = :"));
  taken.fd.reset();
  EXPECT_TRUE(wait_for_http(taken.port, "/healthz", 30s)) << monitor.log();
  EXPECT_FALSE(degraded().contains("metrics_listen")) << degraded().dump();
}

// A host of its own on the network: nothing outside of this process sees it.
class Reachable : public ::testing::Test {
 protected:
  static constexpr const char* kToken = "0123456789abcdef0123456789abcdef";

  void SetUp() override {
    if (confining_unit()) GTEST_SKIP() << "the unit leaves the daemon no network";
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "cannot have a network of its own";
    const Finished made = run({"sh", "-c",
                               "ip link set lo up && ip address show dev lo | grep -q 192.0.2.7 || "
                               "ip address add 192.0.2.7/32 dev lo"});
    ASSERT_EQ(made.status, 0) << made.output;
  }

  MonitorOptions options(const std::string& metrics) const {
    return {.policy = "[metrics]\n" + metrics,
            .backend = backends().front(),
            .only_host_pids = {::getpid()},
            .more = {},
            .metrics_listen = "0.0.0.0:" + std::to_string(port_)};
  }
  // Status and body.
  std::string ask(const std::string& host, const std::string& target,
                  const std::string& header = "X: y") const {
    return run({"curl", "-sS", "--max-time", "10", "-w", "\n%{http_code}", "-H", header,
                "http://" + host + ":" + std::to_string(port_) + target})
        .output;
  }

  const TempDir dir_;
  const int port_ = free_port();
};

TEST_F(Reachable, OnLoopbackForAllElsewhereOnlyWithTheToken) {
  const std::string file = dir_.file("token", std::string(kToken) + "\n", 0600);
  const MonitorProcess monitor(options("token_file = \"" + file + "\"\n"));
  const std::string bearer = std::string("Authorization: Bearer ") + kToken;
  for (const char* target : {"/", "/api/v1/sessions", "/api/v1/status", "/api/v1/events"}) {
    EXPECT_THAT(ask("127.0.0.1", target), testing::EndsWith("\n200"));
    EXPECT_THAT(ask("192.0.2.7", target), testing::EndsWith("\n401")) << target;
    EXPECT_THAT(ask("192.0.2.7", target, "Host: localhost"), testing::EndsWith("\n401"));
    EXPECT_THAT(ask("192.0.2.7", target, bearer + "0"), testing::EndsWith("\n401"));
    EXPECT_THAT(ask("192.0.2.7", target, bearer), testing::EndsWith("\n200"));
    EXPECT_THAT(ask("192.0.2.7", std::string(target) + "?token=" + kToken),
                testing::EndsWith("\n200"));
    EXPECT_THAT(ask("127.0.0.1", target, "Host: rebound.example"), testing::EndsWith("\n421"));
  }
  EXPECT_THAT(ask("192.0.2.7", "/metrics"), testing::EndsWith("\n200"));
  EXPECT_THAT(ask("192.0.2.7", "/healthz"), testing::EndsWith("\n200"));

  // Another token holds at once; what is none is told.
  dir_.file("token", "another-token-0123456789", 0600);
  EXPECT_THAT(ask("192.0.2.7", "/", bearer), testing::EndsWith("\n401"));
  EXPECT_THAT(ask("192.0.2.7", "/?token=another-token-0123456789"), testing::EndsWith("\n200"));
  dir_.file("token", "short", 0600);
  monitor.process().signal(SIGHUP);
  ASSERT_FALSE(monitor.wait_event("config_reloaded", 10s).is_null()) << monitor.log();
  EXPECT_THAT(ask("192.0.2.7", "/metrics"),
              HasSubstr("idlewarden_degraded{reason=\"metrics_token\"} 1"));
  EXPECT_THAT(ask("192.0.2.7", "/?token=short"), testing::EndsWith("\n401"));
}

TEST_F(Reachable, WithoutATokenOnlyOnLoopback) {
  const MonitorProcess monitor(options("per_session = true\n"));
  EXPECT_THAT(ask("127.0.0.1", "/"), testing::EndsWith("\n200"));
  EXPECT_THAT(ask("192.0.2.7", "/"), testing::EndsWith("\n403"));
  EXPECT_THAT(ask("192.0.2.7", "/?token="), testing::EndsWith("\n403"));
  EXPECT_THAT(ask("127.0.0.1", "/metrics"), HasSubstr("idlewarden_each_session_idle_seconds"));
  EXPECT_THAT(ask("192.0.2.7", "/metrics"), Not(HasSubstr("idlewarden_each_session")));
}

TEST_F(Reachable, CanBeSwitchedOff) {
  const MonitorProcess monitor(options("page = \"off\"\n"));
  EXPECT_THAT(ask("127.0.0.1", "/"), HasSubstr("/metrics  for Prometheus"));
  EXPECT_THAT(ask("127.0.0.1", "/api/v1/sessions"), testing::EndsWith("\n404"));
}

}  // namespace
}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// Each kind of system call that the daemon makes while it runs fails once: it says so, gets over
// it, keeps seeing who comes, and nobody who types is taken for idle.
#include <signal.h>

#include <set>

#include "e2e/faults.h"

namespace idlewarden::test {
namespace {

class FaultsWhileItRuns : public testing::TestWithParam<int> {
 protected:
  FaultsWhileItRuns() {
    server.authorize(idle_account);
    server.authorize(busy_account);
  }

  MonitorOptions options() {
    return {.policy =
                "mode = \"audit\"\nwarn = \"0s\"\n[[rule]]\nname = \"all\"\n"
                "match = { groups = [\"iwidle\", \"iwbusy\"] }\nlimit = \"3s\"\n"
                "[hooks]\non_event = \"/usr/bin/true\"\n",
            .backend = backends().front(),
            .only_host_pids = {server.pid()},
            .more = {},
            .state_dir = states.path() + "/state",
            .guard = ledger.guard()};
  }

  // Somebody logs in and out, the configuration is read again, a scrape comes.
  void live(MonitorProcess& monitor) {
    const std::size_t before = monitor.events("session_started").size();
    {
      SshLogin guest(server, busy_account, {"-S", control()});
      const Typist typist(guest.terminal());
      monitor.process().signal(SIGHUP);
      (void)monitor.metrics();
      // Each of its calls is asked about first here, so its scans are dear, and rare.
      const auto until = std::chrono::steady_clock::now() + 10s;
      while (monitor.events("session_started").size() == before &&
             std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(20ms);
      }
    }
    seen = monitor.events("session_started").size() > before;
  }

  // The reasons that are left.
  static std::vector<std::string> degraded_at_last(const MonitorProcess& monitor) {
    const auto until = std::chrono::steady_clock::now() + 15s;
    auto reasons = degraded(monitor);
    for (int i = 0; !reasons.empty() && std::chrono::steady_clock::now() < until; ++i) {
      // What only its next use can mend is used.
      if (i % 20 == 10) monitor.process().signal(SIGHUP);
      std::this_thread::sleep_for(100ms);
      reasons = degraded(monitor);
    }
    return reasons;
  }

  void fail_once(MonitorProcess& monitor, const std::string& kind, bool again = false) {
    const std::size_t said_before = complaints(monitor.log()).size();
    ledger.arm(kind);
    try {
      live(monitor);
    } catch (const std::exception& e) {
      // The very answer to one of the questions here may be what failed.
      ASSERT_TRUE(ledger.fired()) << kind << ": " << e.what() << "\n" << monitor.log();
    }
    for (int i = 0; i < 20 && !ledger.fired(); ++i) std::this_thread::sleep_for(100ms);
    ledger.disarm();
    ASSERT_TRUE(monitor.process().running()) << kind << "\n" << monitor.log();
    const auto fault = ledger.fired();
    if (!fault) return;
    ++fired;
    const auto reasons = degraded(monitor);
    shown.insert(reasons.begin(), reasons.end());
    const bool said = complaints(monitor.log()).size() > said_before || !reasons.empty();
    const bool silent = !said && !needs_no_word(kind);
    EXPECT_FALSE(silent && again) << *fault << ": not a word of it\n" << monitor.log();
    EXPECT_EQ(joined(degraded_at_last(monitor)), "") << *fault << "\n" << monitor.log();
    EXPECT_TRUE(seen || kind == "write TMP/events") << *fault << ": nobody was seen to come\n"
                                                    << monitor.log();
    for (const auto& event : monitor.events("would_terminate")) {
      EXPECT_EQ(event["user"], "iwidle") << *fault << "\n" << event.dump();
    }
    if (silent && !again) fail_once(monitor, kind, true);
  }

  std::string control() const { return states.path() + "/control"; }

  Account idle_account = add_account("iwidle");
  Account busy_account = add_account("iwbusy");
  SshServer server{""};
  TempDir states;
  Ledger ledger;
  int fired = 0;
  std::set<std::string> shown;  // reasons in idlewarden_degraded
  bool seen = false;
};
INSTANTIATE_TEST_SUITE_P(Shards, FaultsWhileItRuns, testing::Range(0, kShards));

TEST_P(FaultsWhileItRuns, EachCallFailsOnce) {
  SshLogin idle(server, idle_account);
  SshLogin busy(server, busy_account, {"-M", "-S", control()});
  const Typist typist(busy.terminal());
  MonitorProcess monitor(options());
  ASSERT_FALSE(monitor.wait_event("would_terminate", 15s).is_null()) << monitor.log();
  ledger.forget();
  for (int i = 0; i < 2; ++i) live(monitor);
  std::this_thread::sleep_for(2s);
  const auto kinds = of_shard(ledger.kinds(), GetParam());
  ASSERT_EQ(complaints(monitor.log()), "");
  ASSERT_GE(kinds.size(), 8U);

  for (const std::string& kind : kinds) fail_once(monitor, kind);
  EXPECT_GE(fired, static_cast<int>(kinds.size()) * 3 / 4);
  RecordProperty("kinds", static_cast<int>(kinds.size()));
  RecordProperty("fired", fired);
  RecordProperty("degraded", joined({shown.begin(), shown.end()}));
  EXPECT_FALSE(shown.empty());

  auto sessions = monitor.sessions()["sessions"];
  for (int i = 0; sessions.size() != 2 && i < 50; ++i) {  // the last guest is on their way out
    std::this_thread::sleep_for(100ms);
    sessions = monitor.sessions()["sessions"];
  }
  EXPECT_EQ(sessions.size(), 2U) << sessions.dump(2);
  EXPECT_EQ(monitor.events("would_terminate").size(), 1U) << monitor.log();
}

}  // namespace
}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// Each kind of system call that the daemon makes while it starts fails once. It starts and says
// what works less well, or it does not, and says why and what to do. Nobody who types is taken for
// idle, and who does not is noticed.
#include <sys/mount.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "e2e/faults.h"

namespace idlewarden::test {
namespace {

constexpr auto kLimit = 3s;

void mount_bpffs(const std::string& path) {
  std::filesystem::create_directories(path);
  if (::mount("bpf", path.c_str(), "bpf", 0, "mode=0700") != 0) {
    throw std::system_error(errno, std::generic_category(), "mounting a bpffs");
  }
}

struct Trial {
  std::string kind;
  Ledger ledger;
  std::unique_ptr<MonitorProcess> monitor;
};

class FaultsAtStart : public testing::TestWithParam<int> {
 protected:
  FaultsAtStart() {
    mount_bpffs("/run/bpf");
    server.authorize(idle_account);
    server.authorize(busy_account);
  }

  // With all that a daemon can have: a hook, pins, a state that it keeps.
  MonitorOptions options(Ledger& ledger) {
    const std::string own = std::to_string(++daemons_);
    return {.policy =
                "mode = \"audit\"\nwarn = \"0s\"\n[[rule]]\nname = \"all\"\n"
                "match = { users = [\"iwidle\", \"iwbusy\"] }\nlimit = \"3s\"\n",
            .backend = backends().back(),
            .only_host_pids = {server.pid()},
            .more = {},
            .pin_dir = "/run/bpf/" + own,
            .state_dir = states_.path() + "/" + own,
            .metrics_listen = "127.0.0.1:0",
            .guard = ledger.guard()};
  }

  // The kinds of a start without a fault.
  std::vector<std::string> record() {
    Ledger ledger;
    MonitorProcess monitor(options(ledger));
    EXPECT_FALSE(monitor.wait_event("session_started", 10s).is_null()) << monitor.log();
    EXPECT_EQ(complaints(monitor.log()), "");
    return ledger.kinds();
  }

  // Null if it did not start, which it then is to have explained.
  std::unique_ptr<Trial> start(const std::string& kind) {
    auto trial = std::make_unique<Trial>();
    trial->kind = kind;
    trial->ledger.arm(kind);
    try {
      trial->monitor = std::make_unique<MonitorProcess>(options(trial->ledger));
      return trial;
    } catch (const NotStarted& e) {
      const int status = e.status.value_or(0);
      EXPECT_TRUE(e.status && WIFEXITED(status)) << kind << ": status " << status << "\n"
                                                 << e.what();
      EXPECT_TRUE(WEXITSTATUS(status) == 1 || WEXITSTATUS(status) == 3) << kind << "\n" << e.what();
      const std::string said = complaints(e.what());
      EXPECT_NE(said.find("idlewarden: "), std::string::npos) << kind << "\n" << e.what();
      EXPECT_NE(said.find('('), std::string::npos) << kind << ": no word of what to do\n" << said;
      EXPECT_TRUE(is_needed_to_start(kind)) << kind << "\n" << e.what();
      ++not_started_;
      return nullptr;
    }
  }

  void expect_well(Trial& trial, bool again = false) {
    const MonitorProcess& monitor = *trial.monitor;
    const std::string& kind = trial.kind;
    const auto of_idle = [](const auto& event) { return event["user"] == "iwidle"; };
    // The event itself may be what was lost.
    const bool lost = kind == "write TMP/events";
    const auto would = monitor.wait_event("would_terminate", kLimit + 10s, of_idle);
    EXPECT_TRUE(lost || !would.is_null()) << kind << "\n" << monitor.log();
    for (const auto& event : monitor.events("would_terminate")) {
      EXPECT_EQ(event["user"], "iwidle") << kind << "\n" << event.dump();
    }
    ASSERT_TRUE(trial.monitor->process().running()) << kind << "\n" << monitor.log();
    const auto fault = trial.ledger.fired();
    if (!fault) return;  // not each start makes each call
    ++fired_;
    const auto reasons = degraded(monitor);
    if (const auto why = needs_no_word(kind, true)) return;
    const bool silent = complaints(monitor.log()).empty() && reasons.empty();
    EXPECT_FALSE(silent && again) << *fault << ": not a word of it\n" << monitor.log();
    if (silent && !again) silent_once_.push_back(kind);
  }

  Account idle_account = add_account("iwidle");
  Account busy_account = add_account("iwbusy");
  SshServer server{""};
  int fired_ = 0;
  int not_started_ = 0;
  std::vector<std::string> silent_once_;

 private:
  TempDir states_;
  int daemons_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Shards, FaultsAtStart, testing::Range(0, kShards));

TEST_P(FaultsAtStart, EachCallFailsOnce) {
  SshLogin idle(server, idle_account);
  SshLogin busy(server, busy_account);
  const Typist typist(busy.terminal());
  const auto kinds = of_shard(record(), GetParam());
  ASSERT_GE(kinds.size(), 10U);
  constexpr std::size_t kAtOnce = 6;  // they mostly wait
  for (std::size_t first = 0; first < kinds.size(); first += kAtOnce) {
    std::vector<std::unique_ptr<Trial>> trials;
    for (std::size_t i = first; i < std::min(first + kAtOnce, kinds.size()); ++i) {
      if (auto trial = start(kinds[i])) trials.push_back(std::move(trial));
    }
    for (auto& trial : trials) expect_well(*trial);
  }
  for (const std::string& kind : silent_once_) {
    if (const auto trial = start(kind)) expect_well(*trial, true);
  }
  RecordProperty("kinds", static_cast<int>(kinds.size()));
  RecordProperty("went_on", fired_);
  RecordProperty("not_started", not_started_);
  EXPECT_GE(fired_ + not_started_, static_cast<int>(kinds.size()) * 3 / 4);
}

}  // namespace
}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// Each kind of system call that the daemon makes while it ends a session fails once: before the
// warning, and between the warning and the report. The session is ended and reported once, or it is
// reported why not; nobody else is touched.
#include <utility>

#include "base/procfs.h"
#include "e2e/faults.h"

namespace idlewarden::test {
namespace {

constexpr auto kLimit = 4s;
constexpr auto kGrace = 1s;
// The session is taken hold of for its warning, or was just warned.
constexpr const char* kBegins = "openat /proc/thread-self/fd/N";
constexpr const char* kWarned = "write /dev/pts/N";

// A host with somebody who types, somebody whose shell neither hears nor obeys, and a daemon.
class Host {
 public:
  Host(const Account& stubborn, const Account& busy) : busy_account_(busy) {
    server_.authorize(stubborn);
    server_.authorize(busy);
    busy_ = std::make_unique<SshLogin>(server_, busy);
    typist_ = std::make_unique<Typist>(busy_->terminal());
    monitor_ = std::make_unique<MonitorProcess>(MonitorOptions{
        .policy = "mode = \"enforce\"\nwarn = \"1s\"\ngrace = \"1s\"\n[[rule]]\nname = \"all\"\n"
                  "limit = \"4s\"\n",
        .backend = backends().front(),
        .only_host_pids = {server_.pid()},
        .more = {},
        .guard = ledger.guard()});
    idle_ = std::make_unique<SshLogin>(server_, stubborn);
    idle_->command("exec sh -c 'trap \"\" HUP TERM; echo stub''born; while :; do sleep 0.2; done'");
    if (!idle_->terminal().wait_for("stubborn", 15s)) throw std::runtime_error("no stubborn shell");
    const auto started = monitor_->wait_event(
        "session_started", 15s, [&](const auto& e) { return e["user"] == stubborn.name; });
    if (started.is_null()) throw std::runtime_error("not seen:\n" + monitor_->log());
    leader = std::stoi(started["session"].get<std::string>());
  }

  // The event that says how it went, or null.
  MonitorProcess::Json outcome() const {
    const auto until = std::chrono::steady_clock::now() + kLimit + 3 * kGrace + 15s;
    while (std::chrono::steady_clock::now() < until) {
      for (const char* type : {"terminated", "terminate_failed"}) {
        const auto events = monitor_->events(type);
        if (!events.empty()) return events.front();
      }
      if (!monitor_->process().running()) break;
      std::this_thread::sleep_for(50ms);
    }
    return nullptr;
  }
  MonitorProcess& monitor() { return *monitor_; }
  bool busy_is_there() { return busy_->terminal().running(); }

  Ledger ledger;
  pid_t leader = 0;

 private:
  Account busy_account_;
  SshServer server_{""};
  std::unique_ptr<SshLogin> busy_;
  std::unique_ptr<Typist> typist_;
  std::unique_ptr<MonitorProcess> monitor_;
  std::unique_ptr<SshLogin> idle_;
};

struct Case {
  std::string after;
  std::string kind;
};

class FaultsWhileItEnds : public testing::TestWithParam<int> {
 protected:
  std::vector<Case> cases() {
    Host host(stubborn, busy);
    const auto told = host.outcome();
    EXPECT_EQ(told["event"], "terminated") << host.monitor().log();
    std::this_thread::sleep_for(500ms);
    EXPECT_EQ(complaints(host.monitor().log()), "");
    std::vector<Case> all;
    for (const char* after : {kBegins, kWarned}) {
      for (const auto& kind : of_shard(host.ledger.kinds_after(after), GetParam())) {
        all.push_back({after, kind});
      }
    }
    return all;
  }

  // Those of which there was not a word are `silent_` then.
  void play(const std::vector<Case>& all) {
    constexpr std::size_t kAtOnce = 4;
    for (std::size_t first = 0; first < all.size(); first += kAtOnce) {
      std::vector<std::pair<std::unique_ptr<Host>, Case>> hosts;
      for (std::size_t i = first; i < std::min(first + kAtOnce, all.size()); ++i) {
        auto host = std::make_unique<Host>(stubborn, busy);
        host->ledger.arm(all[i].kind, all[i].after);
        hosts.emplace_back(std::move(host), all[i]);
      }
      for (auto& [host, one] : hosts) expect_well(*host, one);
    }
  }

  void expect_well(Host& host, const Case& one) {
    const MonitorProcess& monitor = host.monitor();
    const auto told = host.outcome();
    const auto fault = host.ledger.fired();
    const std::string what = one.kind + " after " + one.after + "\n";
    ASSERT_TRUE(host.monitor().process().running()) << what << monitor.log();
    EXPECT_TRUE(host.busy_is_there()) << what << monitor.log();
    for (const auto& event : monitor.events("terminated")) EXPECT_NE(event["user"], "iwbusy");
    if (told.is_null() && one.kind == "write TMP/events") {
      EXPECT_FALSE(Procfs().lives(host.leader)) << what << monitor.log();
      return;
    }
    ASSERT_FALSE(told.is_null()) << what << monitor.log();
    // On a starved machine a process outlives its SIGKILL by more than the grace: both, in turn.
    EXPECT_LE(monitor.events("terminated").size(), 1U) << what << monitor.log();
    EXPECT_LE(monitor.events("terminate_failed").size(), 1U) << what << monitor.log();
    if (told["event"] == "terminated") {
      EXPECT_FALSE(Procfs().lives(host.leader)) << what << monitor.log();
    } else {
      EXPECT_NE(told["detail"], nullptr) << what << told.dump();
    }
    if (!fault) {
      unfired_ += what;
      return;
    }
    ++fired_;
    const std::string log = monitor.log();
    const bool said = !complaints(log).empty() || told["event"] == "terminate_failed" ||
                      log.find("failed (") != std::string::npos ||
                      log.find("could not be written") != std::string::npos;
    if (said || needs_no_word(one.kind) || ends_all_the_same(one.kind)) return;
    silent_.push_back(one);
    silence_ += *fault + " after " + one.after + ": not a word of it\n" + log;
  }

  // Of what only makes an end come sooner, or is looked at again before the next step.
  static bool ends_all_the_same(const std::string& kind) {
    for (const char* begin :
         {"fcntl", "epoll_ctl", "openat /proc/", "read /proc/", "newfstatat /proc/",
          "openat2 /proc/", "readlink /proc/", "getdents64 /proc/", "pidfd_open", "pidfd_getfd",
          "write /dev/pts/N", "openat /dev/pts/N", "newfstatat /dev/pts/N", "openat /",
          "ioctl SIOC", "ioctl TIOC"}) {
      if (kind.starts_with(begin)) return true;
    }
    return false;
  }

  Account stubborn = add_account("iwidle");
  Account busy = add_account("iwbusy");
  int fired_ = 0;
  std::string unfired_;
  std::vector<Case> silent_;
  std::string silence_;  // what there was instead
};
INSTANTIATE_TEST_SUITE_P(Shards, FaultsWhileItEnds, testing::Range(0, kShards));

TEST_P(FaultsWhileItEnds, EachCallFailsOnce) {
  const std::vector<Case> all = cases();
  ASSERT_GE(all.size(), 8U);
  play(all);
  // What comes after what is up to when the threads get to run.
  EXPECT_GE(fired_, static_cast<int>(all.size()) * 2 / 3) << "not made again:\n" << unfired_;
  RecordProperty("cases", static_cast<int>(all.size()));
  RecordProperty("fired", fired_);
  silence_.clear();
  play(std::exchange(silent_, {}));
  EXPECT_EQ(silence_, "");
}

}  // namespace
}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// The daemon is killed (SIGKILL) at each step of an end, to the system call, and started again: the
// session, whose shell ignores SIGHUP and SIGTERM, is ended by the same rules and reported once.
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <mutex>
#include <string>
#include <vector>

#include "base/procfs.h"
#include "e2e/killed.h"

namespace idlewarden::test {
namespace {

struct Step {
  std::string name;
  std::string call;  // how its kind begins
  int number;        // of that call, counted once `from` was seen
  bool before;       // killed when it is about to be made; else when the next one is
  std::string from;
  bool begun;  // the end is written down, so it is owed
};
void PrintTo(const Step& step, std::ostream* to) {
  *to << step.name;
}

constexpr const char* kTty = "write /dev/pts/";
constexpr const char* kNewBook = "openat TMP/socket.state/endings.json.new";
constexpr const char* kBook = "write TMP/socket.state/endings.json.new";
constexpr const char* kReplace = "renameat TMP/socket.state/endings.json.new";
constexpr const char* kHangUp = "ioctl TIOCVHANGUP";
constexpr const char* kTerm = "pidfd_send_signal 15";
constexpr const char* kKill = "pidfd_send_signal 9";
constexpr const char* kReport = "write TMP/events";

const Step kSteps[] = {
    {"BeforeTheWarning", kTty, 1, true, "", false},
    {"AfterTheWarning", kTty, 1, false, "", false},
    {"BeforeTheWarningIsReported", kReport, 1, true, kTty, false},
    {"BeforeTheLastWords", kTty, 2, true, "", false},
    {"AfterTheLastWords", kTty, 2, false, "", false},
    {"BeforeItIsWrittenDown", kNewBook, 1, true, "", false},
    {"WhileItIsWrittenDown", kBook, 1, true, "", false},
    {"BeforeTheBookIsReplaced", kReplace, 1, true, "", false},
    {"BeforeTheHangUp", kHangUp, 1, true, "", true},
    {"AfterTheHangUp", kHangUp, 1, false, "", true},
    {"BeforeTheSigterm", kTerm, 1, true, "", true},
    {"AfterTheSigterm", kTerm, 1, false, "", true},
    {"BeforeTheSigkill", kKill, 1, true, "", true},
    {"AfterTheSigkill", kKill, 1, false, "", true},
    {"BeforeTheReport", kReport, 1, true, kKill, true},
    {"AfterTheReport", kReport, 1, false, kKill, true},
    {"BeforeTheStrike", kNewBook, 1, true, kKill, true},
    {"BeforeTheStrikeIsThere", kReplace, 1, true, kKill, true},
    {"AfterTheStrike", kReplace, 1, false, kKill, false},
};

// Ends the program at its step, and lets a second one live.
class Killer {
 public:
  explicit Killer(const Step& step) : step_(step), from_seen_(step.from.empty()) {}

  SyscallGate::Guard guard() {
    return [this](const SyscallGate::Call& call) { return SyscallGate::Verdict{0, is_last(call)}; };
  }
  bool done() const { return done_; }

 private:
  bool is_last(const SyscallGate::Call& call) {
    if (done_) return false;
    if (next_) return done_ = true;
    if (!from_seen_) {
      from_seen_ = call.kind.starts_with(step_.from);
      return false;
    }
    if (!call.kind.starts_with(step_.call) || ++count_ < step_.number) return false;
    next_ = !step_.before;
    return done_ = step_.before;
  }

  const Step& step_;
  bool from_seen_;
  bool next_ = false;
  int count_ = 0;
  std::atomic<bool> done_ = false;
};

class KilledAt : public testing::TestWithParam<Step> {
 protected:
  static constexpr auto kLimit = 6s;
  static constexpr auto kGrace = 3s;

  bool owed() const { return is_owed(monitor, leader); }
  // Returns when the program is gone.
  void wait_for_the_kill() {
    ASSERT_TRUE(wait_until([&] { return !monitor.process().running(); },
                           kLimit + 2 * kGrace + lateness_allowed() + 20s))
        << monitor.log();
    ASSERT_TRUE(killer.done()) << monitor.log();
    EXPECT_EQ(owed(), GetParam().begun);
  }
  void wait_for_the_start() {
    const auto started = monitor.wait_event("session_started", 15s);
    ASSERT_FALSE(started.is_null()) << monitor.log();
    leader = std::stoi(started["session"].get<std::string>());
  }

  Account account = add_account("iwalice");
  SshServer server{""};
  const bool let_in = (server.authorize(account), true);  // before anybody logs in
  Killer killer{GetParam()};
  MonitorProcess monitor{{.policy = "mode = \"enforce\"\nwarn = \"2s\"\ngrace = \"3s\"\n[[rule]]\n"
                                    "name = \"all\"\nlimit = \"6s\"\n",
                          .backend = backends().front(),
                          .only_host_pids = {server.pid()},
                          .more = {},
                          .guard = killer.guard()}};
  SshLogin login{server, account};
  pid_t leader = 0;
};
INSTANTIATE_TEST_SUITE_P(Steps, KilledAt, testing::ValuesIn(kSteps),
                         [](const auto& info) { return info.param.name; });

TEST_P(KilledAt, TheNextOneEndsItAndReportsItOnce) {
  wait_for_the_start();
  login.command("exec sh -c 'trap \"\" HUP TERM; echo stub''born; while :; do sleep 0.2; done'");
  ASSERT_TRUE(login.terminal().wait_for("stubborn", 15s));

  wait_for_the_kill();
  monitor.restart();

  EXPECT_TRUE(wait_until([&] { return !Procfs().lives(leader); },
                         kLimit + 2 * kGrace + 2 * lateness_allowed() + 10s))
      << monitor.log();
  EXPECT_FALSE(monitor.wait_event("terminated", 10s).is_null()) << monitor.log();
  EXPECT_TRUE(wait_until([&] { return !owed(); }, 5s));
  monitor.kill();
  monitor.restart();
  std::this_thread::sleep_for(2s);
  EXPECT_EQ(monitor.events("terminated").size(), 1U) << monitor.log();
  EXPECT_TRUE(monitor.events("terminate_failed").empty()) << monitor.log();
}

// Before the hang-up nothing has been done that input does not take back.
class KilledBeforeTheHangUp : public KilledAt {
 public:
  static std::vector<Step> steps() {
    const auto first = std::ranges::find(kSteps, std::string("AfterTheHangUp"), &Step::name);
    return {std::begin(kSteps), first};
  }
};
INSTANTIATE_TEST_SUITE_P(Steps, KilledBeforeTheHangUp,
                         testing::ValuesIn(KilledBeforeTheHangUp::steps()),
                         [](const auto& info) { return info.param.name; });

TEST_P(KilledBeforeTheHangUp, WhoTypesMeanwhileIsSpared) {
  wait_for_the_start();
  wait_for_the_kill();
  login.terminal().type("x");
  const auto typed = std::chrono::steady_clock::now();
  monitor.restart();
  EXPECT_TRUE(wait_until([&] { return !owed(); }, 5s));
  std::this_thread::sleep_until(typed + kLimit - 1s);
  EXPECT_TRUE(Procfs().lives(leader)) << monitor.log();
  EXPECT_TRUE(monitor.events("terminated").empty()) << monitor.log();

  EXPECT_FALSE(monitor.wait_event("terminated", kLimit + lateness_allowed() + 10s).is_null())
      << monitor.log();
  EXPECT_GE(std::chrono::steady_clock::now() - typed, kLimit);
}

}  // namespace
}  // namespace idlewarden::test

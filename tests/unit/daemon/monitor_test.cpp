// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <functional>
#include <memory>

#include "support/temp_dir.h"
#include "unit/sessions/made_proc.h"

namespace idlewarden {
namespace {

using test::MadeProc;
using test::TempDir;

constexpr pid_t kListener = 5'000'010;
constexpr pid_t kHost = 5'000'020;
constexpr pid_t kShell = 5'000'030;
constexpr BootTime kStart{Seconds(1000)};

class FakeClock final : public Clock {
 public:
  BootTime now() const override { return now_; }
  WallTime wall() const override { return wall_; }
  Nanoseconds cpu() const override { return cpu_; }
  void set(BootTime t) { now_ = t; }
  void spend(Nanoseconds cpu, Nanoseconds waiting) {
    cpu_ += cpu;
    now_ += cpu + waiting;
  }
  void step_wall(Seconds by) { wall_ += by; }

 private:
  BootTime now_ = kStart;
  Nanoseconds cpu_{0};
  WallTime wall_{Seconds(1'700'000'000)};
};

class FakeSource final : public ActivitySource {
 public:
  Backend backend() const noexcept override { return Backend::fentry; }
  Result<std::vector<Leader>> scan() override {
    ++scans;
    if (on_scan) on_scan();
    if (failing) return fail("the iterator is gone");
    return leaders;
  }
  Result<void> watch(const Tty& tty) override {
    if (on_watch) on_watch();
    if (refusing) return fail("no room");
    watched.push_back(tty);
    return {};
  }
  void unwatch(const Tty& tty) noexcept override { std::erase(watched, tty); }
  InputSeen input(const Tty&) const override { return seen; }
  bool needs_scan(const Tty&) const noexcept override { return false; }

  std::vector<Leader> leaders;
  std::vector<Tty> watched;
  InputSeen seen;
  bool failing = false;
  bool refusing = false;
  int scans = 0;
  std::function<void()> on_scan;
  std::function<void()> on_watch;
};

struct FakeProbe final : ConnectionProbe {
  Result<ConnectionBytes> look(const ConnectionEnd&) override {
    if (++looks == move_at_look) bytes.written += 3;
    if (failing) return fail("the counters are gone");
    return bytes;
  }
  ConnectionBytes bytes{.read = 9000, .written = 5000, .taken = 8000, .given = 4000, .socket = 7};
  bool failing = false;
  int looks = 0;
  int move_at_look = 0;
};

// Ends a session by taking its leader out of the kernel's table.
class FakeTerminator final : public Terminator {
 public:
  explicit FakeTerminator(FakeSource& source) : source_(source) {}
  Result<std::unique_ptr<Grip>> seize(const Session&) override {
    ++seized;
    if (on_seize) on_seize();
    return std::make_unique<FakeGrip>(*this);
  }
  Result<std::unique_ptr<Grip>> seize_again(const Session&) override {
    if (seize_again_error != 0) return fail_errno("cannot tell", seize_again_error);
    return std::make_unique<FakeGrip>(*this);
  }
  Result<std::string> cgroup_of(pid_t) const override { return "/"; }
  std::function<void()> on_seize;
  int seize_again_error = 0;
  int seized = 0;
  int hung_up = 0;
  std::string said;

 private:
  class FakeGrip final : public Grip {
   public:
    explicit FakeGrip(FakeTerminator& owner) : owner_(owner) {}
    Result<void> say(std::string_view text) override {
      owner_.said += text;
      return {};
    }
    Result<std::string> hang_up() override {
      ++owner_.hung_up;
      owner_.source_.leaders.clear();
      return "hang-up";
    }
    Result<void> signal_leader(int) override { return {}; }
    Result<void> signal_host(int) override { return {}; }
    Result<void> kill_survivors() override { return {}; }
    Result<std::string> scope() const override { return fail("it has none"); }
    Alive alive() override { return {.leader = owner_.hung_up == 0, .host_stuck = false}; }
    int leader_fd() const noexcept override { return -1; }

   private:
    FakeTerminator& owner_;
  };

  FakeSource& source_;
};

class MonitorTest : public testing::Test {
 protected:
  MonitorTest() {
    proc_.add({.pid = kListener,
               .executable = "/usr/sbin/sshd",
               .command_line = "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"});
    proc_.add({.pid = kHost,
               .parent = kListener,
               .executable = "/usr/sbin/sshd",
               .command_line = "sshd: x@pts/3",
               .comm = "sshd",
               .uid = 4242,
               .masters = {{9, 3}, {10, 5}}});
    proc_.add(
        {.pid = kShell, .parent = kHost, .executable = "/bin/bash", .comm = "bash", .uid = 4242});
    set_policy("mode = \"enforce\"\nwarn = \"0s\"\n", "10s");
  }

  // The limit comes from a rule, so that nothing of this machine decides.
  void set_policy(const std::string& head, const std::string& limit) {
    const std::string file = files_.file(
        "policy.toml",
        head + "messages = { end = \"\" }\n[[rule]]\nname = \"all\"\nlimit = \"" + limit + "\"\n");
    if (limits_) return;
    auto loaded = Limits::load(Root(), file);
    ASSERT_TRUE(loaded) << loaded.error().text();
    limits_ = std::make_unique<Limits>(std::move(*loaded));
  }

  void log_in(BootTime start, bool untouched = true) {
    Leader leader;
    leader.pid = kShell;
    leader.parent = kHost;
    leader.grandparent = kListener;
    leader.start = start;
    leader.uid = 4242;
    leader.foreground_pgrp = kShell;
    leader.no_input_yet = untouched;
    leader.tty = Tty{.address = 0xffff8880, .major = 136, .minor = 3, .index = 3};
    source_.leaders = {leader};
  }

  void run_command() {
    log_in(kStart);
    source_.leaders[0].tty.reset();
    source_.leaders[0].foreground_pgrp = 0;
  }

  Monitor& monitor() {
    if (!monitor_) {
      table_ = std::make_unique<SessionTable>(proc_.procfs(), clock_, SessionScope{});
      warden_ = std::make_unique<Warden>(terminator_, Warden::Settings{});
      monitor_ = std::make_unique<Monitor>(
          Monitor::Parts{.source = source_,
                         .meter = meter_,
                         .table = *table_,
                         .limits = *limits_,
                         .warden = *warden_,
                         .clock = clock_,
                         .procfs = proc_.procfs(),

                         .emit = [this](const Event& e) { events_.push_back(e); },
                         .warn = [](const std::string&) {},
                         .looked =
                             [this](BootTime at, const std::vector<Observation>& all) {
                               looked_.emplace_back(at, all.size());
                             }});
    }
    return *monitor_;
  }

  static BootTime at(double seconds_after_start) {
    return kStart + Nanoseconds(static_cast<std::int64_t>(seconds_after_start * 1e9));
  }
  // Every turn that is due until then, as the daemon's loop makes them, and one at that time.
  void tick_at(double seconds_after_start) {
    while (due_ && *due_ < at(seconds_after_start)) {
      clock_.set(std::max(*due_, clock_.now()));
      due_ = monitor().tick();
    }
    wake_at(seconds_after_start);
  }
  // One turn, and none before it: the daemon stood still, or the whole machine slept.
  void wake_at(double seconds_after_start) {
    clock_.set(at(seconds_after_start));
    due_ = monitor().tick();
  }
  void expect_its_end_between(double not_yet, double by_then) {
    tick_at(not_yet);
    EXPECT_EQ(terminator_.hung_up, 0);
    tick_at(by_then);
    EXPECT_EQ(terminator_.hung_up, 1);
  }
  int count(EventType type) const {
    return static_cast<int>(std::ranges::count(events_, type, &Event::type));
  }

  MadeProc proc_;
  TempDir files_;
  FakeClock clock_;
  FakeSource source_;
  FakeProbe probe_;
  ConnectionMeter meter_{probe_, clock_};
  FakeTerminator terminator_{source_};
  std::unique_ptr<Limits> limits_;
  std::unique_ptr<SessionTable> table_;
  std::unique_ptr<Warden> warden_;
  std::unique_ptr<Monitor> monitor_;
  std::vector<Event> events_;
  std::vector<std::pair<BootTime, std::size_t>> looked_;  // when, how many sessions
  std::optional<BootTime> due_;
};

TEST_F(MonitorTest, ASessionThatWasThereBeforeStartsItsClockWhenItIsFound) {
  log_in(kStart - Seconds(5000));
  tick_at(0);
  ASSERT_EQ(count(EventType::session_started), 1);
  expect_its_end_between(9.9, 10);
}

TEST_F(MonitorTest, WhatTheKernelKeptOverARestartIsItsIdleTime) {
  log_in(kStart - Seconds(5000), false);
  source_.seen.last_input = kStart - Seconds(9);
  source_.seen.since = kStart - Seconds(4000);
  tick_at(0);
  expect_its_end_between(0.9, 1);
}

TEST_F(MonitorTest, WithoutInputItIsIdleSinceTheKernelWatchesIt) {
  log_in(kStart - Seconds(5000), false);
  source_.seen.since = kStart - Seconds(8);
  tick_at(0);
  expect_its_end_between(1.9, 2);
}

TEST_F(MonitorTest, AFreshUntouchedSessionIsCountedFromItsOwnStart) {
  tick_at(0);
  log_in(kStart + Nanoseconds(500'000'000));
  tick_at(2);
  expect_its_end_between(10.4, 10.5);
}

TEST_F(MonitorTest, AFreshSessionThatWasTypedInIsCountedFromWhenItWasFound) {
  tick_at(0);
  log_in(kStart + Nanoseconds(500'000'000), false);
  tick_at(2);
  expect_its_end_between(11.9, 12);
}

TEST_F(MonitorTest, AnAddressThatIsUsedAgainUnderAnotherNumberIsWatchedAsThatOnly) {
  log_in(kStart - Seconds(5000));
  tick_at(0);
  ASSERT_EQ(source_.watched.size(), 1U);
  log_in(kStart + Seconds(1));
  source_.leaders[0].tty->index = source_.leaders[0].tty->minor = 5;
  tick_at(2);
  ASSERT_EQ(count(EventType::session_ended), 1);
  EXPECT_EQ(source_.watched, std::vector{*source_.leaders[0].tty});
}

TEST_F(MonitorTest, InputMovesTheDeadline) {
  log_in(kStart);
  tick_at(0);
  source_.seen.last_input = kStart + Seconds(8);
  tick_at(10);
  tick_at(17.9);
  EXPECT_EQ(terminator_.hung_up, 0);
  tick_at(18);
  EXPECT_EQ(terminator_.hung_up, 1);
}

// --- without a terminal

TEST_F(MonitorTest, ACommandIsMeasuredByItsConnection) {
  run_command();
  tick_at(0);
  ASSERT_EQ(count(EventType::session_started), 1);
  EXPECT_TRUE(source_.watched.empty());
  tick_at(5.9);
  probe_.bytes.written += 3;
  tick_at(6);
  // Keepalives.
  probe_.bytes.written += 52;
  probe_.bytes.given += 52;
  tick_at(8);
  tick_at(15.9);
  EXPECT_EQ(terminator_.hung_up, 0);
  tick_at(16);
  EXPECT_EQ(terminator_.hung_up, 1);
  EXPECT_EQ(terminator_.said, "");
}

TEST_F(MonitorTest, ACommandThatIsFoundLateIsIdleSinceItsConnectionIsQuiet) {
  tick_at(0);
  run_command();
  source_.leaders[0].start = kStart + Nanoseconds(500'000'000);
  probe_.bytes.quiet = Nanoseconds(1'200'000'000);
  tick_at(2);
  ASSERT_EQ(count(EventType::session_started), 1);
  expect_its_end_between(10.7, 10.8);
}

TEST_F(MonitorTest, ACommandThatWasThereBeforeStartsItsClockWhenItIsFound) {
  run_command();
  probe_.bytes.quiet = Seconds(5000);
  tick_at(0);
  expect_its_end_between(9.9, 10);
}

TEST_F(MonitorTest, TheSecondLookMeasuresAgain) {
  run_command();
  tick_at(0);
  tick_at(9.9);
  const int before = probe_.looks;
  // Typed after the last sample: only a look at the very end can know.
  probe_.move_at_look = before + 1;
  tick_at(10);
  EXPECT_EQ(terminator_.hung_up, 0);
  EXPECT_GT(probe_.looks, before);
}

TEST_F(MonitorTest, ACommandThatCannotBeMeasuredIsNeverIdle) {
  probe_.failing = true;
  run_command();
  for (int t = 0; t < 100; t += 2) tick_at(t);
  EXPECT_EQ(terminator_.seized, 0);
  EXPECT_TRUE(monitor().snapshot().degraded.contains("connection_meter"));
}

TEST_F(MonitorTest, ACommandThatCouldNotBeMeasuredIsIdleSinceItCanBe) {
  probe_.failing = true;
  run_command();
  for (int t = 0; t < 100; t += 2) tick_at(t);
  probe_.bytes.written += 3;  // unseen
  probe_.failing = false;
  tick_at(100);
  tick_at(109.9);
  EXPECT_EQ(terminator_.hung_up, 0);
  tick_at(112.1);
  EXPECT_EQ(terminator_.hung_up, 1);
}

TEST_F(MonitorTest, ACommandThatIsGoneIsNoLongerMeasured) {
  run_command();
  tick_at(0);
  source_.leaders.clear();
  tick_at(2);
  tick_at(4);
  EXPECT_EQ(count(EventType::session_ended), 1);
  const int before = probe_.looks;
  tick_at(6);
  EXPECT_EQ(probe_.looks, before);
}

TEST_F(MonitorTest, TheEndIsToldOnceAndInOrder) {
  log_in(kStart);
  for (const double t : {0.0, 10.0, 10.1, 12.2, 14.0}) tick_at(t);
  ASSERT_EQ(count(EventType::terminated), 1);
  ASSERT_EQ(count(EventType::session_ended), 1);
  const auto ended = std::ranges::find(events_, EventType::terminated, &Event::type);
  EXPECT_LT(ended, std::ranges::find(events_, EventType::session_ended, &Event::type));
  EXPECT_EQ(ended->limit_seconds, 10);
  EXPECT_EQ(ended->decided_by, "rule");
  EXPECT_TRUE(source_.watched.empty());
}

TEST_F(MonitorTest, AnEndThatAnEarlierDaemonBeganIsToldOnceWithItsSession) {
  BegunEnding begun;
  begun.session.id = {kShell, kStart - Seconds(700), 0xffff8880};
  begun.session.user = "alice";
  begun.session.tty_name = "pts/3";
  begun.verdict.decided_by = Origin::sshd_config;
  begun.plan.limit = Seconds(600);
  begun.plan.deadline = kStart - Seconds(10);
  begun.hung_up_at = begun.plan.deadline;
  terminator_.hung_up = 1;  // and its leader has ended
  monitor().adopt(begun);
  for (const double t : {0.0, 2.1, 4.2}) tick_at(t);
  ASSERT_EQ(count(EventType::terminated), 1);
  ASSERT_EQ(count(EventType::session_ended), 1);
  const auto ended = std::ranges::find(events_, EventType::terminated, &Event::type);
  EXPECT_LT(ended, std::ranges::find(events_, EventType::session_ended, &Event::type));
  EXPECT_EQ(ended->user, "alice");
  EXPECT_EQ(ended->limit_seconds, 600);
  EXPECT_EQ(ended->decided_by, "sshd_config");
  EXPECT_EQ(ended->lateness_seconds, std::nullopt);
}

TEST_F(MonitorTest, ASessionThatIsWholeAfterAllIsWatchedLikeAnyOther) {
  log_in(kStart);
  BegunEnding begun;
  begun.session.id = {kShell, kStart, 0xffff8880};
  begun.plan.limit = Seconds(10);
  terminator_.seize_again_error = EMFILE;
  monitor().adopt(begun);
  EXPECT_EQ(count(EventType::terminate_failed), 1);
  tick_at(0);
  expect_its_end_between(9, 12);
}

TEST_F(MonitorTest, AJobThatIsExecdWhereAnotherProgramWasIsSeenInTime) {
  files_.file("policy.toml",
              "mode = \"enforce\"\nwarn = \"0s\"\nmessages = { end = \"\" }\n[[rule]]\n"
              "name = \"all\"\nlimit = \"10s\"\njob_limit = \"1h\"\njobs = [\"rsync\"]\n");
  ASSERT_TRUE(monitor().reload("test"));
  terminator_.on_seize = [this] {
    proc_.add(
        {.pid = kShell, .parent = kHost, .executable = "/bin/rsync", .comm = "rsync", .uid = 4242});
  };
  log_in(kStart);
  for (double t = 0; t < 30; t += 1) tick_at(t);
  EXPECT_GE(terminator_.seized, 1);
  EXPECT_EQ(terminator_.hung_up, 0);
}

TEST_F(MonitorTest, WhatAnSshdHasReadIsTakenDownBeforeAnybodyLogsIn) {
  const auto config = [&](const std::string& interval) {
    files_.file("etc/ssh/sshd_config",
                "ClientAliveInterval " + interval + "\nClientAliveCountMax 1\n");
  };
  config("10m");
  files_.file("policy.toml", "");
  limits_ = std::make_unique<Limits>(*Limits::load(Root(files_.path()), "/policy.toml"));
  proc_.file(kListener, "auxv", "here");
  Leader listener;
  listener.pid = kListener;
  listener.parent = test::kInit;
  source_.leaders = {listener};
  tick_at(0);
  config("5m");  // and sshd is not told
  ASSERT_TRUE(monitor().reload("test"));
  log_in(kStart);
  tick_at(3);
  const Snapshot snapshot = monitor().snapshot();
  ASSERT_EQ(snapshot.sessions.size(), 1u);
  EXPECT_EQ(snapshot.sessions[0].verdict->limit, Seconds(600));
}

TEST_F(MonitorTest, AJobThatIsExecdInACommandIsSeenInTime) {
  files_.file("policy.toml",
              "mode = \"enforce\"\n[[rule]]\nname = \"all\"\nlimit = \"10s\"\n"
              "job_limit = \"1h\"\njobs = [\"rsync\"]\n");
  ASSERT_TRUE(monitor().reload("test"));
  terminator_.on_seize = [this] { proc_.file(kShell, "comm", "rsync\n"); };
  tick_at(-1);
  run_command();
  for (double t = 0; t < 30; t += 1) tick_at(t);
  EXPECT_GE(terminator_.seized, 1);
  EXPECT_EQ(terminator_.hung_up, 0);
}

TEST_F(MonitorTest, AnHourThatBeginsLiftsALimitAtOnce) {
  const auto minute = [this](int from_now) {
    const std::time_t t = WallTime::clock::to_time_t(clock_.wall()) + 60 * from_now;
    std::tm local{};
    ::localtime_r(&t, &local);
    return fmt::format("{:02}:{:02}", local.tm_hour, local.tm_min);
  };
  clock_.step_wall(Seconds(35));  // 5 s before the full minute
  files_.file("policy.toml",
              fmt::format("mode = \"enforce\"\nwarn = \"0s\"\n[[rule]]\nname = \"by day\"\n"
                          "match = {{ hours = [\"Mo-Su {}-{}\"] }}\nlimit = \"1h\"\n[[rule]]\n"
                          "name = \"all\"\nlimit = \"10s\"\n",
                          minute(1), minute(3)));
  ASSERT_TRUE(monitor().reload("test"));
  log_in(kStart);
  tick_at(0);
  tick_at(4.9);
  clock_.step_wall(Seconds(5));
  for (double t = 5; t < 30; t += 1) tick_at(t);
  EXPECT_EQ(terminator_.hung_up, 0);
}

TEST_F(MonitorTest, ANewPtyIsLookedAtSoonAndWhoeverMakesManyGainsNothing) {
  tick_at(0);
  const int before = source_.scans;
  monitor().pty_made();
  tick_at(0.2);
  EXPECT_EQ(source_.scans, before);
  tick_at(0.25);
  EXPECT_EQ(source_.scans, before + 1);
  for (int i = 0; i < 1000; ++i) {
    monitor().pty_made();
    tick_at(0.25 + i * 0.001);
  }
  EXPECT_LE(source_.scans, before + 5);
}

TEST_F(MonitorTest, DearScansAreMadeLessOftenAndSlowOnesAreNot) {
  tick_at(0);
  source_.on_scan = [this] { clock_.spend(Nanoseconds(0), std::chrono::milliseconds(300)); };
  int before = source_.scans;
  for (int t = 3; t <= 90; t += 3) tick_at(t);
  EXPECT_GE(source_.scans, before + 30) << "they waited, and took nothing from anybody";
  source_.on_scan = [this] { clock_.spend(std::chrono::milliseconds(300), Nanoseconds(0)); };
  for (int t = 93; t <= 3000; t += 3) tick_at(t);
  before = source_.scans;
  for (int t = 3003; t <= 6000; t += 3) tick_at(t);
  EXPECT_NEAR(source_.scans - before, 3000 * 1000 / (300 * 1000), 2) << "a thousandth of the time";
}

// A session that costs as much at each scan, and ptys that are made all the time.
TEST_F(MonitorTest, WhatAScanLeadsToIsPaidForToo) {
  tick_at(0);
  source_.refusing = true;
  log_in(kStart);
  source_.on_watch = [this] { clock_.spend(std::chrono::milliseconds(500), Nanoseconds(0)); };
  const auto scans_in_a_minute = [this](int minute) {
    const int before = source_.scans;
    for (int i = 0; i < 600; ++i) {
      monitor().pty_made();
      tick_at(minute * 60 + i * 0.1);
    }
    return source_.scans - before;
  };
  for (int minute = 1; minute < 5; ++minute) scans_in_a_minute(minute);
  EXPECT_NEAR(scans_in_a_minute(5), 60 / 5, 2) << "a tenth of the time";
  source_.on_watch = [this] { clock_.spend(Seconds(20), Nanoseconds(0)); };
  for (int minute = 6; minute < 12; ++minute) scans_in_a_minute(minute);
  EXPECT_NEAR(scans_in_a_minute(12), 2, 1) << "however dear, it is looked";
}

TEST_F(MonitorTest, AStartWithADearCrowdLooksAgainAtOnce) {
  log_in(kStart);
  source_.on_watch = [this] { clock_.spend(Seconds(5), Nanoseconds(0)); };
  tick_at(0);
  const int before = source_.scans;
  tick_at(7);
  EXPECT_GT(source_.scans, before);
}

TEST_F(MonitorTest, WhatCannotBeWatchedIsNeverIdle) {
  source_.refusing = true;
  log_in(kStart);
  for (int t = 0; t < 100; t += 2) tick_at(t);
  EXPECT_EQ(terminator_.seized, 0);
  EXPECT_TRUE(monitor().snapshot().degraded.contains("watch_failed"));
  // Until it can be: then its clock starts.
  source_.refusing = false;
  tick_at(100);
  EXPECT_FALSE(monitor().snapshot().degraded.contains("watch_failed"));
  tick_at(109.9);
  EXPECT_EQ(terminator_.seized, 0);
  tick_at(112);
  EXPECT_EQ(terminator_.hung_up, 1);
}

TEST_F(MonitorTest, AConsoleWhoseKeyboardCannotBeAskedIsNotEnded) {
  proc_.drivers("unknown /dev/tty 4 1-63 console\n");
  proc_.keyboard("tty1");
  proc_.add({.pid = kShell, .executable = "/bin/bash", .uid = 4242, .loginuid = 4242});
  log_in(kStart);
  source_.leaders[0].parent = test::kInit;
  source_.leaders[0].loginuid = 4242;
  source_.leaders[0].tty = Tty{.address = 0xffff8880, .major = 4, .minor = 1};
  tick_at(0);
  ASSERT_EQ(count(EventType::session_started), 1);
  std::filesystem::remove(proc_.path() + "/1/root/dev/tty1");
  tick_at(20);
  EXPECT_EQ(terminator_.hung_up, 0);
  EXPECT_EQ(count(EventType::session_ended), 0);
  EXPECT_EQ(monitor().snapshot().degraded.count("sessions"), 1u);
  proc_.keyboard("tty1");
  tick_at(23);
  EXPECT_EQ(terminator_.hung_up, 1);
  EXPECT_EQ(monitor().snapshot().degraded.count("sessions"), 0u);
}

TEST_F(MonitorTest, AScanThatFailsEndsNobodyAndIsTold) {
  log_in(kStart);
  tick_at(0);
  source_.failing = true;
  for (int t = 2; t < 60; t += 2) tick_at(t);
  EXPECT_EQ(terminator_.hung_up, 0);
  EXPECT_TRUE(monitor().snapshot().degraded.contains("scan_failed"));
  source_.failing = false;
  tick_at(62);
  EXPECT_EQ(terminator_.hung_up, 1);
  EXPECT_FALSE(monitor().snapshot().degraded.contains("scan_failed"));
}

TEST_F(MonitorTest, AGoodScanIsALookAndNothingElseIs) {
  log_in(kStart);
  tick_at(0);
  tick_at(1);  // no scan is due
  tick_at(2);
  source_.failing = true;
  tick_at(4);
  source_.failing = false;
  source_.leaders.clear();
  tick_at(6);
  EXPECT_EQ(looked_, (std::vector<std::pair<BootTime, std::size_t>>{
                         {kStart, 1}, {kStart + Seconds(2), 1}, {kStart + Seconds(6), 0}}));
}

TEST_F(MonitorTest, ABadPolicyChangesNothingButIsTold) {
  log_in(kStart);
  tick_at(0);
  set_policy("mode = \"enforce\"\nwran = \"0s\"\n", "1s");
  EXPECT_FALSE(monitor().reload());
  EXPECT_EQ(count(EventType::config_rejected), 1);
  tick_at(5);
  EXPECT_EQ(terminator_.hung_up, 0);
  EXPECT_TRUE(monitor().snapshot().degraded.contains("policy_rejected"));
  set_policy("mode = \"enforce\"\nwarn = \"0s\"\n", "6s");
  EXPECT_TRUE(monitor().reload());
  EXPECT_EQ(count(EventType::config_reloaded), 1);
  tick_at(6);
  EXPECT_EQ(terminator_.hung_up, 1);
}

TEST_F(MonitorTest, WhoeverTypedDuringAStallIsNotEnded) {
  log_in(kStart);
  tick_at(0);
  source_.seen.last_input = at(25);
  wake_at(30);
  tick_at(34.9);
  EXPECT_EQ(terminator_.seized, 0);
  tick_at(35);
  EXPECT_EQ(terminator_.hung_up, 1);
}

TEST_F(MonitorTest, WhoeverWasIdleIsEndedOnceEverythingIsReadAgain) {
  log_in(kStart);
  tick_at(0);
  const int before = source_.scans;
  wake_at(30);
  EXPECT_GT(source_.scans, before);
  tick_at(31.9);
  EXPECT_EQ(terminator_.hung_up, 0);
  tick_at(33);
  EXPECT_EQ(terminator_.hung_up, 1);
  EXPECT_EQ(count(EventType::terminated), 1);
}

TEST_F(MonitorTest, ATurnThatIsAlwaysLateStillEndsWhoIsIdle) {
  log_in(kStart);
  tick_at(0);
  wake_at(30);
  EXPECT_EQ(terminator_.hung_up, 0);
  wake_at(40);
  EXPECT_EQ(terminator_.hung_up, 1);
}

// The machine slept, and with it the sshd that has a key to deliver.
TEST_F(MonitorTest, AKeyThatWaitedThroughTheStallStillCounts) {
  log_in(kStart);
  tick_at(0);
  wake_at(30'000);
  source_.seen.last_input = at(30'001);
  tick_at(30'010.9);
  EXPECT_EQ(terminator_.hung_up, 0);
  EXPECT_TRUE(events_.back().type == EventType::session_started);
  tick_at(30'011);
  EXPECT_EQ(terminator_.hung_up, 1);
}

TEST_F(MonitorTest, ASessionThatPassedItsLimitInItsSleepIsWarnedFirst) {
  set_policy("mode = \"enforce\"\nwarn = \"4s\"\n", "10s");
  ASSERT_TRUE(monitor().reload());
  log_in(kStart);
  tick_at(0);
  wake_at(30'000);
  tick_at(30'003);
  EXPECT_EQ(count(EventType::warned), 1);
  tick_at(30'004.9);
  EXPECT_EQ(terminator_.hung_up, 0);
  tick_at(30'006);
  EXPECT_EQ(terminator_.hung_up, 1);
}

TEST_F(MonitorTest, AStepOfTheWallClockChangesNothing) {
  log_in(kStart);
  tick_at(0);
  clock_.step_wall(std::chrono::hours(10'000));
  tick_at(5);
  clock_.step_wall(std::chrono::hours(-20'000));
  tick_at(9.9);
  EXPECT_EQ(terminator_.seized, 0);
  EXPECT_NEAR(to_seconds(monitor().snapshot().sessions.at(0).idle), 9.9, 0.001);
  tick_at(10);
  EXPECT_EQ(terminator_.hung_up, 1);
}

TEST_F(MonitorTest, ASecondSleepIsFollowedByAPauseToo) {
  log_in(kStart);
  tick_at(0);
  wake_at(3600);
  wake_at(7200);
  EXPECT_EQ(terminator_.hung_up, 0);
  source_.seen.last_input = clock_.now();
  tick_at(7203);
  EXPECT_EQ(terminator_.hung_up, 0);
}

// A reload that waited in the daemon's own queue is taken before anything is decided.
TEST_F(MonitorTest, APolicyThatChangedDuringTheStallRules) {
  log_in(kStart);
  tick_at(0);
  set_policy("mode = \"enforce\"\nwarn = \"0s\"\n", "1h");
  wake_at(30);
  ASSERT_TRUE(monitor().reload());
  tick_at(60);
  EXPECT_EQ(terminator_.hung_up, 0);
}

TEST_F(MonitorTest, AuditReportsNothingThatAStallMadeUp) {
  set_policy("mode = \"audit\"\n", "10s");
  ASSERT_TRUE(monitor().reload());
  log_in(kStart);
  tick_at(0);
  source_.seen.last_input = at(25);
  wake_at(30);
  tick_at(34.9);
  EXPECT_EQ(count(EventType::would_terminate), 0);
  tick_at(35);
  EXPECT_EQ(count(EventType::would_terminate), 1);
}

// The daemon is stopped in the middle of a turn, between its scan and its decision.
TEST_F(MonitorTest, WhatWasReadBeforeAStopIsReadAgainBeforeTheDecision) {
  log_in(kStart);
  tick_at(0);
  terminator_.on_seize = [this] {
    clock_.set(at(25));
    source_.seen.last_input = at(20);
  };
  tick_at(10);
  EXPECT_EQ(terminator_.seized, 1);
  EXPECT_EQ(terminator_.hung_up, 0);
  terminator_.on_seize = {};
  tick_at(29.9);
  EXPECT_EQ(terminator_.hung_up, 0);
  tick_at(30);
  EXPECT_EQ(terminator_.hung_up, 1);
}

}  // namespace
}  // namespace idlewarden

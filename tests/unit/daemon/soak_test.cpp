// SPDX-License-Identifier: Apache-2.0
// A day of a busy host in some seconds: a million keys, logins, logouts and scans, with a made-up
// clock and kernel. What the daemon's parts keep of it does not grow.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "daemon/monitor.h"
#include "support/temp_dir.h"
#include "unit/sessions/made_proc.h"

namespace idlewarden {
namespace {

using test::leader_on_pts;
using test::MadeProc;
using test::TempDir;

constexpr pid_t kListener = 5'000'010;
constexpr int kSeats = 24;  // ptys that people come to and leave
constexpr Nanoseconds kScan = Seconds(2);
constexpr Nanoseconds kDay = std::chrono::hours(24);
constexpr Seconds kLimit{60};

struct FakeClock final : Clock {
  BootTime now() const override { return at; }
  WallTime wall() const override { return WallTime{Seconds(1'700'000'000)} + (at - BootTime{}); }
  BootTime at{Seconds(1000)};
};

struct Seat {
  std::optional<Leader> leader;
  InputSeen seen;
  BootTime leaves{};   // who is not ended before
  bool types = false;  // who does not is ended
};

struct FakeSource final : ActivitySource {
  explicit FakeSource(std::vector<Seat>& s) : seats(s) {}
  Backend backend() const noexcept override { return Backend::fentry; }
  Result<std::vector<Leader>> scan() override {
    std::vector<Leader> leaders;
    for (const Seat& seat : seats) {
      if (seat.leader) leaders.push_back(*seat.leader);
    }
    return leaders;
  }
  // As the kernel's records: a tty has one, whoever sits there.
  Result<void> watch(const Tty& tty) override {
    watched.insert(tty.address);
    return {};
  }
  void unwatch(const Tty& tty) noexcept override { watched.erase(tty.address); }
  InputSeen input(const Tty& tty) const override { return seats[tty.index].seen; }
  bool needs_scan(const Tty&) const noexcept override { return false; }

  std::vector<Seat>& seats;
  std::set<std::uint64_t> watched;
};

struct NoConnections final : ConnectionProbe {
  Result<ConnectionBytes> look(const ConnectionEnd&) override { return fail("there is none"); }
};

// Whoever is hung up is gone.
struct FakeTerminator final : Terminator {
  explicit FakeTerminator(std::vector<Seat>& s) : seats(s) {}
  struct FakeGrip final : Grip {
    FakeGrip(Seat& s, BootTime t) : seat(s), start(t) {}
    Result<void> say(std::string_view) override { return {}; }
    Result<std::string> hang_up() override {
      if (alive().leader) seat.leader.reset();
      return "hang-up";
    }
    Result<void> signal_leader(int) override { return {}; }
    Result<void> signal_host(int) override { return {}; }
    Result<void> kill_survivors() override { return {}; }
    Result<std::string> scope() const override { return fail("it has none"); }
    // Somebody else may sit there by now.
    Alive alive() override {
      return {.leader = seat.leader && seat.leader->start == start, .host_stuck = false};
    }
    int leader_fd() const noexcept override { return -1; }
    Seat& seat;
    BootTime start;
  };
  Result<std::unique_ptr<Grip>> seize(const Session& session) override {
    return std::make_unique<FakeGrip>(seats[session.tty.index], session.id.start);
  }
  Result<std::unique_ptr<Grip>> seize_again(const Session&) override { return fail("not here"); }
  Result<std::string> cgroup_of(pid_t) const override { return "/"; }
  std::vector<Seat>& seats;
};

class Soak : public testing::Test {
 protected:
  Soak() {
    proc.add({.pid = kListener,
              .executable = "/usr/sbin/sshd",
              .command_line = "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"});
    for (int i = 0; i < kSeats; ++i) {
      proc.add({.pid = host_of(i),
                .parent = kListener,
                .executable = "/usr/sbin/sshd",
                .command_line = "sshd: x@pts/" + std::to_string(i),
                .comm = "sshd",
                .uid = 4242,
                .masters = {{9, static_cast<std::uint32_t>(i)}}});
      proc.add({.pid = shell_of(i),
                .parent = host_of(i),
                .executable = "/bin/bash",
                .comm = "bash",
                .uid = 4242});
    }
  }
  static pid_t host_of(int seat) { return 5'001'000 + seat; }
  static pid_t shell_of(int seat) { return 5'002'000 + seat; }

  // What happens between two scans.
  void live() {
    for (int i = 0; i < kSeats; ++i) {
      Seat& seat = seats[static_cast<std::size_t>(i)];
      if (!seat.leader) {
        if (dice() % 16 == 0) log_in(i, seat);
      } else if (seat.leaves <= clock.at) {
        seat.leader.reset();
        ++happened;
      } else if (seat.types) {
        const std::uint64_t keys = 1 + dice() % 3;
        seat.seen.last_input = clock.at - Nanoseconds(dice() % 1'000'000'000);
        seat.seen.inputs += keys;
        happened += keys;
      }
    }
  }
  void log_in(int i, Seat& seat) {
    const auto index = static_cast<std::uint32_t>(i);
    seat = {.leader = leader_on_pts(shell_of(i), host_of(i), index, 4242),
            .seen = {},
            .leaves = clock.at + Seconds(10 + dice() % 80),
            .types = dice() % 4 != 0};
    seat.leader->start = clock.at - std::chrono::milliseconds(10);
    seat.leader->grandparent = kListener;
    seat.leader->tty->address += (dice() % 64) << 12;  // the kernel uses an address again
    ++logins;
    ++happened;
  }
  std::uint64_t dice() { return random_(); }

  MadeProc proc;
  TempDir files;
  FakeClock clock;
  std::vector<Seat> seats{kSeats};
  FakeSource source{seats};
  FakeTerminator terminator{seats};
  std::uint64_t happened = 0;
  std::uint64_t logins = 0;
  std::map<EventType, std::uint64_t> events;

 private:
  std::mt19937_64 random_{20'26};
};

TEST_F(Soak, ADayLeavesNothingBehind) {
  const std::string policy = files.file(
      "policy.toml",
      "mode = \"enforce\"\nwarn = \"5s\"\nmax_terminations_per_minute = 10000\n"
      "messages = { warn = \"\", end = \"\" }\n[[rule]]\nname = \"all\"\nlimit = \"60s\"\n");
  auto limits = Limits::load(Root(), policy);
  ASSERT_TRUE(limits) << limits.error().text();
  NoConnections connections;
  ConnectionMeter meter(connections, clock);
  SessionScope scope;
  scope.nss_patience = std::chrono::minutes(1);  // of the machine's clock, which may be busy
  SessionTable table(proc.procfs(), clock, scope);
  Warden warden(terminator, {.max_per_minute = 10'000, .protected_leaders = {}});
  Monitor monitor({.source = source,
                   .meter = meter,
                   .table = table,
                   .limits = *limits,
                   .warden = warden,
                   .clock = clock,
                   .procfs = proc.procfs(),
                   .emit = [this](const Event& e) { ++events[e.type]; },
                   .warn = [](const std::string& text) { FAIL() << text; }});

  const BootTime end = clock.at + kDay;
  const BootTime warm = clock.at + kDay / 12;
  const BootTime quiet = end - std::chrono::minutes(1);  // whoever is being ended then, is
  std::size_t kept = 0;
  BootTime next_life = clock.at;
  while (clock.at < end) {
    if (clock.at >= next_life) {
      if (clock.at < quiet) live();
      next_life = clock.at + kScan;
    }
    const BootTime due = monitor.tick();
    ++happened;
    if (kept == 0 && clock.at >= warm) kept = ::mallinfo2().uordblks;
    clock.at = std::clamp(due, clock.at + std::chrono::milliseconds(1), next_life);
  }
  const std::size_t in_the_end = ::mallinfo2().uordblks;
  RecordProperty("happened", static_cast<int>(happened));
  RecordProperty("logins", static_cast<int>(logins));
  EXPECT_GE(happened, 1'000'000U);
  EXPECT_GE(logins, 10'000U);

  // A login that was over before the next scan was never one.
  const auto present = static_cast<std::uint64_t>(table.sessions().size());
  EXPECT_EQ(events[EventType::session_started], events[EventType::session_ended] + present);
  EXPECT_GE(events[EventType::session_started], logins * 9 / 10);
  EXPECT_GE(events[EventType::terminated], 500U);
  EXPECT_EQ(events[EventType::terminate_failed], 0U);
  EXPECT_EQ(events[EventType::held], 0U);
  EXPECT_EQ(source.watched.size(), present);
  EXPECT_LE(present, static_cast<std::uint64_t>(kSeats));
  EXPECT_TRUE(monitor.snapshot().degraded.empty());
#ifndef __SANITIZE_ADDRESS__  // whose allocator counts otherwise, and finds leaks itself
  EXPECT_LE(in_the_end, kept + 64 * 1024) << "after two hours " << kept << " bytes";
#endif
}

}  // namespace
}  // namespace idlewarden

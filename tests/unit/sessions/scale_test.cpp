// SPDX-License-Identifier: Apache-2.0
// Thousands of sessions: those that are known cost no look into /proc. The times are printed for
// people (they belong to the build type and the machine); what is asserted is the independence, and
// how many allocations an update makes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>

#include "made_proc.h"
#include "sessions/session_table.h"

namespace {
std::atomic<std::size_t> allocations = 0;  // on whatever thread
}

void* operator new(std::size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace idlewarden {
namespace {

using test::MadeProc;

constexpr pid_t kFirstHost = 6'000'000;
constexpr pid_t kFirstShell = 7'000'000;
constexpr std::uint32_t kPerHost = 50;

struct FixedClock final : Clock {
  BootTime now() const override { return boot_time(1'000'000'000'000); }
  WallTime wall() const override { return WallTime(Seconds(1'000'000)); }
};

class Scale : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  Scale() {
    std::map<int, std::uint32_t> masters;
    for (std::uint32_t i = 0; i < GetParam(); ++i) {
      masters[static_cast<int>(10 + i)] = i;
      const pid_t host = kFirstHost + static_cast<pid_t>(i / kPerHost);
      const pid_t shell = kFirstShell + static_cast<pid_t>(i);
      if (i % kPerHost == kPerHost - 1 || i + 1 == GetParam()) {
        proc.add({.pid = host, .executable = "/usr/sbin/sshd", .masters = std::move(masters)});
        masters.clear();
      }
      // One shell stands for all.
      if (i == 0) proc.add({.pid = shell, .executable = "/bin/bash", .comm = "bash"});
      if (i > 0) {
        std::filesystem::create_symlink(std::to_string(kFirstShell),
                                        proc.path() + "/" + std::to_string(shell));
      }
      leaders.push_back(test::leader_on_pts(shell, host, i));
    }
  }
  // Milliseconds, the least of several: the machine has other things to do.
  double update() {
    double least = 1e9;
    for (int i = 0; i < rounds; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      table.update(leaders, clock.now() + Seconds(scans++));
      const std::chrono::duration<double, std::milli> took =
          std::chrono::steady_clock::now() - begin;
      least = std::min(least, took.count());
    }
    return least;
  }

  MadeProc proc;
  FixedClock clock;
  std::vector<Leader> leaders;
  SessionTable table{proc.procfs(), clock, {}};
  int rounds = 1;
  int scans = 0;
};

TEST_P(Scale, KnownSessionsNeedNoProc) {
  const double first = update();
  ASSERT_EQ(table.sessions().size(), GetParam());
  const double second = update();  // the names of the foreground programs, once more
  rounds = 20;
  const double known = update();
  const std::size_t before_update = allocations;
  table.update(leaders, clock.now() + Seconds(scans++));
  const std::size_t allocated = allocations - before_update;
  fmt::print(
      "{} sessions: {:.2f} ms at first, {:.2f} ms then, {:.3f} ms and {} allocations when known\n",
      GetParam(), first, second, known, allocated);
  // The names of 64 foreground programs, and a set of the hosts.
  EXPECT_LE(allocated, 600U);
  const auto before = table.sessions().begin()->first;
  std::filesystem::remove_all(proc.path());
  const auto change = table.update(leaders, clock.now() + Seconds(scans));
  EXPECT_TRUE(change.started.empty() && change.ended.empty() && change.problems.empty());
  EXPECT_EQ(table.sessions().size(), GetParam());
  EXPECT_EQ(table.find(before)->foreground, "bash");
}

INSTANTIATE_TEST_SUITE_P(Sessions, Scale, ::testing::Values(1'000, 10'000));

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "report/idle_gaps_file.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "report/what_if.h"
#include "samples.h"
#include "unit/report/gap_sessions.h"

namespace idlewarden {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;
using test::GapHost;

constexpr BootTime kStart{Seconds(100'000)};
const WallTime kWall{Seconds(1'795'000'000)};

// Some of everything.
KeptGaps sample() {
  KeptGaps kept{.boot_id = "0dd4a0b7", .gaps = IdleGaps(kWall)};
  IdleGaps& gaps = kept.gaps;
  gaps.warn = 60s;
  GapHost host;
  host.log_in(1, "alice", kStart);
  host.log_in(2, test::kHostile, kStart).verdict.rule = test::kHostile;
  host.log_in(3, "root", kStart).verdict.rule = "admins";
  host.at(3).verdict.decided_by = Origin::rule;
  for (int t = 0; t <= 1000; t += 10) {
    if (t == 550) host.type(1, kStart + 550s);
    if (t == 900) host.log_out(2);
    gaps.look(kStart + Seconds(t), kWall + Seconds(t), host.all());
  }
  gaps.older = gaps.recent;
  gaps.recent.ended_by_us = 3;
  gaps.recent.cut = 2;
  gaps.recent.unrecorded = 1;
  gaps.recent.other_users[7] = 5;
  return kept;
}

std::string answer(const IdleGaps& gaps) {
  return what_if_json(what_if(gaps, {5min, 10min, 15min}));
}

TEST(IdleGapsFile, ComesBackAsItWas) {
  const KeptGaps before = sample();
  const std::string text = kept_gaps_text(before);
  const auto after = kept_gaps_from(text);
  ASSERT_TRUE(after) << after.error().text();
  EXPECT_EQ(after->boot_id, before.boot_id);
  EXPECT_EQ(answer(after->gaps), answer(before.gaps));
  EXPECT_EQ(kept_gaps_text(*after), text);
  EXPECT_TRUE(test::is_clean(text, true));
}

TEST(IdleGapsFile, TheNextDaemonGoesOnWhereItEnded) {
  KeptGaps before = sample();
  auto after = kept_gaps_from(kept_gaps_text(before));
  ASSERT_TRUE(after);
  after->gaps.resume(kStart + 1060s, kWall + 1060s, true);
  GapHost host;
  host.log_in(1, "alice", kStart).active = kStart + 550s;
  after->gaps.look(kStart + 1150s, kWall + 1150s, host.all());
  const WhatIf now = what_if(after->gaps, {10min});
  ASSERT_EQ(now.idle_now.size(), 1U);
  EXPECT_EQ(now.idle_now[0].idle, 600s);
}

TEST(IdleGapsFile, WhatIsNoSuchFileIsRefusedWithAReason) {
  EXPECT_FALSE(kept_gaps_from(""));
  EXPECT_FALSE(kept_gaps_from("null"));
  EXPECT_FALSE(kept_gaps_from("[]"));
  EXPECT_EQ(kept_gaps_from("{}").error().what, "it is no record of idle gaps");
  EXPECT_FALSE(kept_gaps_from(std::string(100'000, '[')));
  const auto changed = [](auto change) {
    Json json = Json::parse(kept_gaps_text(sample()));
    change(json);
    return kept_gaps_from(json.dump());
  };
  ASSERT_TRUE(changed([](Json&) {}));
  EXPECT_EQ(changed([](Json& j) { j["version"] = 2; }).error().what, "it is of another version");
  EXPECT_EQ(changed([](Json& j) { j["limits"][0] = 6; }).error().what, "it counts other limits");
  EXPECT_FALSE(changed([](Json& j) { j.erase("live"); }));
  EXPECT_FALSE(changed([](Json& j) { j["live"][0]["gap"] = -1; }));
  EXPECT_FALSE(changed([](Json& j) { j["live"][0]["kind"] = "carrier pigeon"; }));
  EXPECT_FALSE(changed([](Json& j) { j["live"][0]["last_seen"] = 1; }));
  EXPECT_FALSE(changed([](Json& j) { j["recent"]["since"] = 1LL << 62; }));
  EXPECT_FALSE(changed([](Json& j) { j["recent"]["groups"][0]["longest"].push_back(1); }));
  EXPECT_FALSE(changed([](Json& j) { j["recent"]["users"]["alice"] = Json::array(); }));
  EXPECT_FALSE(changed([](Json& j) { j["recent"]["users"]["alice"] = {{52, 1, 1}}; }));
  EXPECT_FALSE(changed([](Json& j) { j["recent"]["users"]["alice"] = {{0, 1, 1}}; }));
  EXPECT_FALSE(changed([](Json& j) { j["recent"]["users"]["alice"] = {{3, 1, 1}, {2, 1, 1}}; }));
}

TEST(IdleGapsFile, BytesThatRotOnTheDiskAreNeverACrash) {
  const std::string good = kept_gaps_text(sample());
  for (std::size_t n = 0; n < good.size(); n += 97) {
    EXPECT_FALSE(kept_gaps_from(std::string_view(good).substr(0, n)));
  }
  std::mt19937 random(20261122);
  int refused = 0;
  for (int i = 0; i < 500; ++i) {
    std::string text = good;
    for (int n = 0; n < 3; ++n) text[random() % text.size()] = static_cast<char>(random());
    auto kept = kept_gaps_from(text);
    if (!kept) {
      ++refused;
      EXPECT_FALSE(kept.error().what.empty());
      continue;
    }
    kept->gaps.resume(kStart + 2000s, kWall + 2000s, true);
    kept->gaps.look(kStart + 2100s, kWall + 2100s, {});
    EXPECT_FALSE(answer(kept->gaps).empty());
  }
  EXPECT_GT(refused, 100);
}

TEST(IdleGapsFile, StaysBelowItsBoundWhenEverythingIsFull) {
  IdleGaps gaps(kWall);
  const std::string long_name(64, 'n');
  GapTally& tally = gaps.recent;
  for (int g = 0; g < 1000; ++g) {
    for (std::size_t i = 0; i < kGapLimits.size(); ++i) {
      GapSession session;
      session.group.rule = long_name.substr(4) + std::to_string(1000 + g);
      session.user = session.group.rule;
      session.longest = kGapLimits[i];
      session.longest_at = kWall;
      tally.add(session, kWall);
    }
    if (g == 300) g = 990;  // the rest is more of the same
  }
  gaps.older = tally;
  GapSession one;
  one.group.rule = one.user = long_name;
  one.tty = long_name;
  one.first_seen = one.last_seen = one.last_activity = BootTime(Seconds(1'000'000'000));
  one.gap = one.longest = 24h * 30;
  one.longest_at = kWall;
  one.warned = ~std::uint64_t{0};
  for (std::size_t n = 0; n < IdleGaps::kMaxLive; ++n) {
    gaps.live[{.leader = static_cast<pid_t>(4'000'000 + n), .start = one.last_seen, .tty = ~0ULL}] =
        one;
  }
  const std::string text = kept_gaps_text({.boot_id = std::string(36, 'b'), .gaps = gaps});
  RecordProperty("bytes", static_cast<int>(text.size()));
  EXPECT_LT(text.size(), std::size_t{12} << 20);
  EXPECT_LT(text.size(), kIdleGapsBytes);
  EXPECT_TRUE(kept_gaps_from(text));
}

}  // namespace
}  // namespace idlewarden

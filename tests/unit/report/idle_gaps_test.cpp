// SPDX-License-Identifier: Apache-2.0
#include "report/idle_gaps.h"

#include <gtest/gtest.h>

#include <limits>

#include "report/what_if.h"
#include "unit/report/gap_sessions.h"

namespace idlewarden {
namespace {

using namespace std::chrono_literals;
using test::GapHost;

constexpr BootTime kStart{Seconds(100'000)};
const WallTime kWall{Seconds(1'795'000'000)};

// A host that is looked at every 2 s.
class IdleGapsTest : public testing::Test {
 protected:
  IdleGapsTest() { gaps.warn = 60s; }

  // On to so many seconds after the start.
  void until(std::int64_t seconds) {
    for (; now_ <= seconds; now_ += 2) look();
  }
  void look() { gaps.look(time(now_), kWall + Seconds(now_), host.all()); }
  static BootTime time(std::int64_t seconds) { return kStart + Seconds(seconds); }
  // Types at each of these moments, which are even.
  void typed(pid_t pid, std::initializer_list<std::int64_t> moments) {
    for (const std::int64_t moment : moments) {
      until(moment - 2);
      host.type(pid, time(moment));
      until(moment);
    }
  }
  WhatIf::Limit asked(Seconds limit) const { return what_if(gaps, {limit}).limits.at(0); }

  GapHost host;
  IdleGaps gaps{kWall};
  std::int64_t now_ = 0;
};

TEST_F(IdleGapsTest, ASessionIsEndedOnceUnderALimitHoweverManyOfItsGapsPassIt) {
  host.log_in(1, "alice", time(0));
  typed(1, {400, 800, 1500});
  host.log_out(1);
  until(1600);
  EXPECT_EQ(asked(5min).ended, 1U);
  EXPECT_EQ(asked(10min).ended, 1U);
  EXPECT_EQ(asked(15min).ended, 0U);
  const WhatIf all = what_if(gaps, {5min, 10min});
  EXPECT_EQ(all.sessions, 1U);
  EXPECT_EQ(all.live, 0U);
  ASSERT_EQ(all.users.size(), 1U);
  EXPECT_EQ(all.users[0].name, "alice");
  EXPECT_EQ(all.users[0].hits[0].sessions, 1U);
  EXPECT_EQ(all.users[0].hits[1].sessions, 1U);
  EXPECT_EQ(all.users[0].hits[0].last, kWall + 1500s);
}

TEST_F(IdleGapsTest, AGapThatReachesTheLimitExactlyIsEndedAndOneLookLessIsNot) {
  host.log_in(1, "alice", time(0));
  until(298);
  EXPECT_EQ(asked(5min).ended, 0U);
  until(300);
  EXPECT_EQ(asked(5min).ended, 1U);
  EXPECT_EQ(asked(5min).idle_now, 1U);
}

TEST_F(IdleGapsTest, AGapIsNeverTakenForLongerThanItWasSeen) {
  host.log_in(1, "alice", time(0));
  until(298);
  host.type(1, time(299));  // seen at 300: the gap may have been 298 to 299 s long
  until(310);
  EXPECT_EQ(asked(5min).ended, 0U);
  EXPECT_EQ(gaps.live.begin()->second.longest, 298s);
}

TEST_F(IdleGapsTest, WarnedIsAGapThatPassedTheWarningAndEndedWithInput) {
  host.log_in(1, "alice", time(0));
  typed(1, {230});  // short of 240: no warning
  EXPECT_EQ(asked(5min).warned, 0U);
  typed(1, {230 + 250});
  EXPECT_EQ(asked(5min).warned, 1U);
  EXPECT_EQ(asked(5min).ended, 0U);
  EXPECT_EQ(asked(6min).warned, 0U);
  typed(1, {230 + 250 + 250});  // the same session again: it counts once
  EXPECT_EQ(asked(5min).warned, 1U);
}

TEST_F(IdleGapsTest, NobodyIsWarnedAfterTheEndNorByAGapThatEndsWithTheSession) {
  host.log_in(1, "alice", time(0));
  typed(1, {320, 320 + 250});  // the first gap would have ended it
  EXPECT_EQ(asked(5min).ended, 1U);
  EXPECT_EQ(asked(5min).warned, 0U);
  EXPECT_EQ(asked(6min).warned, 1U);  // and was a warning for a longer limit
  host.log_in(2, "bob", time(570));
  until(570 + 250);
  host.log_out(2);
  until(900);
  EXPECT_EQ(asked(5min).warned, 0U);
}

TEST_F(IdleGapsTest, TheWarningIsAtMostHalfOfTheLimitAndZeroMeansNone) {
  host.log_in(1, "alice", time(0));
  typed(1, {12});  // 20 s: warned from 10 s on
  EXPECT_EQ(asked(20s).warned, 1U);
  EXPECT_EQ(asked(30s).warned, 0U);
  gaps.warn = 0s;
  host.log_in(2, "bob", time(20));
  typed(2, {48});
  EXPECT_EQ(asked(30s).warned, 0U);
}

TEST_F(IdleGapsTest, TheGapThatGoesOnCountsUpToNow) {
  host.log_in(1, "alice", time(0));
  host.log_in(2, "bob", time(0));
  typed(2, {600});
  until(700);
  const WhatIf now = what_if(gaps, {1min, 10min, 15min});
  EXPECT_EQ(now.live, 2U);
  EXPECT_EQ(now.limits[1].ended, 1U);
  EXPECT_EQ(now.limits[1].idle_now, 1U);
  ASSERT_EQ(now.idle_now.size(), 2U);
  EXPECT_EQ(now.idle_now[0].user, "alice");
  EXPECT_EQ(now.idle_now[0].idle, 700s);
  EXPECT_EQ(now.idle_now[1].user, "bob");
  EXPECT_EQ(now.idle_now[1].idle, 100s);
}

TEST_F(IdleGapsTest, WhatOnlyTheFileTimeTellsStandsApartUntilItWasSeen) {
  host.log_in(1, "alice", time(0)).by_file_time = time(-1000);
  host.log_in(2, "bob", time(0)).by_file_time = time(-100);
  until(200);
  const WhatIf early = what_if(gaps, {10min});
  EXPECT_EQ(early.limits[0].ended, 0U);
  EXPECT_EQ(early.limits[0].idle_now, 0U);
  EXPECT_EQ(early.idle_now.size(), 0U);
  ASSERT_EQ(early.by_file_time.size(), 1U);
  EXPECT_EQ(early.by_file_time[0].user, "alice");
  EXPECT_EQ(early.by_file_time[0].idle, 1200s);
  until(600);
  const WhatIf late = what_if(gaps, {10min});
  EXPECT_EQ(late.by_file_time.size(), 0U);
  EXPECT_EQ(late.idle_now.size(), 2U);
  host.type(1, time(602));
  host.at(1).by_file_time.reset();
  until(610);
  EXPECT_EQ(what_if(gaps, {10min}).by_file_time.size(), 0U);
}

TEST_F(IdleGapsTest, WhatTheCurrentRuleSparesIsShownApart) {
  host.log_in(1, "root", time(0)).verdict.rule = "admins";
  host.at(1).verdict.decided_by = Origin::rule;  // and no limit: "never"
  host.log_in(2, "carol", time(0)).verdict.rule = "watch only";
  host.at(2).verdict.limit = 10min;
  host.at(2).verdict.action = Action::alert;
  host.log_in(3, "dave", time(0)).session.kind = Kind::console;
  host.log_in(4, "erin", time(0)).verdict.rule = "all";
  host.at(4).verdict.limit = 10min;
  until(400);
  const WhatIf now = what_if(gaps, {5min});
  EXPECT_EQ(now.sessions, 4U);
  EXPECT_EQ(now.spared, 2U);
  EXPECT_EQ(now.limits[0].ended, 2U);
  EXPECT_EQ(now.limits[0].users, 2U);
  EXPECT_EQ(now.idle_now.size(), 2U);
  ASSERT_EQ(now.groups.size(), 4U);
  for (const WhatIf::Group& group : now.groups) {
    EXPECT_EQ(group.sessions, 1U);
    EXPECT_EQ(group.ended[0], 1U) << group.group.rule;
    EXPECT_EQ(group.group.spared, group.group.rule == "admins"       ? Spared::never
                                  : group.group.rule == "watch only" ? Spared::alert
                                                                     : Spared::no);
  }
}

TEST_F(IdleGapsTest, ASessionCountsForTheRuleThatMatchedItLast) {
  host.log_in(1, "alice", time(0)).verdict.rule = "day";
  until(100);
  host.at(1).verdict.rule = "night";
  until(200);
  const WhatIf now = what_if(gaps, {5min});
  ASSERT_EQ(now.groups.size(), 1U);
  EXPECT_EQ(now.groups[0].group.rule, "night");
}

TEST_F(IdleGapsTest, WhileAJobRunsTheGapDoesNotGrowAndThenAllOfItCounts) {
  host.log_in(1, "builder", time(0));
  until(100);
  host.at(1).job = true;
  until(1000);
  EXPECT_EQ(asked(5min).ended, 0U);
  EXPECT_EQ(asked(1min).idle_now, 0U);
  host.at(1).job = false;
  until(1002);
  EXPECT_EQ(asked(15min).ended, 1U);
}

TEST_F(IdleGapsTest, ActivityInTheFutureIsNoGap) {
  host.log_in(1, "alice", time(5));
  look();
  EXPECT_EQ(gaps.live.begin()->second.gap, 0s);
}

TEST_F(IdleGapsTest, APeriodIsKeptFor30To60DaysOfWatching) {
  host.log_in(1, "alice", time(0));
  until(400);
  host.log_out(1);
  until(402);
  const auto day = [&](int n) {
    now_ = std::int64_t{n} * 86'400;
    look();
  };
  day(30);
  day(59);
  EXPECT_EQ(asked(5min).ended, 1U);
  EXPECT_EQ(what_if(gaps, {5min}).since, kWall);
  day(61);
  EXPECT_EQ(asked(5min).ended, 0U);
  EXPECT_GT(what_if(gaps, {5min}).since, kWall + 20 * 24h);
}

TEST_F(IdleGapsTest, PausesBetweenLooksAreTold) {
  until(100);
  EXPECT_EQ(gaps.total().longest_pause, 2s);
  now_ = 131;
  look();
  const WhatIf now = what_if(gaps, {5min});
  EXPECT_EQ(now.longest_pause, 31s);
  EXPECT_EQ(now.watched, 131s);
}

TEST_F(IdleGapsTest, LimitsAreRoundedDownToOnesThatAreCounted) {
  const WhatIf now = what_if(gaps, {7s, 7min + 30s, 60min, 24h * 400});
  EXPECT_EQ(now.limits[0].limit, 5s);
  EXPECT_EQ(now.limits[1].limit, 7min);
  EXPECT_EQ(now.limits[2].limit, 60min);
  EXPECT_EQ(now.limits[3].limit, 24h * 30);
}

TEST(WhatIfLimits, AreReadAndRefused) {
  EXPECT_EQ(what_if_limits(""), (std::vector<Seconds>{5min, 10min, 15min, 30min, 60min}));
  EXPECT_EQ(what_if_limits("1h30m,5m,300"), (std::vector<Seconds>{5min, 90min}));
  EXPECT_FALSE(what_if_limits("soon"));
  EXPECT_FALSE(what_if_limits("5m,"));
  EXPECT_FALSE(what_if_limits("4s"));
  EXPECT_FALSE(what_if_limits("5,6,7,8,9,10,11,12,13,14,15,16,17"));
}

// What an earlier daemon kept, as the next one takes it over.
class Restart : public IdleGapsTest {
 protected:
  void restart(std::int64_t down_for, bool same_boot = true) {
    now_ += down_for;
    gaps.resume(time(now_), kWall + Seconds(now_), same_boot);
  }
};

TEST_F(Restart, AGapGoesOnOverIt) {
  host.log_in(1, "alice", time(0));
  until(200);
  restart(60);
  until(300);
  EXPECT_EQ(asked(5min).ended, 1U);
  EXPECT_EQ(what_if(gaps, {5min}).sessions, 1U);
  EXPECT_EQ(gaps.total().cut, 0U);
  EXPECT_EQ(what_if(gaps, {5min}).not_watched, 62s);
}

TEST_F(Restart, InputDuringItEndsTheGapAsFarAsItWasSeen) {
  host.log_in(1, "alice", time(0));
  until(250);
  restart(200);
  host.type(1, time(350));
  until(460);
  EXPECT_EQ(asked(5min).ended, 0U);
  EXPECT_EQ(asked(5min).warned, 1U);
  EXPECT_EQ(gaps.total().cut, 0U);
}

TEST_F(Restart, AForgottenInputCutsTheGapAndIsTold) {
  host.log_in(1, "alice", time(0));
  until(250);
  restart(200);
  host.type(1, time(now_));  // the moment it was found again
  until(now_ + 100);
  EXPECT_EQ(asked(5min).ended, 0U);
  EXPECT_EQ(asked(5min).warned, 0U) << "nobody knows whether a key was pressed";
  EXPECT_EQ(gaps.total().cut, 1U);
  EXPECT_EQ(what_if(gaps, {5min}).sessions, 1U);
}

TEST_F(Restart, ASessionThatEndedMeanwhileIsClosedAsItWas) {
  host.log_in(1, "alice", time(0));
  until(310);
  host.log_out(1);
  restart(20);
  until(now_);
  EXPECT_EQ(gaps.live.size(), 1U) << "it may yet be found";
  EXPECT_EQ(what_if(gaps, {5min}).idle_now.size(), 0U);
  until(now_ + 60);
  EXPECT_EQ(gaps.live.size(), 0U);
  EXPECT_EQ(asked(5min).ended, 1U);
  EXPECT_EQ(asked(6min).ended, 0U);
  EXPECT_EQ(what_if(gaps, {5min}).sessions, 1U);
}

TEST_F(Restart, ASessionThatIsFoundLateIsStillTheSame) {
  const auto made = host.log_in(1, "alice", time(0));
  until(200);
  host.log_out(1);
  restart(10);
  until(now_ + 30);
  host.log_in(1, "alice", time(0)) = made;
  until(300);
  EXPECT_EQ(what_if(gaps, {5min}).sessions, 1U);
  EXPECT_EQ(asked(5min).ended, 1U);
}

TEST_F(Restart, AfterARebootAllOfTheOldOnesHaveEnded) {
  host.log_in(1, "alice", time(0));
  until(310);
  host.log_out(1);
  // Another boot: its clock begins again, and its pids.
  gaps.resume(BootTime(Seconds(30)), kWall + 900s, false);
  EXPECT_TRUE(gaps.live.empty());
  EXPECT_EQ(asked(5min).ended, 1U);
  EXPECT_EQ(what_if(gaps, {5min}).not_watched, 590s);
  GapHost next;
  next.log_in(1, "alice", BootTime(Seconds(40)));
  gaps.look(BootTime(Seconds(42)), kWall + 912s, next.all());
  EXPECT_EQ(what_if(gaps, {5min}).sessions, 2U);
}

TEST_F(Restart, ABootClockThatWentBackIsAnotherBoot) {
  host.log_in(1, "alice", time(0));
  until(310);
  gaps.resume(BootTime(Seconds(5)), kWall + 900s, true);
  EXPECT_TRUE(gaps.live.empty());
}

TEST(IdleGapsBounds, UsersGroupsAndSessionsAreBoundedAndNothingIsLost) {
  IdleGaps gaps(kWall);
  constexpr pid_t kSessions = 20'000;
  for (pid_t first = 1; first <= kSessions; first += 1000) {
    GapHost host;
    for (pid_t pid = first; pid < first + 1000; ++pid) {
      auto& made = host.log_in(pid, "user" + std::to_string(pid % 5000), kStart);
      made.verdict.rule = "rule" + std::to_string(pid % 300);
    }
    const BootTime from = kStart + Seconds(first);
    gaps.look(from, kWall, host.all());
    gaps.look(from + Seconds(600), kWall, host.all());
    gaps.look(from + Seconds(601), kWall, {});
  }
  EXPECT_TRUE(gaps.live.empty());
  EXPECT_EQ(gaps.recent.users.size(), GapTally::kMaxUsers);
  EXPECT_LE(gaps.recent.groups.size(), GapTally::kMaxGroups + 1);
  const WhatIf all = what_if(gaps, {10min});
  EXPECT_EQ(all.sessions, std::uint64_t{kSessions});
  EXPECT_EQ(all.limits[0].ended, std::uint64_t{kSessions});
  std::uint64_t named = 0;
  for (const WhatIf::User& user : all.users) named += user.hits[0].sessions;
  EXPECT_EQ(named + all.limits[0].sessions_of_others, std::uint64_t{kSessions});
  EXPECT_GT(all.limits[0].sessions_of_others, 0U);
}

TEST(IdleGapsBounds, TheUserWhoIsLeftAloneMostKeepsTheName) {
  GapTally tally;
  const auto add = [&](const std::string& user, Seconds gap) {
    GapSession session;
    session.user = user;
    session.longest = gap;
    tally.add(session, kWall);
  };
  add("sleeper", 2h);
  for (int i = 0; i < 1000; ++i) add("busy" + std::to_string(i), 10s);
  EXPECT_TRUE(tally.users.contains("sleeper"));
  add("second sleeper", 3h);
  EXPECT_TRUE(tally.users.contains("second sleeper"));
  EXPECT_EQ(tally.users.size(), GapTally::kMaxUsers);
  EXPECT_EQ(tally.other_users[limits_reached(10s)], 1000U - (GapTally::kMaxUsers - 2));
}

TEST(IdleGapsBounds, MoreLiveSessionsThanAreRecordedAreCounted) {
  GapHost host;
  for (pid_t pid = 1; pid <= static_cast<pid_t>(IdleGaps::kMaxLive) + 7; ++pid) {
    host.log_in(pid, "alice", kStart);
  }
  IdleGaps gaps(kWall);
  gaps.look(kStart + 1s, kWall, host.all());
  gaps.look(kStart + 3s, kWall, host.all());
  EXPECT_EQ(gaps.live.size(), IdleGaps::kMaxLive);
  EXPECT_EQ(what_if(gaps, {5min}).unrecorded, 7U);
}

}  // namespace
}  // namespace idlewarden

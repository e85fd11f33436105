// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "report/what_if.h"
#include "samples.h"
#include "unit/report/gap_sessions.h"

namespace idlewarden {
namespace {

using namespace std::chrono_literals;
using test::GapHost;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr BootTime kStart{Seconds(100'000)};
const WallTime kWall{Seconds(1'795'000'000)};
const std::vector<Seconds> kUsual{5min, 10min, 15min, 30min, 60min};

// Twelve users who were left alone for 20 minutes and are still there.
IdleGaps twelve() {
  IdleGaps gaps(kWall);
  gaps.warn = 60s;
  GapHost host;
  for (pid_t pid = 1; pid <= 12; ++pid) host.log_in(pid, "user" + std::to_string(pid), kStart);
  for (int t = 0; t <= 1200; t += 2) gaps.look(kStart + Seconds(t), kWall + Seconds(t), host.all());
  return gaps;
}

TEST(RenderWhatIf, SaysItInATable) {
  const std::string text = what_if_text(what_if(twelve(), kUsual), 10);
  EXPECT_THAT(text, HasSubstr("Recorded 2026-11-18 11:06Z to 2026-11-18 11:26Z: 20m watched\n"
                              "12 sessions (12 live), 4.0 session-hours\n"));
  EXPECT_THAT(text, HasSubstr("15m          12  100%        0    0%       12        12\n"
                              "30m           0    0%        0    0%        0         0\n"));
  EXPECT_THAT(text, HasSubstr("ssh       -                -            12      4"
                              "    12    12    12     0     0\n"));
  EXPECT_THAT(text, HasSubstr("user1                    2026-11-18 11:26Z"
                              "     1     1     1     0     0\n"));
  EXPECT_THAT(text, HasSubstr("and 2 others\n"));
  EXPECT_THAT(text, HasSubstr("2.0 s apart, 2.0 s at the most."));
}

TEST(RenderWhatIf, NamesAsManyUsersAsAsked) {
  const WhatIf answer = what_if(twelve(), kUsual);
  EXPECT_THAT(what_if_text(answer, 12), HasSubstr("user12   "));
  EXPECT_THAT(what_if_text(answer, 0), Not(HasSubstr("LAST")));
}

TEST(RenderWhatIf, SaysSoWhenThereIsNothing) {
  EXPECT_EQ(what_if_text(what_if(IdleGaps(kWall), kUsual), 10), "Nothing has been recorded yet.\n");
  const auto json = nlohmann::json::parse(what_if_json(what_if(IdleGaps(kWall), kUsual)));
  EXPECT_TRUE(json["as_of"].is_null());
  EXPECT_EQ(json["limits"].size(), 5U);
}

TEST(RenderWhatIf, TellsWhatIsRoundedCutAndMissing) {
  IdleGaps gaps = twelve();
  gaps.warn = 0s;
  gaps.recent.ended_by_us = 1;
  gaps.recent.cut = 2;
  gaps.recent.unrecorded = 3;
  gaps.recent.other_users[limits_reached(20min)] = 7;
  const std::string text = what_if_text(what_if(gaps, {7min + 30s}), 10);
  EXPECT_THAT(text, HasSubstr("7m30s is counted as 7m, the next shorter time"));
  EXPECT_THAT(text, HasSubstr("none: warn is 0s"));
  EXPECT_THAT(text, HasSubstr("idlewarden itself ended 1 session meanwhile"));
  EXPECT_THAT(text, HasSubstr("2 idle times were cut by a restart"));
  EXPECT_THAT(text, HasSubstr("Up to 3 sessions at a time"));
  EXPECT_THAT(text, HasSubstr("12+"));
  EXPECT_THAT(text, HasSubstr("and 7 sessions of users whose names were not kept\n"));
}

TEST(RenderWhatIf, SaysWhenItHasNotWatchedForAsLongAsIsAsked) {
  IdleGaps gaps = twelve();
  gaps.recent.watched = 4min;
  gaps.recent.not_watched = 0s;
  EXPECT_THAT(what_if_text(what_if(gaps, kUsual), 10),
              HasSubstr("Watched for less than 5m so far"));
  gaps.recent.watched = 5min;
  EXPECT_THAT(what_if_text(what_if(gaps, kUsual), 10), Not(HasSubstr("Watched for less")));
}

TEST(RenderWhatIf, FitsA80ColumnsTerminalAndIsCleanWhateverNamesThereAre) {
  IdleGaps gaps = twelve();
  GapSession session;
  session.group.rule = session.user = session.tty = std::string(64, 'x');
  session.group.spared = Spared::alert;
  session.longest = 90min;
  session.longest_at = kWall;
  session.gap = 24h * 20;
  gaps.live[{.leader = 4'000'000, .start = kStart, .tty = 1}] = session;
  session.group.spared = Spared::no;
  session.user = session.group.rule = session.tty = printable(test::kHostile, 64);
  gaps.live[{.leader = 4'000'001, .start = kStart, .tty = 1}] = session;
  session.gap = 0s;
  session.by_file_time = kStart - 24h;
  session.last_seen = kStart;
  gaps.live[{.leader = 4'000'002, .start = kStart, .tty = 1}] = session;
  for (int i = 0; i < 12'345; ++i) gaps.recent.add(session, kWall);
  gaps.recent.cut = gaps.recent.ended_by_us = gaps.recent.unrecorded = 1'000'000;
  const WhatIf answer = what_if(gaps, kUsual);
  const std::string text = what_if_text(answer, 1000);
  EXPECT_TRUE(test::is_clean(text, true)) << text;
  for (const std::string& line : split(text, '\n')) EXPECT_LE(line.size(), 80U) << line;
  const std::string json = what_if_json(answer);
  EXPECT_TRUE(test::is_clean(json, false));
  EXPECT_EQ(nlohmann::json::parse(json)["idle_now"].size(), 13U);
  ASSERT_EQ(nlohmann::json::parse(json)["idle_by_file_time"].size(), 1U);
  EXPECT_EQ(nlohmann::json::parse(json)["idle_by_file_time"][0]["idle_seconds"], 86400.0);
  EXPECT_THAT(text, HasSubstr("by the file times of their terminals"));
}

}  // namespace
}  // namespace idlewarden

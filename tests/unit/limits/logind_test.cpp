// SPDX-License-Identifier: Apache-2.0
#include "limits/logind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>

#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using testing::Contains;
using testing::HasSubstr;

TEST(TimeSpan, TheFormsOfTheManualPage) {
  EXPECT_EQ(parse_time_span("2 h"), hours(2));
  EXPECT_EQ(parse_time_span("2hours"), hours(2));
  EXPECT_EQ(parse_time_span("48hr"), hours(48));
  EXPECT_EQ(parse_time_span("1y 12month"), Seconds(31'557'600 + 12 * 2'629'800));
  EXPECT_EQ(parse_time_span("55s500ms"), milliseconds(55'500));
  EXPECT_EQ(parse_time_span("300ms20s 5day"), milliseconds(300) + Seconds(20) + hours(120));
  EXPECT_EQ(parse_time_span("10min"), minutes(10));
  EXPECT_EQ(parse_time_span("1h 30min"), minutes(90));
  EXPECT_EQ(parse_time_span("600"), minutes(10));
  EXPECT_EQ(parse_time_span("5 minutes 20s"), Seconds(320));
  EXPECT_EQ(parse_time_span("1.5h"), minutes(90));
  EXPECT_EQ(parse_time_span(" infinity "), Nanoseconds::max());
  EXPECT_EQ(parse_time_span("5 m5"), Seconds(305));
  EXPECT_EQ(parse_time_span("0"), Nanoseconds(0));
  EXPECT_EQ(parse_time_span("10000y"), Nanoseconds::max());  // longer than nanoseconds count
}

TEST(TimeSpan, RefusesWhatSystemdRefuses) {
  for (const char* text :
       {"", " ", "x", "10 parsecs", "-1", "1 -1", "infinity 1", "1.", "1.s", "12.34.56", "Infinity",
        "10MIN", "99999999999999999999", "1e3", "+", "++1", "1,5h", "600000y"}) {
    EXPECT_FALSE(parse_time_span(text)) << text;
  }
}

// What systemd itself makes of it; nullopt where it refuses. Text without apostrophes.
std::optional<Nanoseconds> ask_systemd(const std::string& text) {
  const std::string command =
      "LC_ALL=C.UTF-8 systemd-analyze timespan -- '" + text + "' 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  if (!pipe) return std::nullopt;
  std::array<char, 512> line{};
  while (::fgets(line.data(), line.size(), pipe.get()) != nullptr) {
    unsigned long long value = 0;
    if (std::sscanf(line.data(), " μs: %llu", &value) == 1) {
      if (value > INT64_MAX / 1000) return Nanoseconds::max();
      return microseconds(static_cast<std::int64_t>(value));
    }
  }
  return std::nullopt;
}

TEST(TimeSpan, AgreesWithSystemdAnalyze) {
  if (!ask_systemd("1s")) GTEST_SKIP() << "systemd-analyze timespan does not run here";
  std::vector<std::string> cases{
      "1.5h",     ".5h",        "5 m5",   "12.34 .56", "12.34s.56",     "+5",     "1 +1", "5M",
      "5m",       "1month1m",   "1µs",    "7 μs",      "1.2.3",         "3. 1",   "0.-0", "3.+1",
      "1s1",      "1 s",        "10min ", "1minute",   "1mins",         "2sec.5", "1h30", "00010",
      "1 h 1 ms", "0.0000001s", "0.9y",   "1us1usec",  "3 days 2 weeks"};
  constexpr unsigned kSeed = 20261122;
  std::mt19937 random(kSeed);
  const std::vector<std::string> pieces{
      "1", "12", "007", ".",  "5",  " ",   "  ",    "s", "min", "m", "h",       "hr", "d",
      "w", "M",  "y",   "ms", "us", "sec", "month", "+", "-",   "x", "minutes", "0"};
  for (int i = 0; i < 200; ++i) {
    std::string text;
    for (unsigned n = 1 + random() % 4; n > 0; --n) {
      if (random() % 8 != 0) text += std::to_string(random() % 2000);
      text += pieces[random() % pieces.size()];
    }
    cases.push_back(text);
  }
  for (const std::string& text : cases) {
    const auto expected = ask_systemd(text);
    const auto ours = parse_time_span(text);
    EXPECT_EQ(ours.value_or(Nanoseconds(-1)), expected.value_or(Nanoseconds(-1)))
        << '"' << text << "\", seed " << kSeed;
  }
}

class LogindTest : public testing::Test {
 protected:
  LogindTimes times() const { return logind_times(Root(dir_.path())); }
  std::optional<Seconds> limit() const {
    const LogindTimes read = times();
    if (!read.stop_idle_session) return std::nullopt;
    return read.stop_idle_session->limit.value_or(Seconds(-1));
  }
  test::TempDir dir_;
};

TEST_F(LogindTest, SaysNothingByDefault) {
  EXPECT_FALSE(limit());
  dir_.file("etc/systemd/logind.conf", "[Login]\n#StopIdleSessionSec=10min\n");
  EXPECT_FALSE(limit());
  EXPECT_THAT(times().files, Contains("/etc/systemd/logind.conf"));
  EXPECT_THAT(times().files, Contains("/usr/lib/systemd/logind.conf.d"));
}

TEST_F(LogindTest, FileLineAndText) {
  dir_.file("etc/systemd/logind.conf",
            "# c\n[Login]\n  StopIdleSessionSec =  10min 30s  \nIdleActionSec=1h\n");
  const LogindTimes read = times();
  ASSERT_TRUE(read.stop_idle_session);
  const LimitSource& source = *read.stop_idle_session;
  EXPECT_EQ(source.origin, Origin::logind);
  EXPECT_EQ(source.directive, "StopIdleSessionSec");
  EXPECT_EQ(source.where.text(), "/etc/systemd/logind.conf:3");
  EXPECT_EQ(source.text, "StopIdleSessionSec =  10min 30s");
  EXPECT_EQ(source.limit, Seconds(630));
  ASSERT_TRUE(read.idle_action);
  EXPECT_EQ(read.idle_action->limit, Seconds(3600));
}

TEST_F(LogindTest, OnlyInItsSection) {
  dir_.file("etc/systemd/logind.conf",
            "StopIdleSessionSec=1\n[Other]\nStopIdleSessionSec=2\n[login]\nStopIdleSessionSec=3\n");
  EXPECT_FALSE(limit());
  dir_.file("etc/systemd/logind.conf", "[Login]\nstopidlesessionsec=1\nStopIdleSessionSec 2\n");
  EXPECT_FALSE(limit());
}

TEST_F(LogindTest, TheLastGoodAssignmentHolds) {
  dir_.file("etc/systemd/logind.conf",
            "[Login]\nStopIdleSessionSec=5min\nStopIdleSessionSec=15min\n"
            "StopIdleSessionSec=\nStopIdleSessionSec=soon\n");
  const LogindTimes read = times();
  ASSERT_TRUE(read.stop_idle_session);
  EXPECT_EQ(read.stop_idle_session->limit, Seconds(900));
  ASSERT_EQ(read.overruled.size(), 3U);
  EXPECT_EQ(read.overruled[0].reason, "overwritten by /etc/systemd/logind.conf:3");
  EXPECT_THAT(read.overruled[1].reason, HasSubstr("ignores"));
  EXPECT_THAT(read.overruled[2].reason, HasSubstr("ignores"));
}

TEST_F(LogindTest, InfinityAndZeroAreNever) {
  for (const char* value : {"infinity", "0", "0min"}) {
    dir_.file("etc/systemd/logind.conf",
              "[Login]\nStopIdleSessionSec=5min\nStopIdleSessionSec=" + std::string(value) + "\n");
    EXPECT_EQ(limit(), Seconds(-1)) << value;
  }
  dir_.file("etc/systemd/logind.conf", "[Login]\nStopIdleSessionSec=1ms\n");
  EXPECT_EQ(limit(), Seconds(1));
}

TEST_F(LogindTest, DropInsOverrideInTheOrderOfTheirNames) {
  dir_.file("etc/systemd/logind.conf", "[Login]\nStopIdleSessionSec=1min\n");
  dir_.file("usr/lib/systemd/logind.conf.d/50.conf", "[Login]\nStopIdleSessionSec=2min\n");
  EXPECT_EQ(limit(), Seconds(120));
  dir_.file("etc/systemd/logind.conf.d/40.conf", "[Login]\nStopIdleSessionSec=3min\n");
  EXPECT_EQ(limit(), Seconds(120));  // 50 comes after 40, whatever folder it is in
  dir_.file("run/systemd/logind.conf.d/50.conf", "[Login]\nStopIdleSessionSec=4min\n");
  EXPECT_EQ(limit(), Seconds(240));  // one name: /run before /usr/lib
  dir_.file("etc/systemd/logind.conf.d/50.conf", "");
  EXPECT_EQ(limit(), Seconds(180));  // one name: an empty file in /etc masks both
  dir_.file("usr/local/lib/systemd/logind.conf.d/60.conf", "[Login]\nStopIdleSessionSec=5min\n");
  EXPECT_EQ(limit(), Seconds(300));
  dir_.file("etc/systemd/logind.conf.d/70.conf.bak", "[Login]\nStopIdleSessionSec=6min\n");
  EXPECT_EQ(limit(), Seconds(300));
  EXPECT_TRUE(times().problems.empty());
}

TEST_F(LogindTest, ALinkToDevNullMasks) {
  dir_.file("usr/lib/systemd/logind.conf.d/50.conf", "[Login]\nStopIdleSessionSec=2min\n");
  const std::string folder = dir_.path() + "/etc/systemd/logind.conf.d";
  std::filesystem::create_directories(folder);
  std::filesystem::create_symlink("/dev/null", folder + "/50.conf");
  EXPECT_FALSE(limit());
  EXPECT_TRUE(times().problems.empty());
}

TEST_F(LogindTest, TheFirstMainFileOnly) {
  dir_.file("usr/lib/systemd/logind.conf", "[Login]\nStopIdleSessionSec=2min\n");
  EXPECT_EQ(limit(), Seconds(120));
  dir_.file("etc/systemd/logind.conf", "[Login]\n");
  EXPECT_FALSE(limit());
}

TEST_F(LogindTest, ContinuedLinesAndComments) {
  dir_.file("etc/systemd/logind.conf",
            "[Login]\n; a comment \\\nStopIdleSessionSec=10min \\\n# between\n  30s\nX=a\\\\\n"
            "IdleActionSec=1h");
  const LogindTimes read = times();
  ASSERT_TRUE(read.stop_idle_session);
  EXPECT_EQ(read.stop_idle_session->limit, Seconds(630));
  EXPECT_EQ(read.stop_idle_session->where.line, 3);
  EXPECT_TRUE(read.idle_action);
}

TEST_F(LogindTest, ABrokenSectionHeaderEndsTheFile) {
  dir_.file("etc/systemd/logind.conf",
            "[Login]\nStopIdleSessionSec=1min\n[Login\nStopIdleSessionSec=2min\n");
  EXPECT_EQ(limit(), Seconds(60));
  ASSERT_EQ(times().problems.size(), 1U);
  EXPECT_EQ(times().problems[0].where.line, 3);
}

TEST_F(LogindTest, WhatCannotBeReadIsAProblem) {
  std::filesystem::create_directories(dir_.path() + "/etc/systemd/logind.conf");
  EXPECT_EQ(times().problems.size(), 1U);
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "limits/hours.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

namespace idlewarden {
namespace {

class InZone : public testing::Test {
 protected:
  void zone(const char* name) {
    ::setenv("TZ", name, 1);
    ::tzset();
  }
  void SetUp() override { zone("UTC"); }
  void TearDown() override {
    ::unsetenv("TZ");
    ::tzset();
  }
  // 2026-11-23 is a Monday; `day` counts from it.
  static WallTime monday_plus(int day, int hour, int minute) {
    return std::chrono::sys_days(std::chrono::year(2026) / 11 / 23) + std::chrono::days(day) +
           std::chrono::hours(hour) + std::chrono::minutes(minute);
  }
  static bool contains(const char* text, WallTime wall) {
    const auto hours = parse_hours(text);
    EXPECT_TRUE(hours) << text << ": " << hours.error().text();
    return hours && hours->contains(wall);
  }
};

using HoursTest = InZone;

TEST_F(HoursTest, WorkingHours) {
  EXPECT_TRUE(contains("Mo-Fr 08:00-18:00", monday_plus(0, 8, 0)));
  EXPECT_TRUE(contains("Mo-Fr 08:00-18:00", monday_plus(4, 17, 59)));
  EXPECT_FALSE(contains("Mo-Fr 08:00-18:00", monday_plus(4, 18, 0)));
  EXPECT_FALSE(contains("Mo-Fr 08:00-18:00", monday_plus(0, 7, 59)));
  EXPECT_FALSE(contains("Mo-Fr 08:00-18:00", monday_plus(5, 12, 0)));
}

TEST_F(HoursTest, ASpanOverMidnightBelongsToTheDayItBegins) {
  EXPECT_TRUE(contains("Fr 22:00-06:00", monday_plus(4, 23, 0)));
  EXPECT_TRUE(contains("Fr 22:00-06:00", monday_plus(5, 5, 59)));
  EXPECT_FALSE(contains("Fr 22:00-06:00", monday_plus(5, 6, 0)));
  EXPECT_FALSE(contains("Fr 22:00-06:00", monday_plus(4, 3, 0)));
  EXPECT_TRUE(contains("Su 22:00-06:00", monday_plus(7, 1, 0)));  // over the end of the week
  EXPECT_TRUE(contains("22:00-06:00", monday_plus(2, 0, 0)));
}

TEST_F(HoursTest, DaysInListsAndRangesThatWrap) {
  for (const int day : {0, 2, 4}) EXPECT_TRUE(contains("Mo,We,Fr", monday_plus(day, 12, 0)));
  for (const int day : {1, 3, 5, 6}) EXPECT_FALSE(contains("Mo,We,Fr", monday_plus(day, 12, 0)));
  for (const int day : {4, 5, 6, 0}) EXPECT_TRUE(contains("Fr-Mo", monday_plus(day, 0, 0)));
  for (const int day : {1, 2, 3}) EXPECT_FALSE(contains("Fr-Mo", monday_plus(day, 0, 0)));
  EXPECT_TRUE(contains("tu,Sat-sunday 9:00-24:00", monday_plus(6, 23, 59)));
  EXPECT_TRUE(contains("tu,Sat-sunday 9:00-24:00", monday_plus(1, 9, 0)));
}

TEST_F(HoursTest, LocalTimeWithDaylightSaving) {
  const auto at = [](int month, int day, int hour, int minute) {
    return std::chrono::sys_days(std::chrono::year(2026) / month / day) + std::chrono::hours(hour) +
           std::chrono::minutes(minute);
  };
  zone("Europe/Berlin");
  {
    time_t probe = std::chrono::system_clock::to_time_t(at(7, 1, 0, 0));
    tm local{};
    ::localtime_r(&probe, &local);
    if (local.tm_hour != 2) GTEST_SKIP() << "no time zone database here";
  }
  // UTC+1 in winter, UTC+2 in summer; 29 March and 25 October are the nights of the change.
  EXPECT_TRUE(contains("08:00-18:00", at(1, 15, 7, 0)));
  EXPECT_FALSE(contains("08:00-18:00", at(1, 15, 6, 59)));
  EXPECT_TRUE(contains("08:00-18:00", at(7, 15, 6, 0)));
  EXPECT_FALSE(contains("08:00-18:00", at(7, 15, 16, 0)));
  EXPECT_FALSE(contains("02:00-03:00", at(3, 29, 1, 0)));   // 03:00: that hour does not exist
  EXPECT_TRUE(contains("02:00-03:00", at(10, 25, 0, 30)));  // and here it comes twice
  EXPECT_TRUE(contains("02:00-03:00", at(10, 25, 1, 30)));
  EXPECT_FALSE(contains("02:00-03:00", at(10, 25, 2, 0)));
  zone("America/New_York");
  EXPECT_TRUE(contains("Su 20:00-21:00", monday_plus(0, 1, 30)));  // still Sunday there
}

TEST_F(HoursTest, AZoneOfItsOwnRules) {
  zone("XYZ-5:45");
  EXPECT_TRUE(contains("Tu 05:45-06:00", monday_plus(1, 0, 0)));
  EXPECT_FALSE(contains("Tu 05:45-06:00", monday_plus(1, 0, 15)));
}

TEST(ParseHours, RefusesWhatIsNone) {
  for (const char* text : {"",
                           " ",
                           "Xx",
                           "M",
                           "Mo-",
                           "-Fr",
                           "Mo-We-Fr",
                           "Mo,,Fr",
                           "08:00",
                           "08:00-",
                           "8-18",
                           "08:00-18:60",
                           "24:00-25:00",
                           "24:00-08:00",
                           "08:00-08:00",
                           "Mo 08:00-18:00 Tu",
                           "08:00-18:00 Mo",
                           "Mo Tu",
                           "008:00-18:00",
                           "08:0-18:00",
                           "Mondays",
                           "+8:00-18:00",
                           "08:00-18:00-19:00"}) {
    EXPECT_FALSE(parse_hours(text)) << text;
  }
}

}  // namespace
}  // namespace idlewarden

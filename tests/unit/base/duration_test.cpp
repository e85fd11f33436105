// SPDX-License-Identifier: Apache-2.0
#include "base/duration.h"

#include <gtest/gtest.h>

namespace idlewarden {
namespace {

TEST(Duration, ReadsWhatSshdReads) {
  EXPECT_EQ(parse_duration("90"), Seconds(90));
  EXPECT_EQ(parse_duration("5m"), Seconds(300));
  EXPECT_EQ(parse_duration("10M"), Seconds(600));
  EXPECT_EQ(parse_duration("1h30m10"), Seconds(5410));
  EXPECT_EQ(parse_duration("2d"), Seconds(172800));
  EXPECT_EQ(parse_duration("1w"), Seconds(604800));
  EXPECT_EQ(parse_duration("0"), Seconds(0));
  EXPECT_EQ(parse_duration("2147483647"), Seconds(2147483647));
}

TEST(Duration, RefusesWhatSshdRefuses) {
  for (const char* bad : {"", "m", "-1", "+1", "1.5", "5 m", "5x", "1s2s", "10 ", "2147483648",
                          "99999999999999999999", "3551w"}) {
    EXPECT_EQ(parse_duration(bad), std::nullopt) << bad;
  }
}

TEST(Duration, IsWrittenShortAndReadBack) {
  for (const int n : {0, 1, 59, 60, 61, 600, 3600, 5400, 86399, 86400, 694861}) {
    EXPECT_EQ(parse_duration(format_duration(Seconds(n))), Seconds(n));
  }
  EXPECT_EQ(format_duration(Seconds(600)), "10m");
  EXPECT_EQ(format_duration(Seconds(5400)), "1h30m");
}

}  // namespace
}  // namespace idlewarden

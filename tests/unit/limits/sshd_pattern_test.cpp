// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "limits/sshd_config.h"

namespace idlewarden {
namespace {

// The definition, word for word of sshd_config(5): as slow as it is plain.
bool matches_by_definition(std::string_view value, std::string_view pattern) {
  if (pattern.empty()) return value.empty();
  if (pattern.front() == '*') {
    return matches_by_definition(value, pattern.substr(1)) ||
           (!value.empty() && matches_by_definition(value.substr(1), pattern));
  }
  return !value.empty() && (pattern.front() == '?' || pattern.front() == value.front()) &&
         matches_by_definition(value.substr(1), pattern.substr(1));
}

// All words of up to `longest` letters.
std::vector<std::string> words(std::string_view letters, std::size_t longest) {
  std::vector<std::string> all{""};
  for (std::size_t from = 0, length = 1; length <= longest; ++length) {
    const std::size_t to = all.size();
    for (; from < to; ++from) {
      for (const char letter : letters) all.push_back(all[from] + letter);
    }
  }
  return all;
}

TEST(MatchPattern, AgreesWithItsDefinition) {
  const auto patterns = words("ab*?", 5);
  const auto values = words("ab", 5);
  for (const std::string& pattern : patterns) {
    for (const std::string& value : values) {
      ASSERT_EQ(match_pattern(value, pattern), matches_by_definition(value, pattern))
          << value << " ~ " << pattern;
    }
  }
}

TEST(MatchPattern, DoesNotExplode) {
  const std::string value(5000, 'a');
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "*a";
  EXPECT_FALSE(match_pattern(value, pattern + "b"));
  EXPECT_TRUE(match_pattern(value, pattern));
}

TEST(MatchPatternList, NegationWins) {
  EXPECT_EQ(match_pattern_list("bob", "alice,bob", false), 1);
  EXPECT_EQ(match_pattern_list("bob", "alice", false), 0);
  EXPECT_EQ(match_pattern_list("bob", "!bob,*", false), -1);
  EXPECT_EQ(match_pattern_list("bob", "*,!bob", false), -1);
  EXPECT_EQ(match_pattern_list("carol", "!bob", false), 0);  // a negation alone matches nobody
  EXPECT_EQ(match_pattern_list("carol", "!bob,*", false), 1);
}

TEST(MatchPatternList, EmptyEntriesMatchOnlyNothing) {
  EXPECT_EQ(match_pattern_list("bob", "", false), 0);
  EXPECT_EQ(match_pattern_list("bob", ",bob", false), 1);
  EXPECT_EQ(match_pattern_list("bob", "bob,", false), 1);
  EXPECT_EQ(match_pattern_list("", "", false), 0);
  EXPECT_EQ(match_pattern_list("", "a,,b", false), 1);
  EXPECT_EQ(match_pattern_list("", "a,", false), 0);  // nothing stands behind the last comma
  EXPECT_EQ(match_pattern_list("", "!", false), -1);
}

TEST(MatchPatternList, FoldsCaseOnRequest) {
  EXPECT_EQ(match_pattern_list("Bob", "bOB", false), 0);
  EXPECT_EQ(match_pattern_list("Bob", "bOB", true), 1);
  EXPECT_EQ(match_pattern_list("H.EXAMPLE.com", "*.example.COM", true), 1);
}

TEST(MatchPatternList, GivesUpOnAVeryLongEntry) {
  EXPECT_EQ(match_pattern_list("bob", std::string(1022, '*') + ",bob", false), 1);
  EXPECT_EQ(match_pattern_list("bob", "bob," + std::string(1023, '*'), false), 0);
}

TEST(MatchAddressList, MatchesNetworks) {
  EXPECT_EQ(match_address_list("10.1.2.3", "10.0.0.0/8"), 1);
  EXPECT_EQ(match_address_list("11.1.2.3", "10.0.0.0/8"), 0);
  EXPECT_EQ(match_address_list("10.1.2.3", "10.1.2.3"), 1);
  EXPECT_EQ(match_address_list("10.1.2.3", "10.1.2.2/31"), 1);
  EXPECT_EQ(match_address_list("10.1.2.4", "10.1.2.2/31"), 0);
  EXPECT_EQ(match_address_list("10.1.2.3", "0.0.0.0/0"), 1);
  EXPECT_EQ(match_address_list("2001:db8::1", "0.0.0.0/0"), 0);
  EXPECT_EQ(match_address_list("2001:db8::1", "2001:db8::/32"), 1);
  EXPECT_EQ(match_address_list("2001:db8:8000::1", "2001:db8::/33"), 0);
  EXPECT_EQ(match_address_list("2001:DB8:8000::1", "2001:db8:8000::/33"), 1);
  EXPECT_EQ(match_address_list("::1", "::/0"), 1);
  EXPECT_EQ(match_address_list("10.0.0.1", "10.1"), 1);  // inet_aton(3) spells it so too
}

TEST(MatchAddressList, EveryMaskOfBothFamilies) {
  for (int bits = 0; bits <= 32; ++bits) {
    const std::string list = "0.0.0.0/" + std::to_string(bits);
    EXPECT_EQ(match_address_list("0.0.0.0", list), 1) << list;
    EXPECT_EQ(match_address_list("0.0.0.1", list), bits == 32 ? 0 : 1) << list;
    EXPECT_EQ(match_address_list("128.0.0.0", list), bits == 0 ? 1 : 0) << list;
  }
  for (int bits = 0; bits <= 128; ++bits) {
    const std::string list = "::/" + std::to_string(bits);
    EXPECT_EQ(match_address_list("::", list), 1) << list;
    EXPECT_EQ(match_address_list("::1", list), bits == 128 ? 0 : 1) << list;
    EXPECT_EQ(match_address_list("8000::", list), bits == 0 ? 1 : 0) << list;
  }
}

TEST(MatchAddressList, NegationWinsAndWildcardsWork) {
  EXPECT_EQ(match_address_list("10.1.2.3", "10.0.0.0/8,!10.1.0.0/16"), -1);
  EXPECT_EQ(match_address_list("10.2.2.3", "!10.1.0.0/16,10.0.0.0/8"), 1);
  EXPECT_EQ(match_address_list("10.1.2.3", "10.1.*"), 1);
  EXPECT_EQ(match_address_list("10.1.2.3", "!10.1.*"), -1);
  EXPECT_EQ(match_address_list("10.1.2.3", "!10.2.*"), 0);
  EXPECT_EQ(match_address_list("10.1.2.3", "*"), 1);
  EXPECT_EQ(match_address_list("10.1.2.3", "host.example.com"), 0);
  EXPECT_EQ(match_address_list("10.1.2.3", "10.0.0.0/129,10.1.2.3"), 1);  // no network: a wildcard
}

TEST(MatchAddressList, RefusesWhatIsNoList) {
  for (const char* bad : {"", ",", "10.0.0.0/8,", "!", "10.0.0.1/8", "10.0.0.0/33",
                          "2001:db8::1/32", "2001:db8::/32,,*", "*,10.0.0.1/31"}) {
    EXPECT_EQ(match_address_list("192.0.2.1", bad), std::nullopt) << bad;
    EXPECT_EQ(match_address_list("", bad), std::nullopt) << bad;
  }
  EXPECT_EQ(match_address_list("", "10.0.0.0/8,!::1,*"), 0);  // only checked
}

TEST(MatchAddressList, WhatIsNoAddressMatchesNothing) {
  EXPECT_EQ(match_address_list("localhost", "*"), 0);
  EXPECT_EQ(match_address_list("10.1.2.3.4", "10.*"), 0);
}

}  // namespace
}  // namespace idlewarden

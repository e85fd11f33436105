// SPDX-License-Identifier: Apache-2.0
#include "limits/sshd_lexer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace idlewarden {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> texts(const std::vector<SshdWord>& words) {
  std::vector<std::string> out;
  for (const SshdWord& word : words) out.push_back(word.text);
  return out;
}

// As an argument vector; the one word "(open quote)" stands for a refusal.
std::vector<std::string> arguments(const std::string& text) {
  const SshdLine line = sshd_option_line(text);
  const auto words = SshdScanner(line).arguments();
  return words ? texts(*words) : std::vector<std::string>{"(open quote)"};
}

std::vector<std::string> delimited(const std::string& text) {
  const SshdLine line = sshd_option_line(text);
  SshdScanner scanner(line);
  std::vector<std::string> out;
  while (const auto word = scanner.word()) out.push_back(word->text);
  return out;
}

TEST(SshdLines, AreStrippedAndNumbered) {
  const auto lines = sshd_lines("a 1\n\n \t\r b 2 \t\r\f\n\tc\\\nd");
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_EQ(lines[0].text, "a 1");
  EXPECT_EQ(lines[0].indent, 0);
  EXPECT_EQ(lines[1].text, "");
  EXPECT_EQ(lines[2].text, "b 2");
  EXPECT_EQ(lines[2].indent, 4);
  EXPECT_EQ(lines[2].number, 3);
  EXPECT_EQ(lines[3].text, "c\\");  // no continuation
  EXPECT_EQ(lines[4].text, "d");
  EXPECT_EQ(lines[4].number, 5);
}

TEST(SshdLines, KeepTheFirstCharacterWhateverItIs) {
  EXPECT_EQ(sshd_lines("\f\n").at(0).text, "\f");
  EXPECT_EQ(sshd_lines("\f\f\n").at(0).text, "\f");
}

TEST(SshdLines, EndOfTheFileNeedsNoLineEnd) {
  EXPECT_THAT(sshd_lines(""), IsEmpty());
  EXPECT_EQ(sshd_lines("\n").size(), 1U);
  EXPECT_EQ(sshd_lines("a").size(), 1U);
}

TEST(SshdLines, AreJoinedByANul) {
  const auto lines = sshd_lines(std::string_view("ab\0cd\n ef\ngh\n", 13));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].text, "abef");
  EXPECT_EQ(lines[0].number, 1);
  EXPECT_EQ(lines[1].text, "gh");
  EXPECT_EQ(lines[1].number, 3);
}

TEST(SshdWords, AreDelimitedByBlanksAndOneEquals) {
  for (const char* line : {"key value", "key=value", "key = value", "key= value", "key =value",
                           "key\t\tvalue", "\"key\" value", "\"key\"value", "k\"ey\" value"}) {
    EXPECT_THAT(delimited(line), ElementsAre("key", "value")) << line;
  }
  EXPECT_THAT(delimited("key==value"), ElementsAre("key", "", "value"));
  EXPECT_THAT(delimited("a b=c d"), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(delimited("a \"b c\" d"), ElementsAre("a", "b c", "d"));
  EXPECT_THAT(delimited("a 'b c'"), ElementsAre("a", "'b", "c'"));
  EXPECT_THAT(delimited("a \"\" b"), ElementsAre("a", "", "b"));
  EXPECT_THAT(delimited("=a"), ElementsAre("", "a"));
}

TEST(SshdWords, EndAtAnOpenQuote) {
  EXPECT_THAT(delimited("a \"b c"), ElementsAre("a"));
  EXPECT_THAT(delimited("\"a"), IsEmpty());
}

TEST(SshdWords, KnowTheirColumns) {
  const SshdLine line = sshd_lines("  key = \"v w\"  x\n").at(0);
  SshdScanner scanner(line);
  EXPECT_EQ(scanner.word()->column, 3);
  const auto arguments = scanner.arguments();
  ASSERT_TRUE(arguments);
  ASSERT_EQ(arguments->size(), 2U);
  EXPECT_EQ(arguments->at(0).column, 9);
  EXPECT_EQ(arguments->at(1).column, 16);
}

TEST(SshdArguments, AreSplitAtBlanksOutsideQuotes) {
  EXPECT_THAT(arguments("a  b\tc"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(arguments("\"a b\" 'c d' e\"f g\"h"), ElementsAre("a b", "c d", "ef gh"));
  EXPECT_THAT(arguments("\"\" ''"), ElementsAre("", ""));
  EXPECT_THAT(arguments("\"it's\" 'a\"b'"), ElementsAre("it's", "a\"b"));
  EXPECT_THAT(arguments("a=b"), ElementsAre("a=b"));
}

TEST(SshdArguments, EndAtACommentThatStartsAWord) {
  EXPECT_THAT(arguments("5m # five"), ElementsAre("5m"));
  EXPECT_THAT(arguments("5m#five"), ElementsAre("5m#five"));
  EXPECT_THAT(arguments("5m \"#\" x"), ElementsAre("5m", "#", "x"));
  EXPECT_THAT(arguments("# 'open"), IsEmpty());
}

TEST(SshdArguments, Unescape) {
  EXPECT_THAT(arguments(R"(a\ b \" \' \\ \n "c\ d" "e\"f" 'g\'h')"),
              ElementsAre("a b", "\"", "'", "\\", "\\n", "c\\ d", "e\"f", "g'h"));
  EXPECT_THAT(arguments("a \\"), ElementsAre("a", "\\"));
}

TEST(SshdArguments, NeedTheirQuotesClosed) {
  for (const char* line : {"\"a", "'a", "a\"", "a 'b\"", "\"a\\\"", "\""}) {
    EXPECT_THAT(arguments(line), ElementsAre("(open quote)")) << line;
  }
}

TEST(SshdTime, IsReadAsSshdReadsIt) {
  EXPECT_EQ(sshd_time("0"), 0);
  EXPECT_EQ(sshd_time("90"), 90);
  EXPECT_EQ(sshd_time("90s"), 90);
  EXPECT_EQ(sshd_time("5m"), 300);
  EXPECT_EQ(sshd_time("5M"), 300);
  EXPECT_EQ(sshd_time("1h30m10"), 5410);
  EXPECT_EQ(sshd_time("1H1h"), 7200);
  EXPECT_EQ(sshd_time("2d"), 172800);
  EXPECT_EQ(sshd_time("1w"), 604800);
  EXPECT_EQ(sshd_time("007"), 7);
  EXPECT_EQ(sshd_time("2147483647"), 2147483647);
  EXPECT_EQ(sshd_time("3550w"), 2147040000);
}

TEST(SshdTime, TakesWhatOnlyOlderVersionsTake) {
  EXPECT_EQ(sshd_time("+5m"), 300);
  EXPECT_EQ(sshd_time(" 5"), 5);
  EXPECT_EQ(sshd_time("1s2s"), 3);
  EXPECT_EQ(sshd_time("1m 5"), 65);
  EXPECT_EQ(sshd_time("-0"), 0);
}

TEST(SshdTime, RefusesTheRest) {
  for (const char* bad :
       {"", "m", "5x", "-1", "5 m", "5 ", "1.5", "0x10", "1e3", "2147483648", "3551w", "none",
        "2147483647m", "2147483647 1", "99999999999999999999999999", "+", "--5", "5m-1"}) {
    EXPECT_EQ(sshd_time(bad), std::nullopt) << bad;
  }
}

TEST(SshdNumber, IsBounded) {
  EXPECT_EQ(sshd_number("0", 10), 0);
  EXPECT_EQ(sshd_number("10", 10), 10);
  EXPECT_EQ(sshd_number(" +7", 10), 7);
  EXPECT_EQ(sshd_number("-0", 10), 0);
  for (const char* bad : {"", "11", "-1", "7 ", "7x", "x", "0x1", "99999999999999999999"}) {
    EXPECT_EQ(sshd_number(bad, 10), std::nullopt) << bad;
  }
}

TEST(SshdPort, IsANumberOrAService) {
  EXPECT_EQ(sshd_port("22"), 22);
  EXPECT_EQ(sshd_port("65535"), 65535);
  EXPECT_EQ(sshd_port("65536"), std::nullopt);
  EXPECT_EQ(sshd_port("no-such-service-here"), std::nullopt);
}

}  // namespace
}  // namespace idlewarden

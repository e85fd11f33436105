// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <gtest/gtest.h>

namespace idlewarden {
namespace {

TEST(Printable, LeavesOrdinaryTextAlone) {
  EXPECT_EQ(printable("alice"), "alice");
  EXPECT_EQ(printable("Zoë 你好"), "Zoë 你好");
  EXPECT_EQ(printable("a\\b"), "a\\b");
}

TEST(Printable, DisarmsControlSequences) {
  EXPECT_EQ(printable("\x1b]0;owned\x07"), "\\x1b]0;owned\\x07");
  EXPECT_EQ(printable("a\nb\r\n"), "a\\x0ab\\x0d\\x0a");
  EXPECT_EQ(printable("\xc2\x9b[2J"), "\\x9b[2J");  // C1 CSI
  EXPECT_EQ(printable("\xe2\x80\xae"
                      "evil"),
            "\\u{202e}evil");  // right-to-left override
}

TEST(Printable, EscapesWhatIsNotUtf8) {
  EXPECT_EQ(printable("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(printable("\xc0\x80"), "\\xc0\\x80");           // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
  EXPECT_EQ(printable("\xe2\x80"), "\\xe2\\x80");           // truncated
}

TEST(Printable, KeepsBackslashesTellable) {
  EXPECT_EQ(printable("a\\x1b\x1b\\"), "a\\\\x1b\\x1b\\\\");
}

TEST(Printable, CutsAtTheLimit) {
  EXPECT_EQ(printable("abcdef", 3), "abc…");
}

TEST(Nearest, FindsTheMisspeltWord) {
  EXPECT_EQ(nearest("gracee", {"warn", "grace"}), "grace");
  EXPECT_EQ(nearest("tmuot", {"logind", "tmout"}), "tmout");
  EXPECT_EQ(nearest("", {"warn", "a"}), "");
  EXPECT_EQ(nearest("zzz", {"warn", "grace"}), "");
}

TEST(BaseName, IsBehindTheLastSlash) {
  EXPECT_EQ(base_name("/usr/sbin/sshd"), "sshd");
  EXPECT_EQ(base_name("sshd"), "sshd");
  EXPECT_EQ(base_name("/usr/sbin/"), "");
  EXPECT_EQ(base_name(""), "");
}

}  // namespace
}  // namespace idlewarden

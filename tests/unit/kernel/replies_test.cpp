// SPDX-License-Identifier: Apache-2.0
#include "kernel/replies.h"

#include <gtest/gtest.h>

#include "kernel/reply_samples.h"

namespace idlewarden {
namespace {

// What the program does with the table (bpf/input.bpf.h).
bool is_only_replies(std::string_view bytes) {
  if (bytes.size() < IDLEWARDEN_REPLY_MIN || bytes.size() > IDLEWARDEN_REPLY_MAX) return false;
  std::uint8_t state = IDLEWARDEN_REPLY_START;
  for (const char byte : bytes) state = reply_table()[state << 8 | static_cast<std::uint8_t>(byte)];
  return state == IDLEWARDEN_REPLY_START;
}

TEST(Replies, PersonAndTerminalAreTold) {
  for (const test::ReplySample& sample : test::reply_samples()) {
    EXPECT_EQ(is_only_replies(sample.bytes), sample.reply) << sample.name;
  }
}

TEST(Replies, EveryPartOfAReplyIsAPerson) {
  for (const test::ReplySample& sample : test::reply_samples()) {
    // A chain's parts may be whole replies themselves.
    if (!sample.reply || sample.bytes.find('\033', 1) != std::string_view::npos) continue;
    for (std::size_t n = 1; n < sample.bytes.size(); ++n) {
      EXPECT_FALSE(is_only_replies(sample.bytes.substr(0, n))) << sample.name << " cut at " << n;
    }
  }
}

TEST(Replies, AReplyWithAnythingElseIsAPerson) {
  for (const test::ReplySample& sample : test::reply_samples()) {
    if (!sample.reply || sample.bytes.size() == IDLEWARDEN_REPLY_MAX) continue;
    for (int byte = 0; byte < 256; ++byte) {
      const std::string typed = std::string(sample.bytes) + static_cast<char>(byte);
      EXPECT_FALSE(is_only_replies(typed)) << sample.name << " and byte " << byte;
    }
  }
}

TEST(Replies, TheLongestIsAsLongAsTheKernelsPieces) {
  for (const test::ReplySample& sample : test::reply_samples()) {
    EXPECT_LE(sample.bytes.size(), 2048U) << sample.name;
  }
  EXPECT_EQ(IDLEWARDEN_REPLY_MAX, 2048);
}

TEST(Replies, AnEmptyTableKnowsNoReply) {
  const ReplyTable empty{};
  EXPECT_NE(empty[IDLEWARDEN_REPLY_START << 8 | '\033'], IDLEWARDEN_REPLY_START);
}

TEST(Replies, APersonIsFinal) {
  for (int byte = 0; byte < 256; ++byte) EXPECT_EQ(reply_table()[byte], 0);
}

}  // namespace
}  // namespace idlewarden

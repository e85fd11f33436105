// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "bench.h"

namespace idlewarden {
namespace {

using test::at;

class Message : public testing::Test {
 protected:
  std::string render(const std::string& text) {
    const Observation o{&subject_.session, &subject_.verdict, at(100), false};
    return render_message(text, o, *due(o, at(640.5)), at(700), at(640.5));
  }
  test::Bench bench_;
  test::Subject& subject_ = bench_.add(3);
};

TEST_F(Message, SaysWhoWhereAndHowLong) {
  subject_.verdict.decided_by = Origin::sshd_config;
  LimitSource& source = subject_.verdict.sources.emplace_back();
  source.directive = "ClientAliveInterval";
  source.where = {"/etc/ssh/sshd_config", 12, 1};
  source.used = true;
  EXPECT_EQ(render("{user} on {tty}: idle {idle} of {limit}, {left} left ({source})"),
            "\r\nalice on pts/3: idle 9m of 10m, 59s left (ClientAliveInterval at "
            "/etc/ssh/sshd_config:12)\r\n");
}

TEST_F(Message, LeavesWhatItDoesNotKnow) {
  EXPECT_EQ(render("{nobody} {user {} }{"), "\r\n{nobody} {user {} }{\r\n");
}

TEST_F(Message, EveryLineEndsForARawTty) {
  EXPECT_EQ(render("one\ntwo\r\n"), "\r\none\r\ntwo\r\n");
  EXPECT_EQ(render(""), "");
}

TEST_F(Message, NothingInItDrivesATerminal) {
  subject_.session.user = "eve\x1b]0;owned\x07\n\xff";
  const std::string text = render("\x1b[2J{user}\x9b");
  for (const char c : text) {
    EXPECT_TRUE(c == '\r' || c == '\n' || (c >= ' ' && c < 0x7f)) << int(c);
  }
  EXPECT_EQ(std::ranges::count(text, '\n'), 2);
}

TEST_F(Message, IsNeverLongerThanATtyTakesAtOnce) {
  EXPECT_LT(render(std::string(100000, 'x') + "\n").size(), 4096u);
  std::string lines;
  for (int i = 0; i < 5000; ++i) lines += "line of text\n";
  EXPECT_LT(render(lines).size(), 6000u);
}

TEST_F(Message, OfAWholeSessionNamesTheRule) {
  subject_.verdict.max_session = Seconds(580);
  subject_.verdict.rule = "contractors";
  EXPECT_EQ(render("{limit} {source}"), "\r\n9m40s max_session of rule contractors\r\n");
  EXPECT_EQ(render("{reason}. {advice}"),
            "\r\nlogged in on pts/3 for 9m. No key keeps it: save your work.\r\n");
}

TEST_F(Message, OfAnIdleSessionSaysWhatKeepsIt) {
  EXPECT_EQ(render("{reason}. {advice}"),
            "\r\nno input on pts/3 for 9m. Press a key to keep it.\r\n");
}

}  // namespace
}  // namespace idlewarden

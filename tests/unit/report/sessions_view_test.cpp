// SPDX-License-Identifier: Apache-2.0
#include "report/sessions_view.h"

#include <gmock/gmock.h>

#include "report/render.h"
#include "samples.h"

namespace idlewarden {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

TEST(SessionsView, IsTheSameFromTheSnapshotAndFromItsJson) {
  Snapshot s = test::small_snapshot();
  s.degraded["pins"] = "bpffs is not mounted";
  s.degraded["odd"] = "";
  s.only_host_pids = {12};
  s.sessions.push_back(test::row_of(s, {.user = "Zoë 你好", .tty = "", .foreground = ""}));
  s.sessions.back().left = 90min;  // max_session
  s.sessions.front().session.container = "web";
  const auto parsed = parse_view(sessions_json(s));
  ASSERT_TRUE(parsed.has_value()) << parsed.error().text();
  EXPECT_EQ(*parsed, view_of(s));
  EXPECT_EQ(parsed->sessions[0].set_by, "/etc/ssh/sshd_config:12");
  EXPECT_EQ(parsed->sessions[0].tty, "pts/3 in web");
  EXPECT_EQ(parsed->sessions[1].limit, std::nullopt);
  EXPECT_EQ(parsed->sessions[1].set_by, "");
  EXPECT_EQ(parsed->sessions[2].left, -10s);
  EXPECT_EQ(parsed->degraded, (std::vector<std::string>{"odd", "bpffs is not mounted"}));
}

TEST(SessionsView, OfALimitWithoutAFileNamesWhoDecided) {
  Snapshot s = test::small_snapshot();
  Verdict verdict = *s.sessions[0].verdict;
  verdict.sources.clear();
  s.sessions[0].verdict = std::make_shared<const Verdict>(std::move(verdict));
  EXPECT_EQ(view_of(s).sessions[0].set_by, "sshd_config");
  EXPECT_EQ(parse_view(sessions_json(s)).value_or(SessionsView{}), view_of(s));
}

TEST(SessionsView, TakesNothingRawFromTheJson) {
  Snapshot s = test::empty_snapshot();
  s.sessions.push_back(test::row_of(s, {}));
  std::string json = sessions_json(s);
  json.replace(json.find("alice"), 5, R"(\u001b]0;owned\u0007)");
  const auto view = parse_view(json);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->sessions[0].user, "\\x1b]0;owned\\x07");
}

TEST(SessionsView, RefusesWhatIsNoAnswer) {
  for (const char* wrong :
       {"", "{", "[]", "{}", "null", R"({"sessions":1,"degraded":{}})",
        R"({"sessions":[{"user":1}],"degraded":{}})", R"({"sessions":[{}],"degraded":{}})",
        R"({"sessions":[7],"degraded":{}})",
        R"({"sessions":[{"user":null,"idle_seconds":"long"}],"degraded":{}})"}) {
    const auto view = parse_view(wrong);
    ASSERT_FALSE(view.has_value()) << wrong;
    EXPECT_THAT(view.error().text(), HasSubstr("not the expected JSON"));
  }
}

TEST(SessionsView, SurvivesAnyNumber) {
  const auto view = parse_view(
      R"({"sessions":[{"user":null,"idle_seconds":1e300,"left_seconds":-1e300,"limit_seconds":1e18}],)"
      R"("degraded":{}})");
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->sessions[0].idle, 1'000'000'000s);
  EXPECT_EQ(view->sessions[0].left, -1'000'000'000s);
}

SessionLine line_with(Nanoseconds idle, std::optional<Nanoseconds> left) {
  SessionLine line;
  line.idle = idle;
  line.left = left;
  return line;
}

TEST(MoreUrgent, OrdersByTimeLeftThenByIdleTime) {
  const SessionLine late = line_with(0s, -1s), soon = line_with(0s, 1s);
  const SessionLine never = line_with(1s, {}), longer = line_with(2s, {});
  EXPECT_TRUE(more_urgent(late, soon));
  EXPECT_TRUE(more_urgent(soon, longer));
  EXPECT_TRUE(more_urgent(longer, never));
  EXPECT_FALSE(more_urgent(never, longer));
  EXPECT_FALSE(more_urgent(soon, soon));
}

}  // namespace
}  // namespace idlewarden

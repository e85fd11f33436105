// SPDX-License-Identifier: Apache-2.0
// One live session: how it is named, and what is told of it.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "report/render.h"
#include "samples.h"

namespace idlewarden {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

TEST(FindSession, ByIdPidOrTty) {
  const Snapshot s = test::small_snapshot();
  for (const std::string& name :
       {s.sessions[2].session.id.text(), std::string("901"), std::string("pts/11")}) {
    const auto found = find_session(s, name);
    ASSERT_TRUE(found) << name << found.error().text();
    EXPECT_EQ(*found, &s.sessions[2]);
  }
}

TEST(FindSession, SaysWhatMayHaveBeenMeant) {
  Snapshot s = test::small_snapshot();
  const auto error = [&](const std::string& name) {
    const auto found = find_session(s, name);
    return found ? "found" : found.error().text();
  };
  EXPECT_THAT(error("pts/12"), HasSubstr("did you mean pts/11?"));
  EXPECT_THAT(error("what?"), HasSubstr(s.sessions[0].session.id.text() + ": alice on pts/3 (ssh"));
  EXPECT_THAT(error(""), HasSubstr("no session is called \"\""));
  EXPECT_TRUE(test::is_clean(error(test::kHostile), false));
  s.sessions[1].session.tty_name = "pts/3";
  EXPECT_THAT(error("pts/3"), StartsWith("more than one session is called \"pts/3\""));
  s.sessions.clear();
  EXPECT_THAT(error("1"), HasSubstr("there are no sessions"));
}

TEST(ExplainSession, IsAnExplanationWithTheSession) {
  const Snapshot s = test::small_snapshot();
  const SessionRow& row = s.sessions[0];
  const auto told = nlohmann::json::parse(explain_session_json(s, row));
  const auto listed = nlohmann::json::parse(sessions_json(s));
  EXPECT_EQ(told["session"], listed["sessions"][0]);
  const auto verdict = nlohmann::json::parse(explain_json(*row.verdict));
  ASSERT_TRUE(verdict.contains("sources"));
  for (const auto& [key, value] : verdict.items()) EXPECT_EQ(told[key], value) << key;
}

TEST(ExplainSession, AsText) {
  Snapshot s = test::small_snapshot();
  EXPECT_THAT(explain_session_text(s.sessions[0]),
              StartsWith("Session " + s.sessions[0].session.id.text() +
                         ": alice on pts/3 (ssh from 10.0.0.7), active, idle 8m12s, 1m48s left\n"
                         "Limit 10m (600 s)"));
  EXPECT_THAT(explain_session_text(s.sessions[1]),
              HasSubstr("root on tty1 (console), active, idle 1d2h\nNo limit"));
  s.sessions[0].limit = 4h;
  EXPECT_THAT(explain_session_text(s.sessions[0]), HasSubstr("For now its limit is 4h"));
  s.sessions[0].session.user = s.sessions[0].session.tty_name = test::kHostile;
  EXPECT_TRUE(test::is_clean(explain_session_text(s.sessions[0]), true));
}

}  // namespace
}  // namespace idlewarden

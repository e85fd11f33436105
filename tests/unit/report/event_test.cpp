// SPDX-License-Identifier: Apache-2.0
#include "report/event.h"

#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "report/journal.h"
#include "samples.h"

namespace idlewarden {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(EventTable, HasOneUniqueIdPerTypeInTheOrderOfTheEnum) {
  std::set<std::string_view> ids;
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < all_events().size(); ++i) {
    const EventInfo& info = all_events()[i];
    EXPECT_EQ(static_cast<std::size_t>(info.type), i);
    EXPECT_EQ(info.message_id.size(), 32U);
    EXPECT_EQ(info.message_id.find_first_not_of("0123456789abcdef"), std::string_view::npos);
    ids.insert(info.message_id);
    names.insert(info.name);
  }
  EXPECT_EQ(ids.size(), all_events().size());
  EXPECT_EQ(names.size(), all_events().size());
}

// From the top of the source tree, where CTest runs this.
TEST(EventTable, EachTypeHasItsTextInTheJournalsCatalog) {
  std::multiset<std::string> ids;
  std::ifstream catalog("scripts/packaging/idlewarden.catalog");
  for (std::string line; std::getline(catalog, line);) {
    if (line.starts_with("-- ")) ids.insert(line.substr(3));
  }
  EXPECT_EQ(ids.size(), all_events().size());
  for (const EventInfo& info : all_events()) {
    EXPECT_EQ(ids.count(std::string(info.message_id)), 1U) << info.name;
  }
}

TEST(JsonLine, HasEveryMemberInAFixedOrder) {
  Event e = test::sample_event(EventType::terminated);
  e.lateness_seconds = 0.0406;
  e.detail = "hang-up";
  EXPECT_EQ(
      to_json_line(e),
      R"({"event":"terminated","time":"2026-11-22T12:00:00.000Z","session":"4242-35640000",)"
      R"("kind":"ssh","user":"alice","tty":"pts/3","container":null,)"
      R"("remote_addr":"10.0.0.7","remote_port":50022,"idle_seconds":600.012,"limit_seconds":600,)"
      R"("lateness_seconds":0.041,"decided_by":"sshd_config",)"
      R"("source":"/etc/ssh/sshd_config:12","detail":"hang-up"})");
}

TEST(JsonLine, SaysNullWhereAMemberDoesNotApply) {
  Event e;
  e.type = EventType::config_reloaded;
  e.time = test::noon();
  EXPECT_EQ(
      to_json_line(e),
      R"({"event":"config_reloaded","time":"2026-11-22T12:00:00.000Z","session":null,)"
      R"("kind":null,"user":null,"tty":null,"container":null,"remote_addr":null,)"
      R"("remote_port":null,"idle_seconds":null,"limit_seconds":null,"lateness_seconds":null,)"
      R"("decided_by":null,"source":null,"detail":null})");
}

TEST(JsonLine, IsOneValidLineWhateverTheEventHolds) {
  for (const EventInfo& info : all_events()) {
    const std::string line = to_json_line(test::hostile_event(info.type));
    EXPECT_TRUE(test::is_clean(line, false)) << line;
    const auto parsed = nlohmann::json::parse(line);
    EXPECT_EQ(parsed.size(), 15U);
    EXPECT_EQ(parsed["event"], info.name);
    EXPECT_THAT(parsed["user"].get<std::string>(), StartsWith("\\x1b]0;owned\\x07\\x0d\\x0a\"}"));
  }
}

TEST(JsonLine, StaysBoundedWithHugeText) {
  Event e = test::sample_event(EventType::held);
  e.user = e.tty = e.detail = std::string(1 << 20, 'x');
  EXPECT_LT(to_json_line(e).size(), 4096U);
  EXPECT_LT(to_human_line(e).size(), 4096U);
}

struct Sentence {
  EventType type;
  const char* text;
};

TEST(HumanLine, ReadsAsASentence) {
  const Sentence sentences[] = {
      {EventType::session_started,
       "watching alice on pts/3 (ssh from 10.0.0.7): may be idle for 10m by "
       "/etc/ssh/sshd_config:12"},
      {EventType::warned,
       "warned alice on pts/3 (ssh from 10.0.0.7): idle 10m, limit 10m by /etc/ssh/sshd_config:12"},
      {EventType::resumed,
       "alice on pts/3 (ssh from 10.0.0.7) is active again: idle 10m, limit 10m by "
       "/etc/ssh/sshd_config:12"},
      {EventType::would_terminate,
       "would end alice on pts/3 (ssh from 10.0.0.7): idle 10m, limit 10m by "
       "/etc/ssh/sshd_config:12"},
      {EventType::terminated,
       "ended alice on pts/3 (ssh from 10.0.0.7): idle 10m, limit 10m by /etc/ssh/sshd_config:12"},
  };
  for (const auto& [type, text] : sentences) {
    EXPECT_EQ(to_human_line(test::sample_event(type)), text);
  }
}

TEST(HumanLine, ShowsDetailAndLateness) {
  Event e = test::sample_event(EventType::terminated);
  e.lateness_seconds = 0.0406;
  e.detail = "hang-up, then SIGTERM";
  EXPECT_EQ(to_human_line(e),
            "ended alice on pts/3 (ssh from 10.0.0.7): idle 10m, limit 10m by "
            "/etc/ssh/sshd_config:12, 0.04 s late; hang-up, then SIGTERM");
}

TEST(Container, IsToldInEveryForm) {
  Event e = test::sample_event(EventType::session_ended);
  e.container = "web";
  EXPECT_THAT(to_human_line(e), StartsWith("alice on pts/3 in web (ssh from 10.0.0.7) has left"));
  EXPECT_THAT(to_json_line(e), HasSubstr(R"("tty":"pts/3","container":"web")"));
  EXPECT_THAT(journal_fields(e), Contains("CONTAINER_NAME=web"));
}

TEST(HumanLine, DoesWithoutWhatIsNotKnown) {
  Event e;
  e.type = EventType::session_started;
  e.user = "root";
  e.tty = "tty1";
  e.kind = "console";
  EXPECT_EQ(to_human_line(e), "watching root on tty1 (console): no idle limit");
  e.type = EventType::session_ended;
  EXPECT_EQ(to_human_line(e), "root on tty1 (console) has left");
  Event daemon;
  daemon.type = EventType::config_rejected;
  daemon.detail = "/etc/idlewarden/idlewarden.toml:3:1: unknown key \"gracee\"";
  EXPECT_EQ(to_human_line(daemon),
            "configuration rejected, the last good one stays in force: "
            "/etc/idlewarden/idlewarden.toml:3:1: unknown key \"gracee\"");
}

TEST(HumanLine, IsOnePrintableLineWhateverTheEventHolds) {
  for (const EventInfo& info : all_events()) {
    const std::string line = to_human_line(test::hostile_event(info.type));
    EXPECT_TRUE(test::is_clean(line, false)) << line;
  }
}

TEST(Journal, HasTheFieldsOfTheEvent) {
  const auto fields = journal_fields(test::sample_event(EventType::would_terminate));
  for (const char* field :
       {"MESSAGE=would end alice on pts/3 (ssh from 10.0.0.7): idle 10m, limit 10m by "
        "/etc/ssh/sshd_config:12",
        "PRIORITY=4", "SYSLOG_IDENTIFIER=idlewarden", "MESSAGE_ID=5b359ac298dc440f97b14e276281cb06",
        "IDLEWARDEN_EVENT=would_terminate", "SESSION_ID=4242-35640000", "SESSION_KIND=ssh",
        "USER_NAME=alice", "TTY=pts/3", "REMOTE_ADDR=10.0.0.7", "REMOTE_PORT=50022",
        "IDLE_SECONDS=600.012", "LIMIT_SECONDS=600", "DECIDED_BY=sshd_config",
        "DECIDED_AT=/etc/ssh/sshd_config:12"}) {
    EXPECT_THAT(fields, Contains(field));
  }
  EXPECT_THAT(fields, Not(Contains(StartsWith("DETAIL="))));
}

TEST(Journal, NoFieldBreaksOutOfItsLine) {
  for (const EventInfo& info : all_events()) {
    for (const std::string& field : journal_fields(test::hostile_event(info.type))) {
      EXPECT_TRUE(test::is_clean(field, false)) << field;
    }
  }
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "report/render.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "base/text.h"
#include "samples.h"

namespace idlewarden {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Snapshot hostile_snapshot() {
  Snapshot s = test::empty_snapshot();
  s.version = test::kHostile;
  s.degraded[test::kHostile] = test::kHostile;
  s.per_session_metrics = true;
  SessionRow row = test::row_of(s, {.user = test::kHostile,
                                    .tty = test::kHostile,
                                    .from = test::kHostile,
                                    .file = "/home/" + test::kHostile,
                                    .foreground = test::kHostile});
  row.session.logind_session = test::kHostile;
  row.session.logind_class = test::kHostile;
  row.session.logind_seat = test::kHostile;
  row.session.container = test::kHostile;
  s.sessions.push_back(row);
  s.counters.transitions["warned"][{test::kHostile, test::kHostile}] = 1;
  s.counters.transitions[test::kHostile][{"rule", "ssh"}] = 1;
  return s;
}

TEST(SessionsJson, HasTheDesignedForm) {
  Snapshot s = test::empty_snapshot();
  s.sessions.push_back(test::row_of(s, {.idle = 492s}));
  s.sessions.back().session.logind_session = "c7";
  s.sessions.back().session.logind_class = "user";
  s.sessions.back().idle += 1234567ns;
  *s.sessions.back().left -= 1234567ns;
  s.degraded["pins"] = "bpffs is not mounted";
  EXPECT_EQ(
      sessions_json(s),
      R"({"sessions":[{"id":")" + s.sessions.back().session.id.text() +
          R"(","kind":"ssh","user":"alice","uid":1000,"tty":"pts/3","container":null,)"
          R"("leader_pid":4242,"host_pid":4200,"remote_addr":"10.0.0.7","remote_port":50022,)"
          R"("logind_session":"c7","logind_class":"user","logind_seat":null,)"
          R"("started":"2026-11-22T11:00:00.000Z","last_input":"2026-11-22T11:51:48.000Z",)"
          R"("idle_seconds":492.001,"limit_seconds":600,"decided_by":"sshd_config",)"
          R"("state":"active","foreground":"vim","left_seconds":107.999,)"
          R"("source":"/etc/ssh/sshd_config:12"}],"backend":"fentry","mode":"audit","only_host_pids":[],)"
          R"("degraded":{"pins":"bpffs is not mounted"},"time":"2026-11-22T12:00:00.000Z"})");
}

TEST(SessionsJson, SaysNullWhereThereIsNothing) {
  Snapshot s = test::empty_snapshot();
  s.sessions.push_back(
      test::row_of(s, {.tty = "", .from = "", .limit = std::nullopt, .foreground = ""}));
  const auto row = nlohmann::json::parse(sessions_json(s))["sessions"][0];
  for (const char* member : {"tty", "host_pid", "remote_addr", "remote_port", "logind_session",
                             "logind_class", "logind_seat", "container", "limit_seconds",
                             "decided_by", "foreground", "left_seconds", "source"}) {
    ASSERT_TRUE(row.contains(member)) << member;
    EXPECT_TRUE(row[member].is_null()) << member;
  }
}

TEST(SessionsJson, WithoutSessionsIsAnEmptyList) {
  EXPECT_EQ(sessions_json(test::empty_snapshot()),
            R"({"sessions":[],"backend":"fentry","mode":"audit","only_host_pids":[],"degraded":{},)"
            R"("time":"2026-11-22T12:00:00.000Z"})");
}

TEST(StatusJson, SaysWhatTheDaemonIs) {
  EXPECT_EQ(status_json(test::small_snapshot()),
            R"({"version":"0.1.0","time":"2026-11-22T12:00:00.000Z","sessions":3,)"
            R"("backend":"fentry","mode":"audit","only_host_pids":[],"degraded":{}})");
}

TEST(SessionsTable, AtFullWidth) {
  EXPECT_EQ("\n" + sessions_table(test::small_snapshot(), 200), R"(
USER   TTY     FROM                    IDLE  LIMIT   LEFT  STATE    PROGRAM  LIMIT SET BY
bob    pts/11  2001:db8:1:2:3:4:5:6  10m10s    10m   -10s  expired  top      /etc/ssh/sshd_config.d/50-idle.conf:12
alice  pts/3   10.0.0.7               8m12s    10m  1m48s  active   vim      /etc/ssh/sshd_config:12
root   tty1    -                       1d2h   none      -  active   bash     -
3 sessions; mode audit (nothing is ended); input seen by fentry
)");
}

TEST(SessionsTable, At120Columns) {
  EXPECT_EQ("\n" + sessions_table(test::small_snapshot(), 120), R"(
USER   TTY     FROM                    IDLE  LIMIT   LEFT  STATE    PROGRAM  LIMIT SET BY
bob    pts/11  2001:db8:1:2:3:4:5:6  10m10s    10m   -10s  expired  top      /etc/ssh/sshd_config.d/50-idle.conf:12
alice  pts/3   10.0.0.7               8m12s    10m  1m48s  active   vim      /etc/ssh/sshd_config:12
root   tty1    -                       1d2h   none      -  active   bash     -
3 sessions; mode audit (nothing is ended); input seen by fentry
)");
}

TEST(SessionsTable, At80Columns) {
  EXPECT_EQ("\n" + sessions_table(test::small_snapshot(), 80), R"(
USER  TTY    FROM              IDLE LIMIT  LEFT STATE   PROGRAM LIMIT SET BY
bob   pts/11 2001:db8:1:2:3… 10m10s   10m  -10s expired top     …50-idle.conf:12
alice pts/3  10.0.0.7         8m12s   10m 1m48s active  vim     …/sshd_config:12
root  tty1   -                 1d2h  none     - active  bash    -
3 sessions; mode audit (nothing is ended); input seen by fentry
)");
}

TEST(SessionsTable, At40ColumnsLeavesTheLeastImportantOut) {
  EXPECT_EQ("\n" + sessions_table(test::small_snapshot(), 40), R"(
USER  TTY      IDLE LIMIT  LEFT STATE
bob   pts/11 10m10s   10m  -10s expired
alice pts/3   8m12s   10m 1m48s active
root  tty1     1d2h  none     - active
3 sessions; mode audit (nothing is ende…
)");
}

TEST(SessionsTable, InAsciiWhereTheTerminalHasNoMore) {
  Snapshot s = test::small_snapshot();
  s.sessions[0].session.user = "你好";
  const std::string table = sessions_table(s, 80, Charset::ascii);
  EXPECT_TRUE(std::ranges::all_of(table, [](char c) { return c > 0; })) << table;
  EXPECT_THAT(table, HasSubstr("~50-idle.conf:12\n??   pts/3  10.0.0.7 "));
}

int widest(const std::string& table) {
  std::size_t most = 0;
  for (const std::string& line : split(table, '\n')) {
    std::size_t characters = 0;
    for (const char c : line) characters += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    most = std::max(most, characters);
  }
  return static_cast<int>(most);
}

TEST(SessionsTable, NeverIsWiderThanAsked) {
  Snapshot s = test::small_snapshot();
  s.sessions.push_back(test::row_of(s, {.user = std::string(64, 'u'),
                                        .tty = std::string(64, 't'),
                                        .from = std::string(64, 'f'),
                                        .idle = 99999999s,
                                        .file = "/" + std::string(300, 'x'),
                                        .foreground = std::string(64, 'p')}));
  s.degraded["pins"] = std::string(300, 'd');
  for (int width = 1; width < 300; ++width) {
    EXPECT_LE(widest(sessions_table(s, width)), width);
  }
}

TEST(SessionsTable, CountsColumnsNotBytes) {
  Snapshot s = test::empty_snapshot();
  s.sessions.push_back(test::row_of(s, {.user = "Zoë"}));
  s.sessions.push_back(test::row_of(s, {.user = "你好"}));
  std::vector<std::string> lines = split(sessions_table(s, 120), '\n');
  EXPECT_THAT(lines[1], StartsWith("Zoë   pts/3"));
  EXPECT_THAT(lines[2], StartsWith("你好  pts/3"));
  // A combining accent takes no column.
  s.sessions[0].session.user = "Zoe\xcc\x88";
  lines = split(sessions_table(s, 120), '\n');
  EXPECT_THAT(lines[1], StartsWith("Zoe\xcc\x88   pts/3"));
}

TEST(SessionsTable, TellsTheTerminalsOfContainersFromTheHosts) {
  Snapshot s = test::empty_snapshot();
  s.sessions = {test::row_of(s, {.idle = 2s}), test::row_of(s, {.idle = 1s})};
  s.sessions[1].session.container = "web";
  EXPECT_EQ("\n" + sessions_table(s, 200), R"(
USER   TTY           FROM      IDLE  LIMIT   LEFT  STATE   PROGRAM  LIMIT SET BY
alice  pts/3         10.0.0.7    2s    10m  9m58s  active  vim      /etc/ssh/sshd_config:12
alice  pts/3 in web  10.0.0.7    1s    10m  9m59s  active  vim      /etc/ssh/sshd_config:12
2 sessions; mode audit (nothing is ended); input seen by fentry
)");
}

TEST(SessionsTable, SaysThatThereIsNothing) {
  EXPECT_EQ(sessions_table(test::empty_snapshot(), 80),
            "no sessions; mode audit (nothing is ended); input seen by fentry\n");
}

TEST(SessionsTable, SaysThatOnlySomeAreLookedAt) {
  Snapshot s = test::empty_snapshot();
  s.only_host_pids = {12, 345};
  EXPECT_EQ(sessions_table(s, 0),
            "no sessions; mode audit (nothing is ended); input seen by fentry; only logins through "
            "pid 12, 345\n");
  EXPECT_THAT(status_json(s), HasSubstr(R"("only_host_pids":[12,345])"));
}

TEST(SessionsTable, ShowsWhatIsDegraded) {
  Snapshot s = test::empty_snapshot();
  s.mode = Mode::enforce;
  s.degraded["pins"] = "bpffs is not mounted: input is forgotten over a restart";
  EXPECT_EQ(sessions_table(s, 0),
            "no sessions; mode enforce; input seen by fentry\n"
            "degraded: bpffs is not mounted: input is forgotten over a restart\n");
}

TEST(Hostile, TextNeverComesOutRaw) {
  const Snapshot s = hostile_snapshot();
  const std::string json = sessions_json(s);
  EXPECT_TRUE(test::is_clean(json, false)) << json;
  EXPECT_THAT(nlohmann::json::parse(json)["sessions"][0]["user"].get<std::string>(),
              StartsWith("\\x1b]0;owned\\x07"));
  EXPECT_TRUE(test::is_clean(status_json(s), false));
  EXPECT_NO_THROW({ auto parsed = nlohmann::json::parse(status_json(s)); });
  for (const int width : {0, 20, 80, 200}) {
    const std::string table = sessions_table(s, width);
    EXPECT_TRUE(test::is_clean(table, true)) << table;
    EXPECT_EQ(std::ranges::count(table, '\n'), 4) << table;
  }
  EXPECT_TRUE(test::is_clean(metrics_text(s), true));
}

}  // namespace
}  // namespace idlewarden

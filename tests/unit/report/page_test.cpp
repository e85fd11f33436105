// SPDX-License-Identifier: Apache-2.0
// The status page as text, and who gets it from the server. page_browser_test.cpp looks at it.
#include "report/page.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "report/render.h"
#include "report/server.h"
#include "samples.h"
#include "sockets.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using namespace std::chrono_literals;
using test::connect_tcp;
using test::read_all;
using test::send_all;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const PageContext kContext{.host = "web01", .nonce = "n0nce", .query = ""};

std::string page_of(const Snapshot& snapshot, const std::vector<Event>& events = {}) {
  return status_page(snapshot, events, kContext);
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(StatusPage, ShowsSessionsWhatComesNextAndWhy) {
  Snapshot s = test::small_snapshot();
  test::change_verdict(s.sessions[0], [](Verdict& v) { v.sources[0].reason = "5m x 2"; });
  const std::string page = page_of(s);
  for (const char* part :
       {"<title>web01: 3 sessions", "on web01", "audit: sessions are reported, none is ended",
        "Everything is well", "<dd>fentry</dd>", "What would end next",
        "<b>alice</b> on pts/3 in <b>1m48s</b>", "1 session is beyond the limit",
        "idle 8m12s of 10m", "10m: ClientAliveInterval, 5m x 2<small>/etc/ssh/sshd_config:12",
        "10s over", "nothing limits it", "ssh from 2001:db8:1:2:3:4:5:6", "width=\"82\""}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
  EXPECT_LT(page.find(">bob<"), page.rfind(">alice<")) << "what comes next does not stand first";
  s.mode = Mode::enforce;
  EXPECT_THAT(page_of(s), AllOf(HasSubstr("What ends next"), Not(HasSubstr("none is ended"))));
}

TEST(StatusPage, SaysWhoseWordALimitIs) {
  Snapshot s = test::empty_snapshot();
  s.sessions.push_back(test::row_of(s, {}));
  SessionRow& row = s.sessions[0];
  test::change_verdict(row, [](Verdict& v) {
    v.rule = "build <hosts>";
    v.decided_by = Origin::rule;
    v.sources[0].origin = Origin::rule;
  });
  EXPECT_THAT(page_of(s), HasSubstr("10m: rule &quot;build &lt;hosts&gt;&quot;<small>"));
  row.limit = Seconds(14400);
  row.left = Seconds(14400);
  EXPECT_THAT(page_of(s), HasSubstr("4h: job_limit of rule &quot;build"));
  test::change_verdict(row, [](Verdict& v) { v.max_session = Seconds(43200); });
  row.left = Seconds(60);
  EXPECT_THAT(page_of(s), HasSubstr("12h in all: max_session of rule &quot;build"));
}

TEST(StatusPage, ShowsWhatIsWrong) {
  Snapshot s = test::empty_snapshot();
  s.degraded["pins"] = "bpffs is not mounted";
  s.degraded["kernel"] = "";
  s.counters.last_reload_failed = true;
  EXPECT_THAT(page_of(s), AllOf(HasSubstr("Degraded: 2 reasons"), HasSubstr("bpffs is not mounted"),
                                HasSubstr("<li>kernel</li>"), Not(HasSubstr("Everything is well")),
                                HasSubstr("5m ago; the last reading was rejected")));
}

TEST(StatusPage, ShowsNothingWhereThereIsNothing) {
  EXPECT_THAT(page_of(test::empty_snapshot()),
              AllOf(HasSubstr("Nobody is logged in"), HasSubstr("no session has a limit"),
                    HasSubstr("None since the daemon was started"), Not(HasSubstr("<table"))));
}

TEST(StatusPage, ShowsTheNewestEventsFirst) {
  std::vector<Event> events;
  for (int i = 0; i < 30; ++i) {
    Event event = test::sample_event(EventType::warned);
    event.user = "user" + std::to_string(i) + ".";
    events.push_back(event);
  }
  const std::string page = page_of(test::empty_snapshot(), events);
  EXPECT_EQ(count(page, "<span class=\"what\">warned"), 20U);
  EXPECT_LT(page.find("user29."), page.find("user28."));
  EXPECT_THAT(page, Not(HasSubstr("user9.")));
}

TEST(StatusPage, EscapesWhatOthersChose) {
  const std::string evil = "</td><script>alert(1)</script>\"'&" + test::kHostile;
  Snapshot s = test::empty_snapshot();
  s.version = evil;
  s.degraded[evil] = evil;
  s.degraded["second"] = "";
  s.sessions.push_back(
      test::row_of(s, {.user = evil, .tty = evil, .from = evil, .file = evil, .foreground = evil}));
  test::change_verdict(s.sessions[0], [&](Verdict& v) {
    v.rule = v.sources[0].directive = v.sources[0].reason = evil;
  });
  s.sessions[0].session.container = evil;
  std::vector<Event> events;
  for (const EventInfo& info : all_events()) {
    events.push_back(test::hostile_event(info.type));
    events.back().user = events.back().detail = evil;
  }
  const std::string page =
      status_page(s, events, {.host = evil, .nonce = "n0nce", .query = "?token=\"><script>"});
  // Its own style and script, and nothing else that begins like one.
  EXPECT_EQ(count(page, "<script"), 1U);
  EXPECT_EQ(count(page, "</script"), 1U);
  EXPECT_EQ(count(page, "<style nonce="), 1U);
  EXPECT_THAT(page, Not(HasSubstr("alert(1)</")));
  EXPECT_TRUE(test::is_clean(page, true));
  // Every tag is one of the page's own.
  static const std::regex kTag("<(/?)([a-z0-9!]+)");
  for (std::sregex_iterator it(page.begin(), page.end(), kTag), end; it != end; ++it) {
    EXPECT_THAT(
        std::string("!doctype html head meta title link style body a header h1 span div time "
                    "button main section p i ul li dl dt dd ol h2 b table caption thead tr "
                    "th td tbody small svg rect footer script "),
        HasSubstr((*it)[2].str() + " "));
  }
}

TEST(StatusPage, NeedsNothingElse) {
  const std::string page = page_of(test::small_snapshot());
  EXPECT_THAT(page, Not(HasSubstr("http:")));
  EXPECT_THAT(page, Not(HasSubstr("https:")));
  EXPECT_THAT(page, Not(HasSubstr("src=")));
  EXPECT_THAT(page, Not(HasSubstr("style=")));  // which the policy would refuse
  EXPECT_THAT(page, Not(HasSubstr("url(")));
  EXPECT_THAT(page, Not(HasSubstr("@import")));
  EXPECT_EQ(count(page, "nonce=\"n0nce\""), 2U);
  const std::string policy = page_policy("n0nce");
  EXPECT_THAT(policy,
              AllOf(StartsWith("default-src 'none'; "), HasSubstr("script-src 'nonce-n0nce'"),
                    HasSubstr("frame-ancestors 'none'"), Not(HasSubstr("unsafe"))));
}

TEST(StatusPage, StaysBounded) {
  Snapshot s = test::empty_snapshot();
  for (int i = 0; i < 5000; ++i) {
    s.sessions.push_back(test::row_of(s, {.user = "u" + std::to_string(i), .leader = i + 1}));
  }
  const std::string page = page_of(s);
  EXPECT_LT(page.size(), 300'000U);
  EXPECT_THAT(page, HasSubstr("and 4800 more"));
}

class PageServer : public ::testing::Test {
 protected:
  void SetUp() override {
    reporter_ = Reporter::open({}).value();
    server_ = serve_metrics(
                  "127.0.0.1:0", [this]() -> Result<Snapshot> { return snapshot_; }, *reporter_)
                  .value();
  }
  // With these header lines.
  std::string ask(const std::string& target, const std::string& headers = "Host: localhost\r\n") {
    const auto client = connect_tcp(server_->address());
    send_all(client, "GET " + target + " HTTP/1.1\r\n" + headers + "\r\n");
    return read_all(client, 5s);
  }

  test::TempDir dir_;
  Snapshot snapshot_ = test::small_snapshot();
  std::unique_ptr<Reporter> reporter_;
  std::unique_ptr<Server> server_;
};

TEST_F(PageServer, ServesThePageAndItsApi) {
  const std::string page = ask("/");
  EXPECT_THAT(page, AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("Content-Type: text/html"),
                          HasSubstr("alice"), EndsWith("</html>\n")));
  EXPECT_THAT(ask("/api/v1/sessions"), AllOf(HasSubstr("Content-Type: application/json"),
                                             EndsWith(sessions_json(snapshot_) + "\n")));
  EXPECT_THAT(ask("/api/v1/status"), EndsWith(status_json(snapshot_) + "\n"));
  EXPECT_THAT(ask("/api/v1/events"), HasSubstr("Content-Type: application/x-ndjson"));
  for (const char* target : {"/", "/api/v1/sessions", "/api/v1/events", "/metrics", "/none"}) {
    EXPECT_THAT(ask(target), AllOf(HasSubstr("\r\nCache-Control: no-store\r\n"),
                                   HasSubstr("\r\nX-Content-Type-Options: nosniff\r\n"),
                                   HasSubstr("\r\nCross-Origin-Resource-Policy: same-origin\r\n"),
                                   HasSubstr("\r\nReferrer-Policy: no-referrer\r\n")));
  }
}

TEST_F(PageServer, EveryAnswerHasANonceOfItsOwn) {
  static const std::regex kNonce("script-src 'nonce-([0-9a-f]{32})'");
  std::set<std::string> seen;
  for (int i = 0; i < 20; ++i) {
    const std::string answer = ask("/");
    std::smatch found;
    ASSERT_TRUE(std::regex_search(answer, found, kNonce)) << answer.substr(0, 800);
    EXPECT_EQ(count(answer, "nonce=\"" + found[1].str() + "\""), 2U);
    seen.insert(found[1]);
  }
  EXPECT_EQ(seen.size(), 20U);
}

TEST_F(PageServer, AForeignPageLearnsNothing) {
  snapshot_.per_session_metrics = true;
  for (const char* headers : {"Host: evil.example\r\n", "Host: evil.example:9477\r\n", "",
                              "Host: localhost\r\nHost: evil.example\r\n"}) {
    for (const char* target : {"/", "/api/v1/sessions", "/api/v1/status", "/api/v1/events"}) {
      EXPECT_THAT(ask(target, headers),
                  AllOf(StartsWith("HTTP/1.1 421 "), Not(HasSubstr("alice"))));
    }
    EXPECT_THAT(ask("/metrics", headers),
                AllOf(StartsWith("HTTP/1.1 200 "), Not(HasSubstr("alice"))));
  }
  EXPECT_THAT(ask("/metrics"), HasSubstr("user=\"alice\""));
}

TEST_F(PageServer, AProxyNeedsTheToken) {
  for (const char* header : {"X-Forwarded-For: 192.0.2.9", "Forwarded: for=192.0.2.9", "Via: 1.1 a",
                             "X-Real-IP: 192.0.2.9", "X-Forwarded-Host: a.example"}) {
    const std::string headers = std::string("Host: localhost\r\n") + header + "\r\n";
    EXPECT_THAT(ask("/", headers), StartsWith("HTTP/1.1 403 "));
  }
}

TEST_F(PageServer, ATokenIsAskedForAndTaken) {
  const std::string token = "0123456789abcdef0123456789abcdef";
  snapshot_.page = StatusPage::token;
  snapshot_.token_file = dir_.file("token", token, 0600);
  EXPECT_THAT(ask("/"),
              AllOf(StartsWith("HTTP/1.1 401 "), HasSubstr("WWW-Authenticate: Bearer\r\n"),
                    HasSubstr("/metrics"), Not(HasSubstr("alice"))));
  EXPECT_THAT(ask("/api/v1/sessions"), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(ask("/", "Host: a.example\r\nAuthorization: Bearer " + token + "\r\n"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("alice"),
                    HasSubstr("href=\"/api/v1/sessions\"")));
  EXPECT_THAT(ask("/?token=" + token), AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("alice"),
                                             HasSubstr("href=\"/api/v1/sessions?token=" + token)));
  EXPECT_THAT(ask("/?token=" + token + "x"), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(ask("/metrics"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(PageServer, CanBeSwitchedOff) {
  snapshot_.page = StatusPage::off;
  EXPECT_THAT(ask("/"), AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("text/plain"),
                              HasSubstr("/metrics"), Not(HasSubstr("alice"))));
  for (const char* target : {"/api/v1/sessions", "/api/v1/status", "/api/v1/events"}) {
    EXPECT_THAT(ask(target), AllOf(StartsWith("HTTP/1.1 404 "), Not(HasSubstr("alice"))));
  }
  EXPECT_THAT(ask("/metrics"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(PageServer, OnlyReads) {
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    for (const char* target : {"/", "/api/v1/sessions"}) {
      const auto client = connect_tcp(server_->address());
      send_all(client, std::string(method) + " " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
      EXPECT_THAT(read_all(client, 5s), Not(HasSubstr("200 OK"))) << method;
    }
  }
}

}  // namespace
}  // namespace idlewarden

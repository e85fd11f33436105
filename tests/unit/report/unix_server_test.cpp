// SPDX-License-Identifier: Apache-2.0
// The daemon's socket and its client, over a real unix socket.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "report/client.h"
#include "report/listen.h"
#include "report/render.h"
#include "report/server.h"
#include "report/what_if.h"
#include "samples.h"
#include "sockets.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using namespace std::chrono_literals;
using test::since;
using test::TestClock;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class UnixServer : public ::testing::Test {
 protected:
  void SetUp() override {
    ::testing::internal::CaptureStderr();
    auto reporter = Reporter::open({});
    ASSERT_TRUE(reporter.has_value());
    reporter_ = std::move(*reporter);
  }
  void TearDown() override {
    server_.reset();
    ::testing::internal::GetCapturedStderr();
  }

  Result<std::unique_ptr<Server>> serve() {
    return serve_unix(
        path_, [this]() -> Result<Snapshot> { return snapshot_; }, *reporter_,
        [this]() -> Result<IdleGaps> { return gaps_; });
  }
  void start() {
    auto server = serve();
    ASSERT_TRUE(server.has_value()) << server.error().text();
    server_ = std::move(*server);
  }
  unsigned mode_of(const std::string& path) const {
    struct stat st {};
    EXPECT_EQ(::stat(path.c_str(), &st), 0) << path;
    return st.st_mode & 07777U;
  }

  test::TempDir dir_;
  std::string path_ = dir_.path() + "/run/idlewarden.sock";
  Snapshot snapshot_ = test::small_snapshot();
  IdleGaps gaps_{test::noon()};
  std::unique_ptr<Reporter> reporter_;
  std::unique_ptr<Server> server_;
};

TEST_F(UnixServer, AnswersItsPaths) {
  start();
  EXPECT_EQ(server_->address(), path_);
  EXPECT_EQ(fetch_unix(path_, "/v1/sessions"), sessions_json(snapshot_) + "\n");
  EXPECT_EQ(fetch_unix(path_, "/v1/status"), status_json(snapshot_) + "\n");
  EXPECT_EQ(fetch_unix(path_, "/v1/sessions.txt?width=80"), sessions_table(snapshot_, 80));
  EXPECT_EQ(fetch_unix(path_, "/v1/sessions.txt"), sessions_table(snapshot_, 0));
  EXPECT_EQ(fetch_unix(path_, "/healthz"), "ok\n");
  EXPECT_THAT(fetch_unix(path_, "/metrics").value_or(""), HasSubstr("idlewarden_build_info"));
  EXPECT_EQ(fetch_unix(path_, "/v1/events"), "");
}

TEST_F(UnixServer, TellsWhatOtherLimitsWouldHaveDone) {
  start();
  const WhatIf usual = what_if(gaps_, *what_if_limits(""));
  EXPECT_EQ(fetch_unix(path_, "/v1/idle-gaps"), what_if_json(usual) + "\n");
  EXPECT_EQ(fetch_unix(path_, "/v1/idle-gaps.txt"), what_if_text(usual, kUsersShown));
  EXPECT_EQ(
      fetch_unix(path_, "/v1/idle-gaps?limits=7m,20s"),
      what_if_json(what_if(gaps_, {std::chrono::seconds(20), std::chrono::minutes(7)})) + "\n");
  EXPECT_THAT(fetch_unix(path_, "/v1/idle-gaps?limits=1s").error().text(),
              HasSubstr("400: 1s is too short"));
}

TEST_F(UnixServer, IsForItsOwnerAloneWhateverTheUmask) {
  for (const mode_t mask : {0, 022, 077}) {
    std::filesystem::remove_all(dir_.path() + "/run");
    const mode_t before = ::umask(mask);
    start();
    ::umask(before);
    EXPECT_EQ(mode_of(path_), 0600U);
    EXPECT_EQ(mode_of(dir_.path() + "/run"), 0755U);
    server_.reset();
    EXPECT_FALSE(std::filesystem::exists(path_));
  }
}

TEST_F(UnixServer, LeavesAFolderThatIsThereAlone) {
  std::filesystem::create_directory(dir_.path() + "/run");
  ASSERT_EQ(::chmod((dir_.path() + "/run").c_str(), 0711), 0);
  start();
  EXPECT_EQ(mode_of(dir_.path() + "/run"), 0711U);
}

TEST_F(UnixServer, ReplacesAStaleSocket) {
  std::filesystem::create_directory(dir_.path() + "/run");
  {
    const UniqueFd stale(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(stale.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(path_));
  start();
  EXPECT_EQ(fetch_unix(path_, "/healthz"), "ok\n");
}

TEST_F(UnixServer, LeavesALiveSocketAlone) {
  start();
  const auto second = serve();
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().text(), HasSubstr("another daemon answers on " + path_));
  EXPECT_EQ(fetch_unix(path_, "/healthz"), "ok\n");
}

TEST_F(UnixServer, LeavesAFileThatIsNoSocketAlone) {
  dir_.file("run/idlewarden.sock", "precious");
  const auto server = serve();
  ASSERT_FALSE(server.has_value());
  EXPECT_THAT(server.error().text(), HasSubstr(path_ + " exists and is no socket"));
  EXPECT_TRUE(std::filesystem::is_regular_file(path_));
}

TEST_F(UnixServer, RefusesAPathThatIsTooLong) {
  path_ = dir_.path() + "/" + std::string(120, 'x');
  EXPECT_THAT(serve().error().text(), HasSubstr("1 to 107 bytes long"));
}

TEST_F(UnixServer, DoesNotRemoveASuccessorsSocket) {
  start();
  std::filesystem::remove(path_);
  auto successor = serve();
  ASSERT_TRUE(successor.has_value());
  server_.reset();
  EXPECT_EQ(fetch_unix(path_, "/healthz"), "ok\n");
}

TEST_F(UnixServer, ShowsTheLastEvents) {
  start();
  const Event e = test::sample_event(EventType::warned);
  reporter_->emit(e);
  reporter_->emit(e);
  EXPECT_EQ(fetch_unix(path_, "/v1/events"), to_json_line(e) + "\n" + to_json_line(e) + "\n");
  std::vector<std::string> lines;
  const auto all =
      follow_unix(path_, "/v1/events?follow=0&format=text", [&](std::string_view line) {
        lines.emplace_back(line);
        return true;
      });
  EXPECT_TRUE(all.has_value()) << all.error().text();
  EXPECT_EQ(lines, std::vector<std::string>(2, "2026-11-22T12:00:00.000Z " + to_human_line(e)));
}

TEST_F(UnixServer, StreamsEventsAsTheyHappen) {
  start();
  reporter_->emit(test::sample_event(EventType::session_started));  // before: not shown
  std::vector<std::string> seen;
  std::atomic<bool> done = false;
  std::jthread follower([&] {
    const auto result = follow_unix(path_, "/v1/events?follow=1", [&](std::string_view line) {
      seen.emplace_back(line);
      return seen.size() < 3;
    });
    EXPECT_TRUE(result.has_value()) << result.error().text();
    done = true;
  });
  // Events that come before the follower is there are not for it: go on until it has three.
  const auto start = TestClock::now();
  while (!done && since(start) < 10s) {
    reporter_->emit(test::sample_event(EventType::warned));
    std::this_thread::sleep_for(10ms);
  }
  follower.join();
  ASSERT_EQ(seen.size(), 3U);
  for (const std::string& line : seen) {
    EXPECT_EQ(line, to_json_line(test::sample_event(EventType::warned)));
  }
}

TEST_F(UnixServer, AFollowerMissesNothingOfABurst) {
  start();
  std::vector<int> seen;
  std::atomic<bool> done = false;
  std::jthread follower([&] {
    const auto result = follow_unix(path_, "/v1/events?follow=1", [&](std::string_view line) {
      const auto detail = nlohmann::json::parse(line)["detail"];
      if (detail.is_string())
        seen.push_back(std::stoi(detail.get<std::string>()));
      else
        done = true;  // the first one: it is listening
      return seen.size() < 500;
    });
    EXPECT_TRUE(result.has_value()) << result.error().text();
  });
  const auto start = TestClock::now();
  while (!done && since(start) < 10s) {
    reporter_->emit(test::sample_event(EventType::warned));
    std::this_thread::sleep_for(10ms);
  }
  for (int i = 0; i < 500; ++i) {
    Event e = test::sample_event(EventType::terminated);
    e.detail = std::to_string(i);
    reporter_->emit(e);
  }
  follower.join();
  ASSERT_EQ(seen.size(), 500U);
  for (int i = 0; i < 500; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
}

TEST_F(UnixServer, StopsWithinTwoSecondsUnderStreamsAndSilence) {
  start();
  std::vector<std::jthread> followers;
  std::atomic<int> ended = 0;
  for (int i = 0; i < 10; ++i) {
    followers.emplace_back([&] {
      const auto result =
          follow_unix(path_, "/v1/events?follow=1", [](std::string_view) { return true; });
      EXPECT_FALSE(result.has_value());
      EXPECT_THAT(result.error().text(), HasSubstr("has ended the stream"));
      ++ended;
    });
  }
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 10; ++i) silent.push_back(std::move(*connect_unix(path_)));
  std::this_thread::sleep_for(200ms);
  const auto start = TestClock::now();
  server_.reset();
  EXPECT_LT(since(start), 2s);
  for (std::jthread& follower : followers) follower.join();
  EXPECT_EQ(ended, 10);
}

TEST_F(UnixServer, AFollowerThatIsGoneIsForgotten) {
  start();
  for (int i = 0; i < 48; ++i) {  // more than there are places
    const auto client = connect_unix(path_);
    ASSERT_TRUE(client.has_value());
    test::send_all(*client, "GET /v1/events?follow=1 HTTP/1.1\r\n\r\n");
    pollfd answer{.fd = client->get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&answer, 1, 10'000), 1);
    EXPECT_THAT(test::read_all(*client, 10ms), StartsWith("HTTP/1.1 200 OK"));
    if (i % 24 == 23) std::this_thread::sleep_for(1500ms);
  }
  EXPECT_EQ(fetch_unix(path_, "/healthz"), "ok\n");
}

TEST(Client, SaysHowToStartTheDaemon) {
  const auto nothing = fetch_unix("/nonexistent/idlewarden.sock", "/v1/sessions");
  ASSERT_FALSE(nothing.has_value());
  EXPECT_EQ(nothing.error().code, ENOENT);
  EXPECT_EQ(nothing.error().text(),
            "cannot reach the daemon at /nonexistent/idlewarden.sock: No such file or directory "
            "(is it running? `systemctl start idlewarden`)");
  const auto follow = follow_unix("/nonexistent/idlewarden.sock", "/v1/events?follow=1",
                                  [](std::string_view) { return true; });
  EXPECT_EQ(follow.error().code, ENOENT);
}

TEST(Client, SaysWhatIsWrongWithASocketsPath) {
  const auto empty = fetch_unix("", "/v1/sessions");
  ASSERT_FALSE(empty.has_value());
  EXPECT_EQ(empty.error().text(),
            "cannot reach the daemon: \"\" cannot be a socket's path (1 to 107 bytes long)");
  const auto longer = fetch_unix("/" + std::string(200, 'x'), "/v1/sessions");
  ASSERT_FALSE(longer.has_value());
  EXPECT_EQ(longer.error().code, 0);
  EXPECT_EQ(longer.error().hint, "1 to 107 bytes long");
}

TEST_F(UnixServer, ExplainsOneSession) {
  snapshot_ = test::small_snapshot();
  start();
  const auto text = fetch_unix(path_, "/v1/sessions/" + percent_encoded("pts/11") + "?format=text");
  ASSERT_TRUE(text) << text.error().text();
  EXPECT_EQ(*text, explain_session_text(snapshot_.sessions[2]) + "\n");
  const auto json = fetch_unix(path_, "/v1/sessions/901");
  ASSERT_TRUE(json) << json.error().text();
  EXPECT_EQ(nlohmann::json::parse(*json)["session"]["tty"], "pts/11");
  const auto unknown = fetch_unix(path_, "/v1/sessions/" + percent_encoded("a b?c#d%"));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ESRCH);
  EXPECT_THAT(unknown.error().what, StartsWith("no session is called \"a b?c#d"));
}

TEST_F(UnixServer, TheClientRepeatsTheDaemonsWords) {
  auto server = serve_unix(
      path_, []() -> Result<Snapshot> { return fail("the loop did not answer within 2 s"); },
      *reporter_, []() -> Result<IdleGaps> { return fail("the loop did not answer within 2 s"); });
  ASSERT_TRUE(server.has_value());
  EXPECT_EQ(fetch_unix(path_, "/v1/sessions").error().text(),
            "the daemon answered 503: the loop did not answer within 2 s");
  EXPECT_THAT(fetch_unix(path_, "/v1/nothing").error().text(),
              StartsWith("the daemon answered 404"));
  EXPECT_THAT(
      follow_unix(path_, "/v1/nothing", [](std::string_view) { return true; }).error().text(),
      StartsWith("the daemon answered 404"));
}

}  // namespace
}  // namespace idlewarden

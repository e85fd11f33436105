// SPDX-License-Identifier: Apache-2.0
#include "report/reporter.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/text.h"
#include "base/unique_fd.h"
#include "samples.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

std::string content(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

Event numbered(int n) {
  Event e = test::sample_event(EventType::warned);
  e.detail = std::to_string(n);
  return e;
}

std::unique_ptr<Reporter> open_reporter(const ReporterOptions& options) {
  auto reporter = Reporter::open(options);
  EXPECT_TRUE(reporter.has_value()) << reporter.error().text();
  return std::move(*reporter);
}

TEST(Log, HumanLinesWithoutColourWhereNoTerminalIs) {
  CaptureStderr();
  const auto reporter = open_reporter({});
  reporter->emit(test::sample_event(EventType::terminate_failed));
  reporter->info("ready");
  const std::string log = GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr(" error could not end alice on pts/3 (ssh from 10.0.0.7): idle 10m"));
  EXPECT_THAT(log, HasSubstr(" info ready\n"));
  EXPECT_EQ(log.find('\x1b'), std::string::npos);
}

TEST(Log, JsonLinesAreAllObjects) {
  CaptureStderr();
  const auto reporter = open_reporter({.format = LogFormat::json, .events_file = {}});
  reporter->emit(test::hostile_event(EventType::held));
  reporter->warning("two\nlines \x1b[31m");
  std::istringstream log(GetCapturedStderr());
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(log, line);) lines.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["event"], "held");
  EXPECT_EQ(lines[1]["level"], "warning");
  EXPECT_EQ(lines[1]["message"], "two\\x0alines \\x1b[31m");
}

TEST(Log, HostileTextStaysOnItsLine) {
  CaptureStderr();
  const auto reporter = open_reporter({});
  reporter->emit(test::hostile_event(EventType::terminated));
  reporter->error(test::kHostile);
  const std::string log = GetCapturedStderr();
  EXPECT_TRUE(test::is_clean(log, true)) << log;
  EXPECT_EQ(std::ranges::count(log, '\n'), 2);
}

TEST(EventsFile, GetsOneLineAnEventAndIsNotForEverybody) {
  const test::TempDir dir;
  const std::string path = dir.path() + "/events.jsonl";
  CaptureStderr();
  const auto reporter = open_reporter({.events_file = path});
  reporter->emit(numbered(1));
  reporter->emit(numbered(2));
  GetCapturedStderr();
  EXPECT_EQ(content(path), to_json_line(numbered(1)) + "\n" + to_json_line(numbered(2)) + "\n");
  struct stat st {};
  ASSERT_EQ(::stat(path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0027U, 0U);
}

TEST(EventsFile, FollowsRotation) {
  const test::TempDir dir;
  const std::string path = dir.path() + "/events.jsonl";
  CaptureStderr();
  const auto reporter = open_reporter({.events_file = path});
  reporter->emit(numbered(1));
  std::filesystem::rename(path, path + ".1");
  reporter->emit(numbered(2));
  std::filesystem::remove(path);
  reporter->emit(numbered(3));
  GetCapturedStderr();
  EXPECT_EQ(content(path + ".1"), to_json_line(numbered(1)) + "\n");
  EXPECT_EQ(content(path), to_json_line(numbered(3)) + "\n");
  EXPECT_EQ(reporter->dropped_events(), 0U);
}

TEST(EventsFile, ThatCannotBeOpenedIsAnError) {
  const auto reporter = Reporter::open({.events_file = "/nonexistent/events.jsonl"});
  ASSERT_FALSE(reporter.has_value());
  EXPECT_THAT(reporter.error().text(), HasSubstr("/nonexistent/events.jsonl"));
  EXPECT_EQ(reporter.error().code, ENOENT);
}

TEST(EventsFile, AFifoThatNobodyReadsDoesNotBlock) {
  const test::TempDir dir;
  const std::string path = dir.path() + "/fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_FALSE(Reporter::open({.events_file = path}).has_value());
}

// RLIMIT_FSIZE stands in for a full disk: write(2) fails, or writes a part only.
class SmallFiles {
 public:
  explicit SmallFiles(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    previous_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallFiles() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, previous_);
  }

 private:
  rlimit before_{};
  void (*previous_)(int) = nullptr;
};

TEST(EventsFile, AFullDiskIsCountedSaidOnceAndRecoveredFrom) {
  const test::TempDir dir;
  const std::string path = dir.path() + "/events.jsonl";
  const std::string first = to_json_line(numbered(1)) + "\n";
  // The log goes to a pipe: a captured file would be bounded too.
  int pipe_ends[2];
  ASSERT_EQ(::pipe2(pipe_ends, O_NONBLOCK), 0);
  const UniqueFd reading(pipe_ends[0]);
  UniqueFd writing(pipe_ends[1]);
  UniqueFd stderr_before(::dup(STDERR_FILENO));
  ::dup2(writing.get(), STDERR_FILENO);
  const auto reporter = open_reporter({.events_file = path});
  reporter->emit(numbered(1));
  {
    const SmallFiles full(first.size() + 10);
    reporter->emit(numbered(2));
    reporter->emit(numbered(3));
    reporter->emit(numbered(4));
  }
  reporter->emit(numbered(5));
  ::dup2(stderr_before.get(), STDERR_FILENO);

  EXPECT_EQ(reporter->dropped_events(), 3U);
  // The torn line is closed; what follows it is whole.
  EXPECT_EQ(content(path), first + to_json_line(numbered(2)).substr(0, 10) + "\n" +
                               to_json_line(numbered(5)) + "\n");
  std::string log(65536, '\0');
  log.resize(static_cast<std::size_t>(::read(reading.get(), log.data(), log.size())));
  int failures = 0;
  for (const std::string& line : split(log, '\n')) {
    if (line.find("events are lost there") != std::string::npos) ++failures;
  }
  EXPECT_EQ(failures, 1) << log;
  EXPECT_THAT(log, HasSubstr("the events file works again; 3 events were lost there"));
}

TEST(EventsFile, KnowsWhatAnEarlierRunHasTold) {
  const test::TempDir dir;
  const std::string path = dir.path() + "/events";
  Event ended = test::sample_event(EventType::terminated);
  ended.session = "4711-100";
  ended.detail = "\"session\":\"4712-100\"";
  open_reporter({.events_file = path})->emit(ended);
  const auto next = open_reporter({.events_file = path});
  EXPECT_TRUE(next->has_told(EventType::terminated, "4711-100"));
  EXPECT_FALSE(next->has_told(EventType::terminated, "4711-10"));
  EXPECT_FALSE(next->has_told(EventType::terminated, "4712-100"));
  EXPECT_FALSE(next->has_told(EventType::warned, "4711-100"));
  EXPECT_FALSE(open_reporter({})->has_told(EventType::terminated, "4711-100"));
}

TEST(Followers, GetWhatCameAfterTheirNumber) {
  CaptureStderr();
  const auto reporter = open_reporter({});
  EXPECT_EQ(reporter->latest(), 0U);
  for (int i = 1; i <= 3; ++i) reporter->emit(numbered(i));
  GetCapturedStderr();
  const auto batch = reporter->wait_after(1, 0ms);
  EXPECT_EQ(batch.next, 3U);
  ASSERT_EQ(batch.events.size(), 2U);
  EXPECT_EQ(batch.events[0].detail, "2");
  EXPECT_EQ(batch.events[1].detail, "3");
  const auto nothing = reporter->wait_after(3, 1ms);
  EXPECT_TRUE(nothing.events.empty());
  EXPECT_EQ(nothing.next, 3U);
  EXPECT_EQ(reporter->wait_after(99, 1ms).next, 3U);  // a number of an earlier run
}

TEST(Followers, GetTheLast1024) {
  CaptureStderr();
  const auto reporter = open_reporter({});
  for (int i = 1; i <= 1500; ++i) reporter->emit(numbered(i));
  GetCapturedStderr();
  const auto batch = reporter->wait_after(0, 0ms);
  ASSERT_EQ(batch.events.size(), 1024U);
  EXPECT_EQ(batch.events.front().detail, "477");
  EXPECT_EQ(batch.events.back().detail, "1500");
}

TEST(Followers, OnOtherThreadsMissNothing) {
  CaptureStderr();
  const auto reporter = open_reporter({});
  constexpr int kEvents = 500;
  std::vector<std::size_t> seen(4);
  {
    std::vector<std::jthread> followers;
    for (std::size_t& count : seen) {
      followers.emplace_back([&count, &reporter] {
        std::uint64_t at = 0;
        while (at < kEvents) {
          const auto batch = reporter->wait_after(at, 5s);
          if (batch.events.empty()) return;
          count += batch.events.size();
          at = batch.next;
        }
      });
    }
    for (int i = 1; i <= kEvents; ++i) reporter->emit(numbered(i));
  }
  GetCapturedStderr();
  for (const std::size_t count : seen) EXPECT_EQ(count, kEvents);
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "daemon/gap_recorder.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "report/idle_gaps_file.h"
#include "report/what_if.h"
#include "support/no_descriptors.h"
#include "support/temp_dir.h"
#include "unit/report/gap_sessions.h"

namespace idlewarden {
namespace {

using namespace std::chrono_literals;
using test::GapHost;

constexpr BootTime kStart{Seconds(100'000)};

class FakeClock final : public Clock {
 public:
  BootTime now() const override { return kStart + Seconds(seconds); }
  WallTime wall() const override { return WallTime(Seconds(1'795'000'000 + seconds)); }
  std::int64_t seconds = 0;
};

class GapRecorderTest : public testing::Test {
 protected:
  void start(const std::string& boot_id = "this") {
    recorder_ = std::make_unique<GapRecorder>(
        state_, boot_id, clock_, clock_.now(),
        [this](const std::string& sentence) { told_.push_back(sentence); });
  }
  void stop() {
    recorder_->finish();
    recorder_.reset();
  }
  void look(std::int64_t seconds) {
    clock_.seconds = seconds;
    recorder_->look(clock_.now(), 60s, host_.all());
  }
  void looks(std::int64_t from, std::int64_t to) {
    for (std::int64_t t = from; t <= to; t += 2) look(t);
  }
  std::string file() const { return state_ + "/" + kIdleGapsFile; }
  // Until the write that is under way has ended and was heard of.
  template <class Done>
  bool within_5s(Done done) {
    const auto until = std::chrono::steady_clock::now() + 5s;
    while (!done()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(5ms);
      look(clock_.seconds);
    }
    return true;
  }
  std::uint64_t ended(Seconds limit) const {
    return what_if(recorder_->gaps(), {limit}).limits[0].ended;
  }

  test::TempDir dir_;
  std::string state_ = dir_.path() + "/state";
  FakeClock clock_;
  GapHost host_;
  std::vector<std::string> told_;
  std::unique_ptr<GapRecorder> recorder_;
};

TEST_F(GapRecorderTest, KeepsEverythingOverARestart) {
  start();
  host_.log_in(1, "alice", kStart);
  looks(0, 200);
  recorder_->ended_one();
  stop();
  struct stat st {};
  ASSERT_EQ(::stat(file().c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777U, 0600U);

  clock_.seconds = 260;
  start();
  looks(260, 300);
  EXPECT_EQ(ended(5min), 1U);
  const WhatIf now = what_if(recorder_->gaps(), {5min});
  EXPECT_EQ(now.sessions, 1U);
  EXPECT_EQ(now.ended_by_us, 1U);
  EXPECT_EQ(now.not_watched, 60s);
  EXPECT_EQ(now.since, WallTime(Seconds(1'795'000'000)));
  stop();
  for (const std::string& sentence : told_) EXPECT_EQ(sentence, "");
}

TEST_F(GapRecorderTest, AnotherBootClosesWhatWasOpen) {
  start();
  host_.log_in(1, "alice", kStart);
  looks(0, 310);
  stop();
  clock_.seconds = 400;
  start("another");
  EXPECT_TRUE(recorder_->gaps().live.empty());
  EXPECT_EQ(ended(5min), 1U);
}

TEST_F(GapRecorderTest, WritesSoonAndThenEveryFiveMinutes) {
  start();
  look(0);
  ASSERT_TRUE(within_5s([&] { return !told_.empty(); }));
  const auto kept_at = [&] {
    std::ifstream in(file());
    const std::string text(std::istreambuf_iterator<char>(in), {});
    const auto kept = kept_gaps_from(text);
    return kept ? (kept->gaps.last_look - kStart) / 1s : -1;
  };
  EXPECT_EQ(kept_at(), 0);
  looks(2, 298);
  EXPECT_EQ(kept_at(), 0);
  look(300);
  ASSERT_TRUE(within_5s([&] { return told_.size() == 2; }));
  EXPECT_EQ(kept_at(), 300);
}

TEST_F(GapRecorderTest, ABrokenFileIsPutAsideAndTold) {
  std::filesystem::create_directory(state_);
  ASSERT_EQ(::chmod(state_.c_str(), 0700), 0);
  std::ofstream(file()) << "{\"format\": \"idlewarden idle";
  start();
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_NE(told_[0].find("put aside"), std::string::npos) << told_[0];
  EXPECT_TRUE(std::filesystem::exists(file() + ".broken"));
  EXPECT_FALSE(std::filesystem::exists(file()));
  host_.log_in(1, "alice", kStart);
  looks(0, 310);
  EXPECT_EQ(ended(5min), 1U);
  stop();
  EXPECT_TRUE(std::filesystem::exists(file()));
}

TEST_F(GapRecorderTest, WhatCannotBeReadNowIsNotWrittenOver) {
  start();
  host_.log_in(1, "alice", kStart);
  looks(0, 310);
  host_.log_out(1);
  look(312);
  stop();
  {
    const test::NoDescriptors none;
    start();
  }
  ASSERT_FALSE(told_.empty());
  EXPECT_NE(told_.back().find("Too many open files"), std::string::npos) << told_.back();
  EXPECT_EQ(ended(5min), 0U);
  looks(314, 330);
  EXPECT_EQ(ended(5min), 1U);
}

TEST_F(GapRecorderTest, WithoutAFolderItGoesOnInMemoryAndTriesAgain) {
  state_ = dir_.path() + "/missing/state";
  start();
  host_.log_in(1, "alice", kStart);
  looks(0, 310);
  EXPECT_EQ(ended(5min), 1U);
  ASSERT_FALSE(told_.empty());
  EXPECT_NE(told_.back().find("cannot make the folder"), std::string::npos) << told_.back();
  std::filesystem::create_directory(dir_.path() + "/missing");
  look(700);
  ASSERT_TRUE(within_5s([&] { return told_.back().empty(); }));
  EXPECT_TRUE(std::filesystem::exists(file()));
}

TEST_F(GapRecorderTest, AFullDiskIsToldAndTheOldFileStays) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, for a small file system of its own";
  std::filesystem::create_directory(state_);
  if (::mount("tmpfs", state_.c_str(), "tmpfs", 0, "size=64k,mode=0700") != 0) {
    GTEST_SKIP() << "a tmpfs cannot be mounted here";
  }
  start();
  host_.log_in(1, "alice", kStart);
  looks(0, 10);
  ASSERT_TRUE(within_5s([&] { return !told_.empty(); }));
  EXPECT_EQ(told_.back(), "");
  std::ofstream(state_ + "/ballast") << std::string(64 << 10, 'x') << std::flush;
  look(320);
  ASSERT_TRUE(within_5s([&] { return !told_.back().empty(); }));
  EXPECT_NE(told_.back().find("No space left"), std::string::npos) << told_.back();
  EXPECT_EQ(ended(5min), 1U);
  std::filesystem::remove(state_ + "/ballast");
  look(640);
  EXPECT_TRUE(within_5s([&] { return told_.back().empty(); }));
  stop();
  EXPECT_EQ(::umount(state_.c_str()), 0);
}

TEST_F(GapRecorderTest, NothingIsKeptWhenNothingIsAskedFor) {
  state_.clear();
  start();
  host_.log_in(1, "alice", kStart);
  looks(0, 310);
  EXPECT_EQ(ended(5min), 1U);
  stop();
  EXPECT_TRUE(told_.empty());
}

TEST_F(GapRecorderTest, TwoDaemonsDoNotShareAFolder) {
  start();
  GapRecorder second(state_, "this", clock_, clock_.now(),
                     [this](const std::string& sentence) { told_.push_back(sentence); });
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_NE(told_[0].find("another process keeps its state in"), std::string::npos);
}

}  // namespace
}  // namespace idlewarden

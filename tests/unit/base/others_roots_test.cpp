// SPDX-License-Identifier: Apache-2.0
#include "base/others_roots.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "base/shortage.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class OthersRootsTest : public testing::Test {
 protected:
  ~OthersRootsTest() override { begin_to_answer_.set_value(); }
  // Of a process whose mounts and root are these.
  std::string root(const std::string& pid, const std::string& mounts, const std::string& place,
                   const std::string& mountinfo = "22 1 0:21 / / rw - ext4 /dev/sda1 rw\n") {
    const fs::path process = dir_.path() + "/" + pid;
    fs::create_directories(process / "ns");
    fs::create_directories(dir_.path() + "/" + place);
    fs::create_symlink(mounts, process / "ns/mnt");
    fs::create_symlink(dir_.path() + "/" + place, process / "root");
    std::ofstream(process / "mountinfo") << mountinfo;
    return (process / "root").string();
  }
  // Answers when the test is over.
  std::function<int(const std::string&)> silent() {
    return [released = released_, asked = asked_](const std::string&) {
      ++*asked;
      released.wait();
      return 1;
    };
  }
  static int two(const std::string&) { return 2; }
  // A thread may take its time to begin.
  int asked() const {
    for (int i = 0; i < 1000 && *asked_ == 0; ++i) std::this_thread::sleep_for(10ms);
    return *asked_;
  }

  test::TempDir dir_;
  std::promise<void> begin_to_answer_;
  std::shared_future<void> released_{begin_to_answer_.get_future()};
  std::shared_ptr<std::atomic<int>> asked_ = std::make_shared<std::atomic<int>>(0);
  OthersRoots roots_{2s};
  OthersRoots hasty_{50ms};
};

TEST_F(OthersRootsTest, OursIsLookedAtAtOnce) {
  const auto look = [](const std::string& root) {
    return std::pair(root, std::this_thread::get_id());
  };
  using Seen = std::pair<std::string, std::thread::id>;
  const auto here = std::this_thread::get_id();
  const std::string own = "/proc/" + std::to_string(::getpid()) + "/root";
  EXPECT_EQ(roots_.ask<Seen>("/", look), (Seen{"/", here}));
  EXPECT_EQ(roots_.ask<Seen>(own, look), (Seen{"/", here})) << "by whatever process";
  const std::string others = root("1", "mnt:[1]", "a");
  const auto there = roots_.ask<Seen>(others, look);
  ASSERT_TRUE(there);
  EXPECT_EQ(there->first, others);
  EXPECT_NE(there->second, here);
}

// One in a mount that was taken away has the name of another.
TEST_F(OthersRootsTest, OneWithoutMountsIsNobodyElses) {
  const std::string whole = root("1", "mnt:[1]", "a");
  const std::string away = root("2", "mnt:[1]", "a", "");
  EXPECT_FALSE(hasty_.ask<int>(away, silent()));
  EXPECT_EQ(asked(), 1);
  EXPECT_FALSE(hasty_.ask<int>(whole, silent()));
  for (int i = 0; i < 1000 && *asked_ < 2; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(*asked_, 2);
}

TEST_F(OthersRootsTest, AShortageOfTheLookIsTheCallers) {
  ShortageWatch shortage;
  const auto look = [](const std::string&) {
    note_shortage(EMFILE);
    return 7;
  };
  EXPECT_EQ(roots_.ask<int>(root("1", "mnt:[1]", "a"), look), 7);
  EXPECT_EQ(shortage.take(), EMFILE);
}

TEST_F(OthersRootsTest, NobodyWaitsLongForOneThatDoesNotAnswer) {
  const std::string first = root("1", "mnt:[1]", "a");
  ShortageWatch shortage;
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(hasty_.ask<int>(first, silent()));
  EXPECT_EQ(shortage.take(), ETIMEDOUT);
  EXPECT_EQ(asked(), 1);
  EXPECT_FALSE(hasty_.ask<int>(first, two));
  EXPECT_EQ(shortage.take(), ETIMEDOUT);
  // The same root by way of another process.
  EXPECT_FALSE(hasty_.ask<int>(root("2", "mnt:[1]", "a"), two));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST_F(OthersRootsTest, OneThatDoesNotAnswerKeepsNobodyFromTheOthers) {
  EXPECT_FALSE(roots_.ask<int>(root("1", "mnt:[1]", "a"), silent()));
  EXPECT_EQ(roots_.ask<int>("/", two), 2);
  // Other mounts, and another root in the same.
  EXPECT_EQ(roots_.ask<int>(root("2", "mnt:[2]", "a"), two), 2);
  EXPECT_EQ(roots_.ask<int>(root("3", "mnt:[1]", "b"), two), 2);
}

}  // namespace
}  // namespace idlewarden

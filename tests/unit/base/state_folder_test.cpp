// SPDX-License-Identifier: Apache-2.0
#include "base/state_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "support/temp_dir.h"

namespace idlewarden {
namespace {

mode_t mode_of(const std::string& path) {
  struct stat st {};
  EXPECT_EQ(::stat(path.c_str(), &st), 0) << path;
  return st.st_mode & 07777U;
}

class StateFolderTest : public testing::Test {
 protected:
  test::TempDir dir_;
  std::string path_ = dir_.path() + "/state";
};

TEST_F(StateFolderTest, MakesTheFolderAndReplacesFilesForRootOnly) {
  const auto folder = StateFolder::open(path_);
  ASSERT_TRUE(folder) << folder.error().text();
  EXPECT_EQ(mode_of(path_), 0700U);
  EXPECT_EQ(folder->read("a", 100).error().code, ENOENT);
  ASSERT_TRUE(folder->replace("a", "one"));
  ASSERT_TRUE(folder->replace("a", "two"));
  EXPECT_EQ(folder->read("a", 100).value_or(""), "two");
  EXPECT_FALSE(folder->read("a", 2));
  EXPECT_EQ(mode_of(path_ + "/a"), 0600U);
  EXPECT_FALSE(std::filesystem::exists(path_ + "/a.new"));
}

TEST_F(StateFolderTest, WhatACrashLeftBehindIsInNobodysWay) {
  const auto folder = StateFolder::open(path_);
  ASSERT_TRUE(folder);
  dir_.file("elsewhere", "mine");
  std::filesystem::create_symlink(dir_.path() + "/elsewhere", path_ + "/a.new");
  ASSERT_TRUE(folder->replace("a", "one"));
  EXPECT_EQ(folder->read("a", 100).value_or(""), "one");
  EXPECT_EQ(std::filesystem::file_size(dir_.path() + "/elsewhere"), 4U);
}

TEST_F(StateFolderTest, AFailureKeepsTheOldFile) {
  const auto folder = StateFolder::open(path_);
  ASSERT_TRUE(folder->replace("a", "one"));
  std::filesystem::create_directories(path_ + "/a.new/full");  // cannot be unlinked
  EXPECT_FALSE(folder->replace("a", "two"));
  EXPECT_EQ(folder->read("a", 100).value_or(""), "one");
}

TEST_F(StateFolderTest, IsOneProcesssAtATime) {
  {
    const auto folder = StateFolder::open(path_);
    ASSERT_TRUE(folder);
    const auto second = StateFolder::open(path_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, EWOULDBLOCK);
    EXPECT_NE(second.error().text().find("another process keeps its state in"), std::string::npos);
  }
  EXPECT_TRUE(StateFolder::open(path_));
}

TEST_F(StateFolderTest, IsNotSharedWithOthers) {
  std::filesystem::create_directory(path_);
  ASSERT_EQ(::chmod(path_.c_str(), 0770), 0);
  EXPECT_FALSE(StateFolder::open(path_));
  EXPECT_FALSE(StateFolder::open(dir_.file("file", "")));
  EXPECT_FALSE(StateFolder::open(dir_.path() + "/missing/state"));
}

TEST_F(StateFolderTest, PutsAFileAside) {
  const auto folder = StateFolder::open(path_);
  ASSERT_TRUE(folder->replace("a", "one"));
  ASSERT_TRUE(folder->put_aside("a"));
  EXPECT_EQ(folder->read("a", 100).error().code, ENOENT);
  EXPECT_EQ(folder->read("a.broken", 100).value_or(""), "one");
  EXPECT_FALSE(folder->put_aside("a"));
}

}  // namespace
}  // namespace idlewarden

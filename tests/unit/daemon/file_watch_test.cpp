// SPDX-License-Identifier: Apache-2.0
#include "daemon/file_watch.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "support/far_tree.h"
#include "support/silent_fs.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

class FakeClock final : public Clock {
 public:
  BootTime now() const override { return now_; }
  WallTime wall() const override { return {}; }
  void advance(Nanoseconds by) { now_ += by; }

 private:
  BootTime now_{Seconds(1000)};
};

class FileWatchTest : public testing::Test {
 protected:
  std::string at(const std::string& name) const { return tree_.path() + "/" + name; }
  void write(const std::string& name, const std::string& text) const { tree_.file(name, text); }
  FileWatch& watching(const std::vector<std::string>& names) {
    std::vector<std::string> paths;
    for (const std::string& name : names) paths.push_back(at(name));
    watch_.watch(paths);
    return watch_;
  }
  // Whether inotify told of it, so that it is found long before everything is looked at again.
  bool told() {
    watch_.notice();
    return watch_.due() <= clock_.now() + 1500ms;
  }
  std::vector<std::string> changes_when_due() {
    watch_.notice();
    if (watch_.due() > clock_.now()) clock_.advance(watch_.due() - clock_.now());
    return watch_.take_changes();
  }
  void expect_found_soon(const std::vector<std::string>& names) {
    std::vector<std::string> paths;
    for (const std::string& name : names) paths.push_back(at(name));
    EXPECT_TRUE(told());
    EXPECT_EQ(changes_when_due(), paths);
    watch_.notice();
    clock_.advance(2s);
    EXPECT_THAT(watch_.take_changes(), IsEmpty());
  }

  test::TempDir tree_;
  FakeClock clock_;
  FileWatch watch_{clock_, 3s};
};

TEST_F(FileWatchTest, AFileThatIsWrittenInPlace) {
  write("etc/ssh/sshd_config", "a");
  watching({"etc/ssh/sshd_config"});
  EXPECT_FALSE(told());
  write("etc/ssh/sshd_config", "bb");
  expect_found_soon({"etc/ssh/sshd_config"});
}

TEST_F(FileWatchTest, AFileThatIsReplacedByRename) {
  write("etc/f", "a");
  watching({"etc/f"});
  write("etc/f.new", "a");
  EXPECT_FALSE(told()) << "a neighbour that nobody asked for";
  fs::rename(at("etc/f.new"), at("etc/f"));
  expect_found_soon({"etc/f"});
}

TEST_F(FileWatchTest, AFileWhosePermissionsChange) {
  write("etc/f", "a");
  watching({"etc/f"});
  ASSERT_EQ(::chmod(at("etc/f").c_str(), 0600), 0);
  expect_found_soon({"etc/f"});
}

TEST_F(FileWatchTest, AFileThatIsYetToComeInFoldersThatAreYetToCome) {
  watching({"etc/idlewarden/policies.d/a.toml"});
  fs::create_directories(at("etc"));
  EXPECT_TRUE(told());
  EXPECT_THAT(changes_when_due(), IsEmpty());
  fs::create_directories(at("etc/idlewarden/policies.d"));
  EXPECT_TRUE(told());
  EXPECT_THAT(changes_when_due(), IsEmpty());
  write("etc/idlewarden/policies.d/a.toml", "");
  expect_found_soon({"etc/idlewarden/policies.d/a.toml"});
}

TEST_F(FileWatchTest, AFolderThatVanishesAndComesBack) {
  write("etc/ssh/sshd_config", "a");
  watching({"etc/ssh/sshd_config"});
  fs::rename(at("etc/ssh"), at("etc/ssh.away"));
  expect_found_soon({"etc/ssh/sshd_config"});
  write("etc/ssh.away/sshd_config", "not this one any more");
  EXPECT_FALSE(told());
  fs::rename(at("etc/ssh.away"), at("etc/ssh"));
  expect_found_soon({"etc/ssh/sshd_config"});
  write("etc/ssh/sshd_config", "again");
  expect_found_soon({"etc/ssh/sshd_config"});
}

TEST_F(FileWatchTest, AFolderThatIsReplaced) {
  write("etc/d/f", "a");
  write("etc/d2/f", "b");
  watching({"etc/d/f"});
  fs::remove_all(at("etc/d"));
  fs::rename(at("etc/d2"), at("etc/d"));
  expect_found_soon({"etc/d/f"});
  write("etc/d/f", "c, in the new folder");
  expect_found_soon({"etc/d/f"});
}

TEST_F(FileWatchTest, WhereSymlinksLead) {
  write("srv/real/conf", "a");
  write("srv/other/conf", "b");
  fs::create_directories(at("etc"));
  fs::create_symlink("../srv/current/conf", at("etc/conf"));
  fs::create_symlink("real", at("srv/current"));
  watching({"etc/conf"});
  write("srv/real/conf", "aa");
  expect_found_soon({"etc/conf"});
  fs::create_symlink("other", at("srv/next"));
  fs::rename(at("srv/next"), at("srv/current"));
  expect_found_soon({"etc/conf"});
  write("srv/real/conf", "of no account now");
  EXPECT_FALSE(told());
  write("srv/other/conf", "bb");
  expect_found_soon({"etc/conf"});
}

TEST_F(FileWatchTest, ALoopOfSymlinksEnds) {
  fs::create_symlink("b", at("a"));
  fs::create_symlink("a", at("b"));
  watching({"a", "b/c"});
  fs::remove(at("a"));
  write("a", "");
  expect_found_soon({"a"});
}

TEST_F(FileWatchTest, AFoldersEntriesButNotHiddenOnes) {
  write("policies.d/a.toml", "a");
  watching({"policies.d"});
  write("policies.d/.a.toml.swp", "an editor's");
  EXPECT_FALSE(told());
  write("policies.d/b.toml", "");
  expect_found_soon({"policies.d"});
  write("policies.d/a.toml", "longer");
  expect_found_soon({"policies.d"});
  fs::remove(at("policies.d/b.toml"));
  expect_found_soon({"policies.d"});
}

TEST_F(FileWatchTest, WaitsUntilAWriterIsDone) {
  write("f", "whole");
  watching({"f"});
  std::ofstream file(at("f"), std::ios::trunc);  // and nothing yet
  watch_.notice();
  EXPECT_EQ(watch_.due(), clock_.now() + 1s);
  clock_.advance(900ms);
  EXPECT_THAT(watch_.take_changes(), IsEmpty()) << "half a file was taken for a whole one";
  file << "new" << std::flush;
  watch_.notice();
  EXPECT_EQ(watch_.due(), clock_.now() + 600ms) << "no longer than 1.5 s in all";
  file.close();
  watch_.notice();
  EXPECT_EQ(watch_.due(), clock_.now() + 300ms);
  clock_.advance(300ms);
  EXPECT_THAT(watch_.take_changes(), ElementsAre(at("f")));
}

TEST_F(FileWatchTest, WhatInotifyCannotSeeIsFoundByLooking) {
  write("etc/f", "a");
  fs::create_directories(at("elsewhere"));
  fs::create_hard_link(at("etc/f"), at("elsewhere/f"));
  watching({"etc/f"});
  write("elsewhere/f", "bb");
  EXPECT_FALSE(told());
  clock_.advance(10s);
  EXPECT_THAT(watch_.take_changes(), ElementsAre(at("etc/f")));
}

TEST_F(FileWatchTest, AFolderThatOthersCanWriteIsOnlyLookedAt) {
  write("open/f", "a");
  ASSERT_EQ(::chmod(at("open").c_str(), 01777), 0);
  watching({"open/f"});
  for (int i = 0; i < 100; ++i) write("open/f", std::string(static_cast<std::size_t>(i), 'x'));
  EXPECT_FALSE(told()) << "another user could keep the daemon busy";
  clock_.advance(10s);
  EXPECT_THAT(watch_.take_changes(), ElementsAre(at("open/f")));
}

TEST_F(FileWatchTest, AStormIsSlowedDown) {
  write("f", "");
  watching({"f"});
  int found = 0;
  const BootTime end = clock_.now() + 60s;
  for (int i = 0; clock_.now() < end; ++i) {
    write("f", std::string(static_cast<std::size_t>(i), 'x'));
    watch_.notice();
    clock_.advance(400ms);
    found += watch_.take_changes().empty() ? 0 : 1;
  }
  EXPECT_EQ(found, 10);
  clock_.advance(60s);
  EXPECT_THAT(watch_.take_changes(), ElementsAre(at("f"))) << "the last one is not forgotten";
}

TEST_F(FileWatchTest, AnOverflowMeansLookAgain) {
  std::ifstream limit("/proc/sys/fs/inotify/max_queued_events");
  int most = 0;
  limit >> most;
  if (most <= 0 || most > 100'000) GTEST_SKIP() << "the queue holds " << most << " events";
  write("d/a", "");
  write("d/b", "");
  watching({"d/a", "d/b"});
  // Two names in turn: equal events in a row are merged (inotify(7)).
  for (int i = 0; i <= most / 2 + 1; ++i) {
    for (const char* name : {"d/a", "d/b"}) {
      ASSERT_EQ(::chmod(at(name).c_str(), i % 2 == 0 ? 0600 : 0644), 0);
    }
  }
  fs::remove(at("d/b"));  // nobody hears of this one
  for (int i = 0; i < 1000; ++i) {
    pollfd p{watch_.fd(), POLLIN, 0};
    if (::poll(&p, 1, 0) == 0) break;
    watch_.notice();
  }
  EXPECT_THAT(changes_when_due(), ElementsAre(at("d/a"), at("d/b")));
}

TEST_F(FileWatchTest, WithoutRoomForAllItSaysSoAndLooksMoreOften) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i <= FileWatch::kMaxFolders; ++i) {
    names.push_back("d" + std::to_string(i) + "/f");
    write(names.back(), "a");
  }
  watching(names);
  ASSERT_TRUE(watch_.degraded());
  EXPECT_THAT(*watch_.degraded(), testing::HasSubstr("looked at every 2 s"));
  EXPECT_THAT(changes_when_due(), IsEmpty());
  for (const std::string& name : names) write(name, "bb");
  clock_.advance(2s);
  EXPECT_EQ(watch_.take_changes().size(), names.size());
  watching({"d1/f"});
  EXPECT_FALSE(watch_.degraded());
}

TEST_F(FileWatchTest, WhatIsWatchedAnewForgetsNothing) {
  write("a", "1");
  write("b", "1");
  watching({"a"});
  write("a", "22");
  watching({"a", "b"});
  EXPECT_THAT(changes_when_due(), ElementsAre(at("a")));
  watching({"b"});
  watch_.notice();
  write("a", "333");
  EXPECT_FALSE(told()) << "nobody asks for it any more";
}

TEST_F(FileWatchTest, WhatChangedAfterItWasReadCountsAsChanged) {
  const WallTime reading = std::chrono::system_clock::now();
  std::this_thread::sleep_for(20ms);
  write("f", "written after it was read");
  watch_.watch({at("f")}, reading);
  EXPECT_THAT(changes_when_due(), ElementsAre(at("f")));
  write("g", "");
  std::this_thread::sleep_for(20ms);
  watch_.watch({at("f"), at("g")}, std::chrono::system_clock::now());
  EXPECT_THAT(changes_when_due(), IsEmpty());
}

// As a unit with mounts of its own has the host's files.
TEST_F(FileWatchTest, TheHostsTreeAsItsFirstProcessHasIt) {
  write("srv/real", "a");
  fs::create_directories(at("etc"));
  fs::create_symlink(at("srv/real"), at("etc/f"));
  const std::string path = "/proc/1/root" + at("etc/f");
  if (::access(path.c_str(), R_OK) != 0) GTEST_SKIP() << "the host's tree cannot be looked at";
  watch_.watch({path});
  EXPECT_FALSE(told());
  write("srv/real", "bb");
  EXPECT_TRUE(told());
  EXPECT_THAT(changes_when_due(), ElementsAre(path));
}

TEST_F(FileWatchTest, StorageOfTheHostsThatDoesNotAnswerHoldsNobodyUp) {
  if (!test::own_mounts()) GTEST_SKIP() << "cannot have mounts of its own";
  write("etc/f", "a");
  write("net/x", "a");
  fs::create_directories(at("etc/profile.d"));
  fs::create_symlink("../../net/x", at("etc/profile.d/x"));
  watching({"etc/f", "etc/profile.d/x"});
  {
    test::SilentFs silent(at("net"));
    if (!silent.why_not().empty()) GTEST_SKIP() << silent.why_not();
    silent.go_after(20s);
    const auto begin = std::chrono::steady_clock::now();
    write("etc/f", "bb");
    EXPECT_TRUE(told());
    EXPECT_THAT(changes_when_due(), ElementsAre(at("etc/f")));
    watching({"etc/f", "etc/profile.d/x", "net/y"});
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
    ASSERT_TRUE(watch_.degraded());
    EXPECT_THAT(*watch_.degraded(), testing::HasSubstr("1 files cannot be looked at"));
  }
  write("net/x", "bb");
  std::vector<std::string> changed;
  for (int i = 0; i < 300 && watch_.degraded(); ++i) {
    std::ranges::copy(changes_when_due(), std::back_inserter(changed));
    std::this_thread::sleep_for(100ms);
  }
  EXPECT_THAT(changed, testing::UnorderedElementsAre(at("etc/profile.d/x"), at("net/y")));
}

class FileWatchInContainerTest : public FileWatchTest {
 protected:
  FileWatchInContainerTest() {
    far_.file("etc/real", "a");
    far_.link("etc/ssh/sshd_config", "/etc/real");
  }
  void SetUp() override {
    if (!far_.why_not().empty()) GTEST_SKIP() << far_.why_not();
  }
  std::vector<std::string> changes_after_a_poll() {
    clock_.advance(10s);
    return watch_.take_changes();
  }

  test::FarTree far_;
  const std::string config_ = far_.root() + "/etc/ssh/sshd_config";
};

TEST_F(FileWatchInContainerTest, ItsLinksMeanWhatTheyMeanThere) {
  watch_.watch({config_});
  EXPECT_THAT(changes_after_a_poll(), IsEmpty());
  far_.file("etc/real", "bb");
  EXPECT_THAT(changes_after_a_poll(), ElementsAre(config_));
}

TEST_F(FileWatchInContainerTest, WhatDoesNotAnswerHoldsNobodyUpAndHasNotChanged) {
  write("f", "a");
  watch_.watch({config_, at("f")});
  far_.stall("etc");
  if (!far_.why_not().empty()) GTEST_SKIP() << far_.why_not();
  write("f", "bb");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(changes_after_a_poll(), ElementsAre(at("f")));
  EXPECT_THAT(changes_after_a_poll(), IsEmpty());
  // What is new there is looked at when it answers.
  const std::string other = far_.root() + "/etc/real";
  watch_.watch({config_, at("f"), other});
  EXPECT_THAT(changes_after_a_poll(), IsEmpty());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 8s);
  ASSERT_TRUE(watch_.degraded());
  EXPECT_THAT(*watch_.degraded(), testing::HasSubstr("2 files cannot be looked at"));
}

}  // namespace
}  // namespace idlewarden

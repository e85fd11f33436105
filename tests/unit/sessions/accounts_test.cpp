// SPDX-License-Identifier: Apache-2.0
#include "sessions/accounts.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace idlewarden {
namespace {

using namespace std::chrono_literals;

TEST(Accounts, Known) {
  const auto root = Accounts(10s).of(0, BootTime());
  ASSERT_TRUE(root);
  EXPECT_EQ(root->account.name, "root");
  EXPECT_EQ(root->account.gid, 0u);
  EXPECT_FALSE(root->account.home.empty());
  EXPECT_TRUE(root->account.shell.starts_with('/'));
  EXPECT_EQ(root->groups.front(), "root");
}

TEST(Accounts, UnknownIsTheNumberAndInNoGroup) {
  const auto nobody = Accounts(10s).of(4'123'456'789, BootTime());
  ASSERT_TRUE(nobody);
  EXPECT_EQ(nobody->account, (Account{"4123456789", 4'123'456'789, kNoGroup, "", ""}));
}

TEST(Accounts, MoreThanAreKept) {
  Accounts accounts(10s);
  for (uid_t uid = 4'000'000'000; uid < 4'000'005'000; ++uid) {
    const auto person = accounts.of(uid, BootTime(Nanoseconds(uid)));
    ASSERT_TRUE(person);
    ASSERT_EQ(person->account.name, std::to_string(uid));
  }
}

// A directory server of the test's own.
struct Directory {
  Accounts accounts() {
    return Accounts(kPatience, [this](uid_t uid) -> std::optional<Person> {
      ++asked;
      while (hangs) std::this_thread::sleep_for(1ms);
      if (failing) return std::nullopt;
      Person person{
          {.name = "alice", .uid = uid, .gid = 7, .home = "/home/alice", .shell = "/bin/sh"},
          {"staff"}};
      if (in_ops) person.groups.emplace_back("ops");
      if (forgotten) person.account = {std::to_string(uid), uid, kNoGroup, "", ""};
      return person;
    });
  }
  static constexpr auto kPatience = 200ms;
  std::atomic<bool> hangs = false;
  std::atomic<bool> failing = false;
  std::atomic<bool> forgotten = false;
  std::atomic<bool> in_ops = false;
  std::atomic<int> asked = 0;
};
BootTime second(int s) {
  return BootTime(Seconds(s));
}
// Until what was asked in the background is answered.
void settle() {
  std::this_thread::sleep_for(100ms);
}

TEST(Accounts, AreAskedOnceAMinute) {
  Directory directory;
  Accounts accounts = directory.accounts();
  for (int s = 0; s < 60; ++s) EXPECT_TRUE(accounts.of(1, second(s)));
  EXPECT_EQ(directory.asked, 1);
  EXPECT_TRUE(accounts.of(1, second(60)));
  settle();
  EXPECT_EQ(directory.asked, 2);
}

TEST(Accounts, AServerThatHangsIsWaitedForOnceAScanAndNoLonger) {
  Directory directory;
  Accounts accounts = directory.accounts();
  directory.hangs = true;
  for (int scan = 1; scan <= 3; ++scan) {
    const auto began = std::chrono::steady_clock::now();
    for (uid_t uid = 1; uid <= 50; ++uid) EXPECT_FALSE(accounts.of(uid, second(scan)));
    EXPECT_LT(std::chrono::steady_clock::now() - began, Directory::kPatience + 500ms);
  }
  EXPECT_EQ(directory.asked, Accounts::kAtATime) << "no more threads than these hang there";
  directory.hangs = false;
  settle();
  for (uid_t uid = 1; uid <= 50; ++uid)
    EXPECT_TRUE(accounts.of(uid, second(10 + static_cast<int>(uid))));
}

TEST(Accounts, WhoIsKnownStaysSoWhileTheServerIsAway) {
  Directory directory;
  Accounts accounts = directory.accounts();
  ASSERT_TRUE(accounts.of(1, second(0)));
  directory.hangs = true;
  const auto began = std::chrono::steady_clock::now();
  for (int s = 100; s < 200; ++s) EXPECT_EQ(accounts.of(1, second(s))->account.name, "alice");
  EXPECT_LT(std::chrono::steady_clock::now() - began, 500ms) << "nobody waits for what is known";
  directory.hangs = false;
  directory.failing = true;
  settle();
  for (int s = 200; s < 300; s += 10, settle()) {
    EXPECT_EQ(accounts.of(1, second(s))->account.name, "alice");
  }
  directory.failing = false;
  directory.forgotten = true;
  for (int s = 300; s < 500; s += 50, settle()) {
    EXPECT_EQ(accounts.of(1, second(s))->account.name, "alice");
  }
}

// NSS says nothing of a source of groups that is away.
TEST(Accounts, AGroupIsLostWhenItIsMissingTwice) {
  Directory directory;
  Accounts accounts = directory.accounts();
  directory.in_ops = true;
  const auto groups = [&](int s) {
    // The answer to a question that is asked again comes a little later.
    accounts.of(1000, second(s));
    std::this_thread::sleep_for(50ms);
    return accounts.of(1000, second(s))->groups.size();
  };
  ASSERT_EQ(groups(0), 2U);
  directory.in_ops = false;
  EXPECT_EQ(groups(61), 2U);
  directory.in_ops = true;
  EXPECT_EQ(groups(122), 2U);
  directory.in_ops = false;
  EXPECT_EQ(groups(183), 2U) << "twice in a row";
  EXPECT_EQ(groups(244), 1U);
}

TEST(Accounts, AnErrorIsNoAnswer) {
  Directory directory;
  Accounts accounts = directory.accounts();
  directory.failing = true;
  EXPECT_FALSE(accounts.of(1, second(0)));
  directory.failing = false;
  EXPECT_TRUE(accounts.of(1, second(1)));
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// Thousands of sessions: what they share is read and kept once, and still told apart where it
// differs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "limits/limits.h"
#include "limits/shared_verdicts.h"
#include "limits/shell_script.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

constexpr const char* kTmout = "etc/profile.d/tmout.sh";

class ManySessions : public testing::Test {
 protected:
  ManySessions() {
    dir_.file("etc/profile", "for f in /etc/profile.d/*.sh; do . \"$f\"; done\n");
    dir_.file(kTmout, "TMOUT=900\n");
    dir_.file("etc/ssh/sshd_config", "ClientAliveInterval 10m\nClientAliveCountMax 3\n");
    dir_.file("policy.toml", "");
  }
  Limits load() {
    auto limits = Limits::load(Root(dir_.path()), "/policy.toml");
    EXPECT_TRUE(limits) << limits.error().text();
    return *std::move(limits);
  }
  static Subject user(int number) {
    Subject subject;
    subject.user = "u" + std::to_string(number);
    subject.uid = 1000 + static_cast<uid_t>(number);
    subject.home = "/home/" + subject.user;
    subject.shell = "/bin/bash";
    subject.session = std::to_string(number) + "-1";
    return subject;
  }
  test::TempDir dir_;
};

TEST_F(ManySessions, NobodysFilesAreReadAgainForBeingMany) {
  const Limits limits = load();
  constexpr int kUsers = 1300;  // more than are kept of those who have gone
  for (int i = 0; i < kUsers; ++i) {
    ASSERT_EQ(limits.resolve(user(i), WallTime{}).limit, Seconds(900));
  }
  const auto readings = limits.readings();
  for (int i = 0; i < kUsers; ++i) (void)limits.resolve(user(i), WallTime{});
  EXPECT_EQ(limits.readings(), readings);
}

TEST_F(ManySessions, AUsersOwnFileIsTheirsAlone) {
  dir_.file("home/u1/.profile", "TMOUT=60\n");
  const Limits limits = load();
  EXPECT_EQ(limits.resolve(user(0), WallTime{}).limit, Seconds(900));
  EXPECT_EQ(limits.resolve(user(1), WallTime{}).limit, Seconds(60));
  EXPECT_EQ(limits.resolve(user(2), WallTime{}).limit, Seconds(900));
}

TEST_F(ManySessions, OneUsersLoginsFromHereAndThereDiffer) {
  dir_.file(kTmout, "case $SSH_CONNECTION in 10.*) TMOUT=900 ;; *) TMOUT=300 ;; esac\n");
  const Limits limits = load();
  Subject near = user(0);
  near.address = "10.0.0.5";
  Subject far = user(0);
  far.address = "192.0.2.1";
  far.session = "far";
  EXPECT_EQ(limits.resolve(near, WallTime{}).limit, Seconds(900));
  EXPECT_EQ(limits.resolve(far, WallTime{}).limit, Seconds(300));
  EXPECT_EQ(limits.resolve(near, WallTime{}).limit, Seconds(900));
}

TEST_F(ManySessions, WhatIsReadAtALoginIsAsNewAsTheLogin) {
  const Limits limits = load();
  limits.begin_batch();
  EXPECT_EQ(limits.resolve(user(0), WallTime{}).limit, Seconds(900));
  limits.end_batch();
  dir_.file(kTmout, "TMOUT=300\n");
  Subject again = user(0);
  again.session = "later";
  limits.begin_batch();
  EXPECT_EQ(limits.resolve(again, WallTime{}).limit, Seconds(300));
  EXPECT_EQ(limits.resolve(user(0), WallTime{}).limit, Seconds(900));
  limits.end_batch();
}

TEST_F(ManySessions, ChangesAreCountedWhenTheAnswerMayHaveChanged) {
  Limits limits = load();
  (void)limits.resolve(user(0), WallTime{});
  const auto before = limits.changes();
  (void)limits.resolve(user(0), WallTime{});
  (void)limits.resolve(user(1), WallTime{});
  EXPECT_EQ(limits.changes(), before);
  // A later login of the same user finds another TMOUT: what is shown of the first one changes.
  dir_.file(kTmout, "TMOUT=300\n");
  Subject again = user(0);
  again.session = "later";
  (void)limits.resolve(again, WallTime{});
  EXPECT_NE(limits.changes(), before);
  const auto then = limits.changes();
  ASSERT_TRUE(limits.reload());
  EXPECT_NE(limits.changes(), then);
}

TEST_F(ManySessions, OnlyHoursDependOnTheTime) {
  EXPECT_FALSE(load().depends_on_time());
  dir_.file(
      "policy.toml",
      "[[rule]]\nname = \"day\"\nmatch = { hours = \"Mo-Fr 08:00-18:00\" }\nlimit = \"5m\"\n");
  EXPECT_TRUE(load().depends_on_time());
}

Verdict some_verdict() {
  Verdict verdict;
  verdict.limit = Seconds(600);
  LimitSource& source = verdict.sources.emplace_back();
  source.where = {"/etc/ssh/sshd_config", 3};
  source.text = "x";
  source.reason = "y";
  return verdict;
}

TEST(SharedVerdicts, KeepsOneOfThoseThatSayTheSame) {
  SharedVerdicts verdicts;
  const auto one = verdicts.share(some_verdict());
  EXPECT_EQ(verdicts.share(some_verdict()), one);
  // Each member tells them apart.
  const auto differs = [&](const auto& change) {
    Verdict other = some_verdict();
    change(other);
    return verdicts.share(other) != one;
  };
  EXPECT_TRUE(differs([](Verdict& v) { v.limit.reset(); }));
  EXPECT_TRUE(differs([](Verdict& v) { v.decided_by = Origin::rule; }));
  EXPECT_TRUE(differs([](Verdict& v) { v.rule = "r"; }));
  EXPECT_TRUE(differs([](Verdict& v) { v.action = Action::alert; }));
  EXPECT_TRUE(differs([](Verdict& v) { v.mode = Mode::enforce; }));
  EXPECT_TRUE(differs([](Verdict& v) { v.warn = Seconds(1); }));
  EXPECT_TRUE(differs([](Verdict& v) { v.grace = Seconds(1); }));
  EXPECT_TRUE(differs([](Verdict& v) { v.messages.warn = "w"; }));
  EXPECT_TRUE(differs([](Verdict& v) { v.messages.end = "e"; }));
  EXPECT_TRUE(differs([](Verdict& v) { v.output_counts = true; }));
  EXPECT_TRUE(differs([](Verdict& v) { v.job_limit = Seconds(1); }));
  EXPECT_TRUE(differs([](Verdict& v) { v.jobs = {"make"}; }));
  EXPECT_TRUE(differs([](Verdict& v) { v.max_session = Seconds(1); }));
  EXPECT_TRUE(differs([](Verdict& v) { v.kill_survivors = true; }));
  EXPECT_TRUE(differs([](Verdict& v) { v.sources.clear(); }));
  EXPECT_TRUE(differs([](Verdict& v) { v.sources[0].used = true; }));
  EXPECT_TRUE(differs([](Verdict& v) { v.sources[0].where.column = 9; }));
}

TEST(SharedVerdicts, ForgetsWhatNobodyUses) {
  SharedVerdicts verdicts;
  for (int i = 0; i < 10'000; ++i) {
    Verdict verdict;
    verdict.limit = Seconds(i);
    (void)verdicts.share(verdict);
  }
  EXPECT_LT(verdicts.size(), 200U);
}

TEST(ScriptCache, ParsesATextOnce) {
  shell::ScriptCache cache;
  const auto file = cache.file("/", "/etc/profile", "TMOUT=5\nif x; then\n");
  EXPECT_EQ(cache.file("/", "/etc/profile", "TMOUT=5\nif x; then\n"), file);
  EXPECT_NE(cache.file("/", "/etc/profile", "TMOUT=6\n"), file);
  EXPECT_NE(cache.file("/image", "/etc/profile", "TMOUT=5\nif x; then\n"), file);
  shell::Budget budget;
  const auto& pieces = file->pieces(budget);
  ASSERT_EQ(pieces.size(), 2U);
  EXPECT_NE(pieces[0].command, nullptr);
  EXPECT_EQ(pieces[1].command, nullptr);  // there is no end to it
  EXPECT_EQ(pieces[1].line, 2);
}

TEST(ParseScript, EndsWhereTheBudgetDoes) {
  const std::string text = "a=1\nb=2\nc=3\n";
  EXPECT_EQ(shell::parse_script(text, 1000).size(), 3U);
  const auto cut = shell::parse_script(text, 6);
  ASSERT_FALSE(cut.empty());
  EXPECT_LT(cut.size(), 3U);
  EXPECT_EQ(cut.back().command, nullptr);
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "enforce/endings_book.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "base/files.h"
#include "bench.h"
#include "support/no_descriptors.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using test::at;
using test::Bench;
using test::Subject;
using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class EndingsBookTest : public testing::Test {
 protected:
  EndingsBook book(const std::string& boot_id = "this boot") {
    return {path_, boot_id, [this](const std::string& sentence) { told_.push_back(sentence); }};
  }
  // One life of the daemon: it reads the book, takes over what is owed, and lives until everything
  // is over, or until it is killed.
  void live(Bench& bench, bool audit = false) {
    EndingsBook kept = book();
    Warden warden(bench, {}, &kept);
    bench.running = &warden;
    for (const BegunEnding& begun : kept.open()) {
      if (const auto found = warden.adopt(begun, audit, bench.now)) report(bench, warden, *found);
    }
    for (int i = 0; i < 100; ++i) {
      for (const Transition& t : bench.step(to_seconds(bench.now.time_since_epoch()))) {
        report(bench, warden, t);
      }
      bench.now = std::min(bench.wake.value_or(bench.now + Seconds(60)), bench.now + Seconds(60));
      bench.now += std::chrono::milliseconds(10);
    }
  }
  void report(Bench& bench, Warden& warden, const Transition& t) {
    bench.place();
    reported_.push_back(t);
    bench.place();
    if (t.happened == Happened::terminated || t.detail.contains("nothing more")) {
      warden.told(t.session);
    }
    bench.place();
  }
  std::ptrdiff_t count(Happened happened) const {
    return std::ranges::count(reported_, happened, &Transition::happened);
  }
  // Entries in the file, as it is now.
  std::size_t written() const {
    const auto text = Root().read(path_ + "/endings.json");
    const auto entries = text ? endings_from(*text, "this boot") : std::unexpected(text.error());
    EXPECT_TRUE(entries) << entries.error().text();
    return entries ? entries->size() : 99;
  }
  // What the next daemon would find.
  std::size_t owed() { return book().open().size(); }
  // A session that was hung up by a daemon which was then killed; SIGTERM does not help.
  Subject& half_ended(Bench& bench) {
    auto& s = bench.add();
    s.verdict.warn = Seconds(0);
    s.dies_of = {SIGKILL};
    EndingsBook kept = book();
    Warden warden(bench, {}, &kept);
    bench.running = &warden;
    bench.step(700);
    EXPECT_EQ(bench.state(s), State::ending);
    return s;
  }

  TempDir dir_;
  std::string path_ = dir_.path() + "/state";
  std::vector<std::string> told_;
  std::vector<Transition> reported_;
};

BegunEnding sample() {
  BegunEnding begun;
  begun.session.id = {4711, at(100), 0xffff888012345678ULL};
  begun.session.kind = Kind::ssh;
  begun.session.tty = {begun.session.id.tty, 136, 3, 3, 24};
  begun.session.tty_name = "pts/3";
  begun.session.user = "al\x1b[2J\xff";
  begun.session.host = 4700;
  begun.session.host_start = at(99);
  begun.session.remote = Endpoint{"10.0.0.7", 50000};
  begun.verdict.decided_by = Origin::sshd_config;
  LimitSource source;
  source.where = {"/etc/ssh/sshd_config", 12};
  source.used = true;
  begun.verdict.sources = {source};
  begun.plan = {.cause = Cause::max_session,
                .limit = Seconds(600),
                .idle = Seconds(601),
                .deadline = at(700),
                .grace = Seconds(5),
                .kill_survivors = true,
                .host = 4700};
  begun.hung_up_at = at(701);
  return begun;
}

TEST_F(EndingsBookTest, KeepsWhatIdentifiesASessionAndWhatIsToldOfIt) {
  const BegunEnding before = sample();
  book().enter(before);
  const auto all = book().open();
  ASSERT_EQ(all.size(), 1U);
  const BegunEnding& read = all[0];
  EXPECT_EQ(read.session.id, before.session.id);
  EXPECT_EQ(read.session.tty, before.session.tty);
  EXPECT_EQ(read.session.tty_name, "pts/3");
  EXPECT_EQ(read.session.user, "al\\x1b[2J\\xff");
  EXPECT_EQ(read.session.host, 4700);
  EXPECT_EQ(read.session.host_start, at(99));
  EXPECT_EQ(read.session.remote, before.session.remote);
  EXPECT_EQ(read.verdict.limit, Seconds(600));
  EXPECT_EQ(read.verdict.decided_by, Origin::sshd_config);
  ASSERT_NE(read.verdict.used_source(), nullptr);
  EXPECT_EQ(read.verdict.used_source()->where, (Where{"/etc/ssh/sshd_config", 12}));
  EXPECT_EQ(read.plan.cause, Cause::max_session);
  EXPECT_EQ(read.plan.limit, Seconds(600));
  EXPECT_EQ(read.plan.idle, Seconds(601));
  EXPECT_EQ(read.plan.deadline, at(700));
  EXPECT_EQ(read.plan.grace, Seconds(5));
  EXPECT_TRUE(read.plan.kill_survivors);
  EXPECT_EQ(read.plan.host, 4700);
  EXPECT_EQ(read.hung_up_at, at(701));
  EXPECT_THAT(told_, IsEmpty());

  EndingsBook again = book();
  EXPECT_EQ(again.open().size(), 1U);
  again.strike(before.session.id);
  EXPECT_EQ(written(), 0U);
}

TEST_F(EndingsBookTest, WhatCannotBeUsedIsPutAsideAndTold) {
  const std::string good = endings_text("this boot", {{sample().session.id, sample()}});
  EXPECT_TRUE(endings_from(good, "this boot"));
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const auto there = text.find(from);
    EXPECT_NE(there, std::string::npos) << from;
    return there == std::string::npos ? text : text.replace(there, from.size(), to);
  };
  const std::vector<std::string> bad{
      "",
      "[]",
      "\xff\xfe",
      std::string(100'000, '['),
      good.substr(0, good.size() / 2),
      with("this boot", "another boot"),
      with("\"version\":1", "\"version\":2"),
      with("\"pid\":4711", "\"pid\":1"),
      with("\"pid\":4711", "\"pid\":-1"),
      with("\"pid\":4711", "\"pid\":4294967297"),
      with("\"start\":100000000000", "\"start\":18446744073709551615"),
      with("\"kind\":\"ssh\"", "\"kind\":\"telepathy\""),
      with("\"grace\":5", "\"grace\":99999999999"),
      with("\"cause\":\"max_session\"", "\"cause\":7"),
      with("50000", "65536"),
  };
  for (const std::string& text : bad) {
    dir_.file("state/endings.json", text, 0600);
    std::filesystem::permissions(path_, std::filesystem::perms::owner_all);
    EXPECT_EQ(owed(), 0U) << text;
    ASSERT_EQ(told_.size(), 1U) << text;
    EXPECT_THAT(told_[0], HasSubstr("put aside"));
    EXPECT_FALSE(std::filesystem::exists(path_ + "/endings.json")) << text;
    told_.clear();
  }
  EXPECT_FALSE(endings_from(endings_text("", {}), "")) << "an unknown boot is no boot";
}

TEST_F(EndingsBookTest, AForeignFileIsPutAside) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give a file away";
  book().enter(sample());
  ASSERT_EQ(::chown((path_ + "/endings.json").c_str(), 12345, 12345), 0);
  EXPECT_EQ(owed(), 0U);
  EXPECT_THAT(told_, ElementsAre(HasSubstr("belongs to another user")));
  EXPECT_TRUE(std::filesystem::exists(path_ + "/endings.json.broken"));
}

TEST_F(EndingsBookTest, WhatCannotBeReadNowIsKeptAndReadLater) {
  book().enter(sample());
  EndingsBook kept = book();
  {
    const test::NoDescriptors none;  // nor any for the sanitizers' checks
    if (!kept.open().empty()) FAIL() << "out of nothing";
  }
  EXPECT_TRUE(kept.unread());
  EXPECT_THAT(told_, ElementsAre(HasSubstr("Too many open files")));
  BegunEnding other = sample();
  other.session.id.leader = 4712;
  kept.enter(other);
  EXPECT_EQ(written(), 1U) << "written over";
  ASSERT_EQ(kept.open().size(), 1U);
  EXPECT_FALSE(kept.unread());
  EXPECT_EQ(told_.back(), "");
  EXPECT_EQ(written(), 2U);
}

TEST_F(EndingsBookTest, WithoutRoomForItASessionIsEndedAndItIsTold) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit full{.rlim_cur = 0, .rlim_max = before.rlim_max};
  Bench bench;
  auto& s = bench.add();
  s.verdict.warn = Seconds(0);
  EndingsBook kept = book();
  Warden warden(bench, {}, &kept);
  bench.running = &warden;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  bench.step(700);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_FALSE(s.leader_alive);
  EXPECT_THAT(told_, ElementsAre(HasSubstr("not kept over a crash")));
  kept.strike(s.session.id);
  EXPECT_EQ(told_.size(), 2U);
  EXPECT_EQ(told_.back(), "");
}

TEST_F(EndingsBookTest, WithoutItsFolderASessionIsEndedAndItIsTold) {
  path_ = dir_.path() + "/not/there";
  Bench bench;
  auto& s = bench.add();
  live(bench);
  EXPECT_FALSE(s.leader_alive);
  EXPECT_EQ(count(Happened::terminated), 1);
  ASSERT_FALSE(told_.empty());
  EXPECT_THAT(told_[0], HasSubstr("cannot make the folder"));
}

TEST_F(EndingsBookTest, AHangUpThatFailsLeavesNothingOwed) {
  Bench bench;
  auto& s = bench.add();
  s.verdict.warn = Seconds(0);
  s.hang_up_error = EPERM;
  EndingsBook kept = book();
  Warden warden(bench, {}, &kept);
  bench.running = &warden;
  ASSERT_EQ(bench.step(700).size(), 1U);
  EXPECT_EQ(written(), 0U);
}

// The daemon dies at every single place of the sequence, one after the other; the next one ends
// what it began, and it is reported once.
TEST_F(EndingsBookTest, WhereverTheDaemonIsKilledTheNextOneFinishesIt) {
  int twice = 0;
  for (int place = 0;; ++place) {
    const TempDir dir;
    path_ = dir.path() + "/state";
    reported_.clear();
    Bench bench;
    auto& s = bench.add();
    s.verdict.messages.end = "good bye";
    s.verdict.kill_survivors = true;
    s.dies_of = {SIGKILL};
    s.host_stuck = true;
    s.host_dies_of = {SIGKILL};
    bench.killed_at = place;
    bool killed = false;
    try {
      live(bench);
    } catch (const Bench::Killed&) {
      killed = true;
      bench.log.emplace_back("--- killed, and started again");
      bench.now += Seconds(3);
      live(bench);
    }
    const std::string log = testing::PrintToString(bench.log);
    EXPECT_FALSE(s.leader_alive) << log;
    EXPECT_FALSE(s.host_alive) << log;
    EXPECT_EQ(std::ranges::count(bench.log, "hang up pts/0"), 1) << log;
    EXPECT_GE(std::ranges::count(bench.log, "kill survivors pts/0"), 1) << log;
    EXPECT_EQ(count(Happened::terminate_failed), 0) << log;
    // Once; twice for the one place between the report and the strike.
    EXPECT_GE(count(Happened::terminated), 1) << log;
    EXPECT_LE(count(Happened::terminated), 2) << log;
    if (count(Happened::terminated) == 2) ++twice;
    EXPECT_EQ(owed(), 0U) << log;
    EXPECT_THAT(told_, IsEmpty());
    if (!killed) {
      EXPECT_GT(place, 15) << log;
      break;
    }
  }
  EXPECT_EQ(twice, 1);
}

TEST_F(EndingsBookTest, GoesOnAGraceAfterTheHangUp) {
  Bench bench;
  half_ended(bench);
  bench.log.clear();
  bench.now = at(702);
  live(bench);
  ASSERT_EQ(count(Happened::terminated), 1);
  EXPECT_THAT(bench.log, ElementsAre("seize again pts/0", "signal 15 pts/0", "signal 18 pts/0",
                                     "signal 9 pts/0", "<terminated> pts/0"));
  EXPECT_EQ(reported_[0].limit, Seconds(600));
  ASSERT_TRUE(reported_[0].lateness);
  EXPECT_GE(*reported_[0].lateness, Seconds(10));
  EXPECT_THAT(reported_[0].detail, HasSubstr("before the daemon was restarted, SIGTERM, SIGKILL"));
}

TEST_F(EndingsBookTest, AnEndThatNobodySawHasNoLateness) {
  Bench bench;
  auto& s = half_ended(bench);
  s.leader_alive = s.there = false;
  bench.log.clear();
  bench.now = at(5000);
  live(bench);
  EXPECT_THAT(bench.log, ElementsAre("seize again pts/0", "<terminated> pts/0"));
  ASSERT_EQ(count(Happened::terminated), 1);
  EXPECT_EQ(reported_[0].lateness, std::nullopt);
}

TEST_F(EndingsBookTest, InAuditModeItIsOnlyTold) {
  for (const bool lives : {true, false}) {
    const TempDir dir;
    path_ = dir.path() + "/state";
    reported_.clear();
    Bench bench;
    auto& s = half_ended(bench);
    s.leader_alive = lives;
    s.host_stuck = true;
    bench.log.clear();
    live(bench, true);
    EXPECT_THAT(bench.log, ElementsAre("seize again pts/0"));
    ASSERT_EQ(reported_.size(), 1U);
    EXPECT_EQ(reported_[0].happened, lives ? Happened::terminate_failed : Happened::terminated);
    if (!lives) continue;
    EXPECT_EQ(owed(), 0U);
  }
}

TEST_F(EndingsBookTest, WhoStillHasTheTtyIsJudgedAnew) {
  Bench bench;
  auto& s = bench.add();
  s.verdict.warn = Seconds(0);
  BegunEnding begun = sample();
  begun.session = s.session;
  book().enter(begun);
  s.last_activity = at(690);
  bench.now = at(701);
  EndingsBook kept = book();
  Warden warden(bench, {}, &kept);
  bench.running = &warden;
  ASSERT_EQ(kept.open().size(), 1U);
  EXPECT_FALSE(warden.adopt(begun, false, bench.now));
  EXPECT_EQ(bench.state(s), State::active);
  EXPECT_THAT(bench.step(1289), IsEmpty());
  EXPECT_EQ(bench.wake, at(1290));
  EXPECT_EQ(written(), 0U);
}

TEST_F(EndingsBookTest, WhatCannotBeProvenIsToldAndLeftAlone) {
  Bench bench;
  auto& s = half_ended(bench);
  s.seize_error = EMFILE;
  bench.log.clear();
  live(bench);
  EXPECT_THAT(bench.log, ElementsAre("seize again pts/0"));
  ASSERT_EQ(reported_.size(), 1U);
  EXPECT_EQ(reported_[0].happened, Happened::terminate_failed);
  EXPECT_THAT(reported_[0].detail, HasSubstr("cannot seize"));
}

TEST_F(EndingsBookTest, WhatWasBegunCountsForTheCap) {
  Bench bench;
  half_ended(bench);
  auto& other = bench.add(1);
  other.verdict.warn = Seconds(0);
  EndingsBook kept = book();
  Warden warden(bench, {.max_per_minute = 1, .protected_leaders = {}}, &kept);
  bench.running = &warden;
  bench.now = at(701);
  for (const BegunEnding& begun : kept.open()) warden.adopt(begun, false, bench.now);
  bench.step(701);
  EXPECT_EQ(bench.state(other), State::held);
}

}  // namespace
}  // namespace idlewarden

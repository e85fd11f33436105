// SPDX-License-Identifier: Apache-2.0
#include "enforce/warden.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>

#include "bench.h"

namespace idlewarden {
namespace {

using test::at;
using test::Bench;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// --- enforce: the ordinary way

TEST(Warden, WarnsAndEndsOnTimeInTheRightOrder) {
  Bench b;
  auto& s = b.add();
  EXPECT_THAT(b.step(639), IsEmpty());
  EXPECT_EQ(b.wake, at(640));
  const auto warned = b.step(640);
  ASSERT_EQ(warned.size(), 1u);
  EXPECT_EQ(warned[0].idle, Seconds(540));
  EXPECT_EQ(warned[0].limit, Seconds(600));
  EXPECT_EQ(warned[0].detail, "");
  EXPECT_EQ(b.state(s), State::warned);
  EXPECT_EQ(b.wake, at(700));
  EXPECT_THAT(b.step(699.9), IsEmpty());
  EXPECT_THAT(b.step(700.2), IsEmpty());  // the end is observed, not assumed
  EXPECT_EQ(b.state(s), State::ending);
  EXPECT_EQ(b.wake, at(705.2));
  const auto ended = b.step(700.25);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].cause, Cause::idle);
  EXPECT_EQ(ended[0].lateness, std::chrono::milliseconds(250));
  EXPECT_EQ(ended[0].detail, "hang-up");
  EXPECT_THAT(b.log,
              ElementsAre("seize pts/0", "look pts/0", "say ends in 1m pts/0", "<warned> pts/0",
                          "seize pts/0", "look pts/0", "hang up pts/0", "<terminated> pts/0"));
  EXPECT_EQ(b.wake, std::nullopt);
}

TEST(Warden, LeavesTimeToReadTheLastMessageAndToTakeItBack) {
  struct Moments {
    double before, said, typed, hang_up;
  };
  // In time it is written before the limit; who looks too late says it then.
  for (const Moments when : {Moments{699.9, 699.92, 699.97, 700}, {699.9, 700, 700.06, 700.08}}) {
    for (const bool types : {false, true}) {
      SCOPED_TRACE(fmt::format("said {}, types {}", when.said, types));
      Bench b;
      auto& s = b.add();
      s.verdict.warn = Seconds(0);
      s.verdict.messages.end = "ended after {idle}, {left} left";
      EXPECT_THAT(b.step(when.before), IsEmpty());
      EXPECT_EQ(b.wake, at(699.92));
      EXPECT_THAT(b.step(when.said), IsEmpty());
      EXPECT_THAT(b.log,
                  ElementsAre("seize pts/0", "look pts/0", "say ended after 10m, 0s left pts/0"));
      EXPECT_EQ(b.wake, at(when.hang_up));
      EXPECT_THAT(b.step(when.said + 0.03), IsEmpty());
      EXPECT_EQ(b.log.size(), 3u);
      if (types) s.typed_unseen = at(when.typed);
      b.step(when.hang_up);
      EXPECT_EQ(std::ranges::count(b.log, "hang up pts/0"), types ? 0 : 1);
      EXPECT_EQ(std::ranges::count(b.log, "<resumed> pts/0"), types ? 1 : 0);
      b.run_until(800);
      EXPECT_EQ(std::ranges::count(b.log, "hang up pts/0"), types ? 0 : 1);
      if (!types) continue;
      EXPECT_EQ(b.wake, s.last_activity + Seconds(600) - std::chrono::milliseconds(80));
    }
  }
}

TEST(Warden, TheLastMessageIsTakenBackByWhateverTakesTheEndBack) {
  using Change = void (*)(Verdict&);
  const Change changes[] = {
      [](Verdict& v) { v.limit = Seconds(3600); }, [](Verdict& v) { v.limit.reset(); },
      [](Verdict& v) { v.mode = Mode::audit; }, [](Verdict& v) { v.action = Action::alert; }};
  for (const Change change : changes) {
    Bench b;
    auto& s = b.add();
    s.verdict.warn = Seconds(0);
    s.verdict.messages.end = "ended";
    b.step(699.92);
    change(s.verdict);
    b.run_until(800);
    EXPECT_EQ(std::ranges::count(b.log, "say ended pts/0"), 1);
    EXPECT_EQ(std::ranges::count(b.log, "<resumed> pts/0"), 1);
    EXPECT_EQ(std::ranges::count(b.log, "hang up pts/0"), 0);
  }
}

TEST(Warden, TheLastMessageComesInTimeAfterAWarning) {
  Bench b;
  auto& s = b.add();
  s.verdict.messages = {"warn", "ended"};
  b.step(640);
  EXPECT_EQ(b.wake, at(700) - std::chrono::milliseconds(80));
  b.run_until(710);
  EXPECT_THAT(b.log, ElementsAre("seize pts/0", "look pts/0", "say warn pts/0", "<warned> pts/0",
                                 "seize pts/0", "look pts/0", "say ended pts/0", "seize pts/0",
                                 "look pts/0", "hang up pts/0", "<terminated> pts/0"));
}

// The limit grows, or a warning is wanted, when the last message is written already.
TEST(Warden, AnEndThatIsPutOffIsToldAgain) {
  for (const bool warn : {false, true}) {
    Bench b;
    auto& s = b.add();
    s.verdict.messages = {"warn", "ended"};
    s.verdict.warn = Seconds(warn ? 0 : 300);
    b.run_until(699.95);
    EXPECT_EQ(std::ranges::count(b.log, "say ended pts/0"), 1);
    s.verdict.limit = Seconds(warn ? 600 : 800);
    s.verdict.warn = Seconds(warn ? 120 : 300);
    const auto last = b.run_until(1000).back();
    EXPECT_EQ(last.happened, Happened::terminated);
    EXPECT_EQ(std::ranges::count(b.log, "say ended pts/0"), 2);
    ASSERT_GE(b.log.size(), 5u);
    EXPECT_EQ(b.log[b.log.size() - 5], "say ended pts/0");
  }
}

TEST(Warden, AtTheCapNobodyIsToldOfAnEndThatIsHeld) {
  Bench b;
  b.running->set_max_per_minute(0);
  auto& s = b.add();
  s.verdict.warn = Seconds(0);
  s.verdict.messages.end = "ended";
  EXPECT_THAT(b.step(699.95), IsEmpty());
  EXPECT_EQ(b.wake, at(700));
  EXPECT_EQ(b.state(s), State::active);
  b.step(700);
  EXPECT_EQ(b.state(s), State::held);
  EXPECT_THAT(b.log, Not(Contains(StartsWith("say"))));
}

TEST(Warden, AskedTooOftenSaysNothingTwice) {
  Bench b;
  b.add();
  for (double t = 100; t < 720; t += 0.5) b.step(t);
  EXPECT_EQ(std::ranges::count(b.log, "<warned> pts/0"), 1);
  EXPECT_EQ(std::ranges::count(b.log, "hang up pts/0"), 1);
  EXPECT_EQ(std::ranges::count(b.log, "<terminated> pts/0"), 1);
}

TEST(Warden, NoWarningWhereNoneIsWanted) {
  Bench b;
  b.add().verdict.warn = Seconds(0);
  b.run_until(710);
  EXPECT_THAT(b.log,
              ElementsAre("seize pts/0", "look pts/0", "hang up pts/0", "<terminated> pts/0"));
}

TEST(Warden, TheWarningIsAtMostHalfOfTheLimitThatHolds) {
  Bench b;
  auto& s = b.add();
  s.verdict.limit = Seconds(10);
  b.step(104.9);
  EXPECT_EQ(b.wake, at(105));
  b.run_until(120);
  EXPECT_THAT(b.log, Contains("say ends in 5s pts/0"));
}

TEST(Warden, AnEmptyMessageIsNotWritten) {
  Bench b;
  b.add().verdict.messages = {};
  b.run_until(710);
  EXPECT_THAT(b.log, Not(Contains(StartsWith("say"))));
  EXPECT_THAT(b.log, AllOf(Contains("<warned> pts/0"), Contains("<terminated> pts/0")));
}

TEST(Warden, ATtyThatTakesNothingDoesNotStopTheEnd) {
  Bench b;
  auto& s = b.add();
  s.say_error = EAGAIN;
  const auto all = b.run_until(710);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_THAT(all[0].detail, HasSubstr("could not be written"));
  EXPECT_EQ(all[1].happened, Happened::terminated);
}

// --- input takes it back

TEST(Warden, InputAfterTheWarningResumesAtOnce) {
  Bench b;
  auto& s = b.add();
  b.step(650);
  s.last_activity = at(660);
  const auto t = b.step(660.1);
  ASSERT_EQ(t.size(), 1u);
  EXPECT_EQ(t[0].happened, Happened::resumed);
  EXPECT_EQ(t[0].detail, "");
  EXPECT_EQ(b.state(s), State::active);
  EXPECT_EQ(b.wake, at(1200));
  b.run_until(1300);
  EXPECT_EQ(std::ranges::count(b.log, "<warned> pts/0"), 2);  // the next idle period, warned anew
}

TEST(Warden, InputThatOnlyTheSecondLookKnowsOfSparesTheSession) {
  Bench b;
  auto& s = b.add();
  b.step(640);
  s.typed_unseen = at(699.999);
  const auto t = b.step(700);
  ASSERT_EQ(t.size(), 1u);
  EXPECT_EQ(t[0].happened, Happened::resumed);
  EXPECT_THAT(b.log, Not(Contains(HasSubstr("hang up"))));
  EXPECT_EQ(b.state(s), State::active);
}

TEST(Warden, InputThatOnlyTheSecondLookKnowsOfSparesFromTheWarning) {
  Bench b;
  b.add().typed_unseen = at(649);
  EXPECT_THAT(b.step(650), IsEmpty());
  EXPECT_THAT(b.log, ElementsAre("seize pts/0", "look pts/0"));
}

TEST(Warden, InputJustAfterWhatTheListKnowsMovesTheEndByNoMore) {
  Bench b;
  auto& s = b.add();
  s.verdict.warn = Seconds(0);
  s.typed_unseen = at(100.3);
  b.step(700);
  s.last_activity = at(100);  // the list still has it so
  EXPECT_EQ(b.wake, at(700.3));
  b.step(700.1);
  EXPECT_EQ(std::ranges::count(b.log, "seize pts/0"), 1);  // what was learnt is not forgotten
  b.run_until(700.4);
  EXPECT_THAT(b.log, Contains("<terminated> pts/0"));
}

TEST(Warden, ASessionThatTheSecondLookDoesNotFindIsLeftAlone) {
  Bench b;
  auto& s = b.add();
  b.step(640);
  s.there = false;
  EXPECT_THAT(b.step(700), IsEmpty());
  EXPECT_THAT(b.log, Not(Contains(HasSubstr("hang up"))));
  EXPECT_EQ(b.wake, at(701));
}

TEST(Warden, AnotherIdentityInTheSecondLookIsNotTheSession) {
  Bench b;
  auto& s = b.add();
  b.step(640);
  Session other = s.session;
  other.id.start = at(600);  // the pid was reused
  const Observation mine{&s.session, &s.verdict, s.last_activity, false};
  const Observation others{&other, &s.verdict, s.last_activity, false};
  b.warden.step(at(700), {mine}, [&](const SessionId&) { return others; });
  EXPECT_THAT(b.log, Not(Contains(HasSubstr("hang up"))));
}

TEST(Warden, ALastActivityInTheFutureOrBeforeTheBootIsNotIdleness) {
  Bench b;
  b.add(0).last_activity = at(1e9);
  b.add(1).last_activity = boot_time(~0ULL);
  b.run_until(100000);
  EXPECT_THAT(b.log, IsEmpty());
}

TEST(Warden, IdlenessIsNotCountedFromBeforeTheSession) {
  Bench b;
  auto& s = b.add();
  s.session.id.start = at(500);
  b.run_until(1039);
  EXPECT_THAT(b.log, IsEmpty());
}

TEST(Warden, NoLimitAndALimitOfZeroAreForEver) {
  Bench b;
  b.add(0).verdict.limit.reset();
  auto& zero = b.add(1);
  zero.verdict.limit = Seconds(0);
  zero.verdict.max_session = Seconds(0);
  b.run_until(1e7);
  EXPECT_THAT(b.log, IsEmpty());
  EXPECT_EQ(b.wake, std::nullopt);
}

// --- audit, alert, protected

TEST(Warden, AuditReportsOnceAndTouchesNothing) {
  Bench b;
  auto& s = b.add();
  s.verdict.mode = Mode::audit;
  EXPECT_THAT(b.run_until(699), IsEmpty());
  EXPECT_EQ(b.state(s), State::active);
  const auto all = b.run_until(5000);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].happened, Happened::would_terminate);
  EXPECT_EQ(all[0].idle, Seconds(600));
  EXPECT_EQ(b.state(s), State::expired);
  EXPECT_THAT(b.log, ElementsAre("look pts/0", "<would_terminate> pts/0"));
  s.last_activity = at(5001);
  b.run_until(9000);
  EXPECT_THAT(b.log, ElementsAre("look pts/0", "<would_terminate> pts/0", "<resumed> pts/0",
                                 "look pts/0", "<would_terminate> pts/0"));
}

TEST(Warden, AuditReportsNobodyWhoHasJustTyped) {
  Bench b;
  auto& s = b.add();
  s.verdict.mode = Mode::audit;
  s.typed_unseen = at(699.9);
  EXPECT_THAT(b.step(700), IsEmpty());
  EXPECT_EQ(b.wake, at(1299.9));
}

TEST(Warden, ARuleThatOnlyAlertsIsAudit) {
  Bench b;
  b.add().verdict.action = Action::alert;
  b.run_until(900);
  EXPECT_THAT(b.log, ElementsAre("look pts/0", "<would_terminate> pts/0"));
}

TEST(Warden, ProtectedLeadersAreReportedAndNeverTouched) {
  Bench b({.protected_leaders = {1000}});
  b.add(0);
  b.add(1).session.id.leader = 1;
  b.add(2).session.id.leader = ::getpid();
  const auto all = b.run_until(5000);
  ASSERT_EQ(all.size(), 3u);
  for (const Transition& t : all) {
    EXPECT_EQ(t.happened, Happened::would_terminate);
    EXPECT_THAT(t.detail, HasSubstr("spared"));
  }
  EXPECT_THAT(b.log, Not(Contains(HasSubstr("seize"))));
}

TEST(Warden, WhoHasThePidOfAProtectedLeaderIsNone) {
  Bench b({.protected_leaders = {1000, 1001}, .protected_since = at(150)});
  b.add(0);
  b.add(1).session.id.start = at(151);
  b.run_until(800);
  EXPECT_THAT(b.log, Contains("<would_terminate> pts/0"));
  EXPECT_THAT(b.log, Contains("<terminated> pts/1"));
}

TEST(Warden, FromAuditToEnforceIsWarnedFirst) {
  Bench b;
  auto& s = b.add();
  s.verdict.mode = Mode::audit;
  b.run_until(5000);
  s.verdict.mode = Mode::enforce;
  b.log.clear();
  b.step(5001);
  EXPECT_EQ(b.state(s), State::warned);
  EXPECT_THAT(b.run_until(5059), IsEmpty());
  const auto all = b.run_until(5061);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].happened, Happened::terminated);
  EXPECT_LT(all[0].lateness, Seconds(1));  // measured from the deadline that was announced
}

TEST(Warden, FromEnforceToAuditTakesTheWarningBack) {
  Bench b;
  auto& s = b.add();
  b.step(650);
  s.verdict.mode = Mode::audit;
  const auto t = b.step(660);
  ASSERT_EQ(t.size(), 1u);
  EXPECT_EQ(t[0].happened, Happened::resumed);
  EXPECT_NE(t[0].detail, "");
  b.run_until(900);
  EXPECT_THAT(b.log, Not(Contains("hang up pts/0")));
  EXPECT_THAT(b.log, Contains("<would_terminate> pts/0"));
}

TEST(Warden, AWarningFromBeforeAnAuditIsOver) {
  Bench b({.max_per_minute = 0, .protected_leaders = {}});
  auto& s = b.add();
  b.run_until(750);
  ASSERT_EQ(b.state(s), State::held);
  s.verdict.mode = Mode::audit;
  b.step(760);
  EXPECT_EQ(b.state(s), State::expired);
  s.verdict.mode = Mode::enforce;
  b.warden.set_max_per_minute(60);
  b.step(5000);
  EXPECT_EQ(b.state(s), State::warned);
  EXPECT_EQ(std::ranges::count(b.log, "<warned> pts/0"), 2);
}

TEST(Warden, WhatHasBegunIsFinishedEvenInAudit) {
  Bench b;
  auto& s = b.add();
  s.dies_of = {SIGKILL};
  b.run_until(701);
  ASSERT_EQ(b.state(s), State::ending);
  s.verdict.mode = Mode::audit;
  b.run_until(730);
  EXPECT_THAT(b.log, Contains("<terminated> pts/0"));
}

// --- limits that change

TEST(Warden, ALimitThatGrowsTakesTheWarningBack) {
  Bench b;
  auto& s = b.add();
  b.step(650);
  s.verdict.limit = Seconds(3600);
  const auto t = b.step(651);
  ASSERT_EQ(t.size(), 1u);
  EXPECT_EQ(t[0].happened, Happened::resumed);
  EXPECT_EQ(b.wake, at(100 + 3600 - 60));
}

TEST(Warden, ALimitThatShrinksBelowTheIdleTimeIsWarnedOfFirst) {
  Bench b;
  auto& s = b.add();
  b.step(500);
  s.verdict.limit = Seconds(120);
  b.step(501);
  EXPECT_EQ(b.state(s), State::warned);
  b.run_until(559);
  EXPECT_EQ(b.state(s), State::warned);
  b.run_until(562);
  EXPECT_THAT(b.log, Contains("<terminated> pts/0"));
}

TEST(Warden, AJobHasItsOwnLimit) {
  Bench b;
  auto& s = b.add();
  s.verdict.job_limit = Seconds(4000);
  s.job_running = true;
  b.run_until(4039);
  EXPECT_THAT(b.log, IsEmpty());
  s.job_running = false;  // done; whoever waited for it can still press a key
  b.step(4039.5);
  EXPECT_EQ(b.state(s), State::warned);
  b.run_until(4110);
  EXPECT_THAT(b.log, Contains("<terminated> pts/0"));
}

TEST(Warden, AJobLimitNeverTightensNoLimit) {
  Bench b;
  auto& s = b.add();
  s.verdict.limit.reset();
  s.verdict.job_limit = Seconds(10);
  s.job_running = true;
  b.run_until(9999);
  EXPECT_THAT(b.log, IsEmpty());
}

TEST(Warden, AWholeSessionHasItsLimitTypingOrNot) {
  Bench b;
  auto& s = b.add();
  s.verdict.max_session = Seconds(3600);
  for (double t = 100; t < 3650; t += 10) {
    s.last_activity = at(t);
    b.step(t);
  }
  EXPECT_THAT(b.log,
              ElementsAre("seize pts/0", "look pts/0", "say ends in 1m pts/0", "<warned> pts/0"));
  s.last_activity = at(3699.9);
  EXPECT_THAT(b.step(3699.9), IsEmpty());
  b.step(3700);
  const auto t = b.step(3700.1);
  ASSERT_EQ(t.size(), 1u);
  EXPECT_EQ(t[0].happened, Happened::terminated);
  EXPECT_EQ(t[0].cause, Cause::max_session);
  EXPECT_EQ(t[0].limit, Seconds(3600));
}

TEST(Warden, AWholeSessionBeginsWithTheLogin) {
  Bench b;
  auto& s = b.add();
  s.verdict.max_session = Seconds(500);
  s.session.login = at(400);
  s.last_activity = at(400);
  b.run_until(839.9);
  EXPECT_THAT(b.log, IsEmpty());
  s.last_activity = at(839.9);
  b.run_until(905);
  EXPECT_THAT(b.log, Contains("<terminated> pts/0"));
}

TEST(Warden, InputEndsAnIdleWarningEvenWhenTheWholeSessionIsNearlyOver) {
  Bench b;
  auto& s = b.add();
  s.verdict.max_session = Seconds(620);
  b.step(650);
  s.last_activity = at(690);
  b.step(690);
  EXPECT_THAT(b.log, Contains("<resumed> pts/0"));
  EXPECT_EQ(b.state(s), State::warned);  // of the session's whole length
  b.run_until(760);
  EXPECT_THAT(b.log, Contains("<terminated> pts/0"));
}

TEST(Warden, AfterASleepOfTheMachineThereIsAWarningFirst) {
  Bench b;
  auto& s = b.add();
  b.step(300);
  b.step(30000);
  EXPECT_EQ(b.state(s), State::warned);
  s.last_activity = at(30030);
  b.run_until(30100);
  EXPECT_THAT(b.log, Not(Contains("hang up pts/0")));
}

// --- the cap

TEST(Warden, HoldsWhatIsMoreThanTheCapAndGoesOnWhenTheWindowFrees) {
  Bench b({.max_per_minute = 3, .protected_leaders = {}});
  for (unsigned n = 0; n < 8; ++n) b.add(n);
  b.run_until(701);
  const auto count = [&](const std::string& what) {
    return std::ranges::count_if(b.log, [&](const auto& l) { return l.starts_with(what); });
  };
  EXPECT_EQ(count("hang up"), 3);
  EXPECT_EQ(count("<held>"), 5);
  EXPECT_EQ(b.state(b.subjects[7]), State::held);
  EXPECT_EQ(b.wake, at(760));
  b.subjects[7].last_activity = at(730);
  b.step(730);
  EXPECT_EQ(count("<resumed>"), 1);
  b.run_until(759.9);
  EXPECT_EQ(count("hang up"), 3);
  b.run_until(761);
  EXPECT_EQ(count("hang up"), 6);
  b.run_until(900);
  EXPECT_EQ(count("hang up"), 7);
  EXPECT_EQ(count("<held>"), 5);
}

// Somebody who answers every last message would keep the others from their ends.
TEST(Warden, AnEndThatInputTakesBackDoesNotCount) {
  for (const bool unseen : {false, true}) {
    SCOPED_TRACE(unseen);
    Bench b({.max_per_minute = 1, .protected_leaders = {}});
    for (unsigned n = 0; n < 2; ++n) {
      auto& s = b.add(n);
      s.verdict.warn = Seconds(0);
      s.verdict.messages.end = "ended";
      s.last_activity = at(100 + 0.01 * n);
    }
    b.run_until(699.95);
    ASSERT_THAT(b.log, Contains("say ended pts/0"));
    if (unseen) {
      b.subjects[0].typed_unseen = at(699.96);
    } else {
      b.subjects[0].last_activity = at(699.96);
    }
    b.run_until(699.99);
    EXPECT_EQ(std::ranges::count(b.log, "say ended pts/1"), unseen ? 0 : 1);
    b.run_until(701);
    EXPECT_THAT(b.log, Contains("<terminated> pts/1"));
    EXPECT_THAT(b.log, Not(Contains("hang up pts/0")));
  }
}

TEST(Warden, AnEndThatDoesNotComeDoesNotCount) {
  using Change = void (*)(test::Subject&);
  const Change changes[] = {[](test::Subject& s) { s.listed = s.there = false; },
                            [](test::Subject& s) { s.seize_error = EMFILE; },
                            [](test::Subject& s) { s.verdict.limit = Seconds(3600); },
                            [](test::Subject& s) { s.verdict.mode = Mode::audit; }};
  for (const Change change : changes) {
    Bench b({.max_per_minute = 1, .protected_leaders = {}});
    b.add(0).verdict.messages.end = "ended";
    b.add(1).last_activity = at(100.5);
    b.run_until(699.95);
    ASSERT_THAT(b.log, Contains("say ended pts/0"));
    change(b.subjects[0]);
    b.run_until(702);
    EXPECT_THAT(b.log, Not(Contains("hang up pts/0")));
    EXPECT_THAT(b.log, Contains("<terminated> pts/1"));
  }
}

TEST(Warden, AHangUpThatFoundNobodyDoesNotCount) {
  for (const int error : {ESRCH, EAGAIN}) {
    Bench b({.max_per_minute = 1, .protected_leaders = {}});
    b.add(0).hang_up_error = error;
    b.add(1).last_activity = at(100.5);
    b.run_until(700);
    EXPECT_THAT(b.log, Contains("hang up pts/0"));
    b.subjects[0].listed = b.subjects[0].there = false;
    b.run_until(702);
    EXPECT_THAT(b.log, Contains("<terminated> pts/1"));
    EXPECT_THAT(b.log, Not(Contains("<held> pts/1")));
  }
}

TEST(Warden, AtTheCapTheLongestOverdueComesFirst) {
  Bench b({.max_per_minute = 1, .protected_leaders = {}});
  for (unsigned n = 0; n < 4; ++n) b.add(n).last_activity = at(120 - 5 * n);
  b.run_until(1000);
  std::vector<std::string> ends;
  std::ranges::copy_if(b.log, std::back_inserter(ends),
                       [](const auto& l) { return l.starts_with("hang up"); });
  EXPECT_THAT(ends,
              ElementsAre("hang up pts/3", "hang up pts/2", "hang up pts/1", "hang up pts/0"));
}

// Each of them uses its place up in vain, once a minute.
TEST(Warden, AtTheCapWhoCannotBeEndedComesBehindWhoWaited) {
  Bench b({.max_per_minute = 1, .protected_leaders = {}});
  for (unsigned n = 0; n < 2; ++n) b.add(n).hang_up_error = EPERM;
  b.add(2).last_activity = at(101);
  b.run_until(830);
  EXPECT_THAT(b.log, Contains("<terminated> pts/2"));
}

TEST(Warden, ACapOfZeroHoldsAll) {
  Bench b({.max_per_minute = 0, .protected_leaders = {}});
  auto& s = b.add();
  b.run_until(5000);
  EXPECT_EQ(b.state(s), State::held);
  EXPECT_EQ(b.wake, std::nullopt);
  b.warden.set_max_per_minute(1);
  b.run_until(5010);
  EXPECT_THAT(b.log, Contains("<terminated> pts/0"));
}

TEST(Warden, AThousandAtOnce) {
  Bench b({.max_per_minute = 1000, .protected_leaders = {}});
  for (unsigned n = 0; n < 1000; ++n) b.add(n);
  b.run_until(702);
  EXPECT_EQ(std::ranges::count_if(b.log, [](const auto& l) { return l.starts_with("<term"); }),
            1000);
}

// --- resistance

TEST(Warden, PressesHarderAGraceApart) {
  Bench b;
  auto& s = b.add();
  s.dies_of = {SIGKILL};
  const auto all = b.run_until(720);
  EXPECT_EQ(all.back().detail, "hang-up, SIGTERM, SIGKILL");
  EXPECT_EQ(all.back().lateness, std::chrono::milliseconds(10010));
  b.log.erase(b.log.begin(), b.log.begin() + 6);
  EXPECT_THAT(b.log, ElementsAre("hang up pts/0", "signal 15 pts/0", "signal 18 pts/0",
                                 "signal 9 pts/0", "<terminated> pts/0"));
}

TEST(Warden, WhatDoesNotAnswerForAWhileMissesNoStep) {
  Bench b;
  auto& s = b.add();
  s.dies_of = {SIGTERM};
  s.silent_until = at(712);  // SIGTERM is due at 705
  const auto all = b.run_until(720);
  EXPECT_EQ(all.back().happened, Happened::terminated);
  EXPECT_EQ(all.back().detail, "hang-up, SIGTERM");
  EXPECT_GE(all.back().lateness, std::chrono::seconds(12));
  EXPECT_LE(all.back().lateness, std::chrono::seconds(14));
}

TEST(Warden, WhatNeverAnswersIsSaid) {
  Bench b;
  auto& s = b.add();
  s.dies_of = {};
  s.silent_until = at(5000);
  const auto all = b.run_until(2000);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].happened, Happened::terminate_failed);
  EXPECT_THAT(all[1].detail, HasSubstr("SIGTERM failed (process 7 does not answer"));
}

TEST(Warden, ALeaderThatComesAgainWithoutItsTtyIsNotEndedTwice) {
  Bench b;
  auto& s = b.add();
  s.dies_of = {9};
  b.run_until(701);
  ASSERT_EQ(b.state(s), State::ending);
  s.listed = false;
  auto& again = b.add(1);
  again.session.id = {s.session.id.leader, s.session.id.start, 0};
  again.verdict.limit = Seconds(1);
  b.run_until(709);
  EXPECT_THAT(b.log, Not(Contains(EndsWith("pts/1"))));
  EXPECT_EQ(b.state(again), State::active);
  again.session.id.start += Seconds(1);  // somebody else has a limit of its own
  b.run_until(712);
  EXPECT_THAT(b.log, Contains("hang up pts/1"));
  EXPECT_EQ(std::ranges::count(b.log, "<terminated> pts/0"), 1);
}

TEST(Warden, SaysWhenNothingHelpsAndStillSeesTheEnd) {
  Bench b;
  auto& s = b.add();
  s.dies_of = {};
  const auto all = b.run_until(2000);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].happened, Happened::terminate_failed);
  EXPECT_THAT(all[1].detail, AllOf(HasSubstr("SIGKILL"), HasSubstr("leader")));
  EXPECT_EQ(b.wake, std::nullopt);
  EXPECT_THAT(b.warden.leader_fds(), ElementsAre(1000));
  s.leader_alive = false;
  const auto t = b.step(2001);
  ASSERT_EQ(t.size(), 1u);
  EXPECT_EQ(t[0].happened, Happened::terminated);
  EXPECT_THAT(b.warden.leader_fds(), IsEmpty());
}

TEST(Warden, AStuckHostIsPressedOnlyAfterAGrace) {
  Bench b;
  auto& s = b.add();
  s.host_stuck = true;
  s.host_dies_of = {SIGKILL};
  const auto all = b.run_until(730);
  EXPECT_EQ(all.back().happened, Happened::terminated);
  EXPECT_EQ(all.back().detail,
            "hang-up, SIGTERM to host process 5000, SIGKILL to host process 5000");
  EXPECT_LT(all.back().lateness, Seconds(1));  // of the leader
}

TEST(Warden, AHostIsWaitedForThatMayYetTurnOutToBeStuck) {
  Bench b;
  auto& s = b.add();
  s.host_unsettled = true;
  b.run_until(700.5);
  EXPECT_EQ(b.state(s), State::ending);
  EXPECT_LE(*b.wake, b.now + std::chrono::milliseconds(100)) << "it is asked often";
  s.host_unsettled = false;
  s.host_stuck = true;
  const auto all = b.run_until(730);
  EXPECT_EQ(all.back().detail, "hang-up, SIGTERM to host process 5000");
}

TEST(Warden, AHostThatDoesNotSettleByTheFirstSignalGetsNone) {
  Bench b;
  auto& s = b.add();
  s.host_unsettled = true;
  b.run_until(704);
  EXPECT_EQ(b.state(s), State::ending);
  const auto all = b.run_until(730);
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all.back().detail, "hang-up");
  EXPECT_THAT(b.log, Not(Contains(HasSubstr("signal"))));
}

TEST(Warden, AHostThatIsUsedAfterSigtermGetsNoSigkill) {
  Bench b;
  auto& s = b.add();
  s.host_stuck = true;
  s.host_dies_of = {SIGKILL};
  b.run_until(706);
  EXPECT_THAT(b.log, Contains("signal host 15 pts/0"));
  s.host_stuck = false;
  const auto all = b.run_until(730);
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all.back().detail, "hang-up, SIGTERM to host process 5000");
  EXPECT_THAT(b.log, Not(Contains("signal host 9 pts/0")));
}

TEST(Warden, AHostThatDrainsIsNeverSignalled) {
  Bench b;
  auto& s = b.add();
  s.host_stuck = true;
  b.run_until(703);
  s.host_stuck = false;
  b.run_until(703.2);
  EXPECT_THAT(b.log, Contains("<terminated> pts/0"));
  EXPECT_THAT(b.log, Not(Contains(HasSubstr("signal"))));
}

TEST(Warden, AHostThatAnotherSessionLivesOnIsNeverSignalled) {
  Bench b;
  auto& s = b.add(0);
  s.host_stuck = true;
  auto& neighbour = b.add(1);
  neighbour.session.host = s.session.host;
  neighbour.last_activity = at(690);
  b.run_until(800);
  EXPECT_THAT(b.log, Contains("<terminated> pts/0"));
  EXPECT_THAT(b.log, Not(Contains(HasSubstr("signal"))));
}

TEST(Warden, AHostThatAnotherEndingSessionStillLivesOnWaitsForIt) {
  Bench b;
  b.add(0).host_stuck = true;
  auto& neighbour = b.add(1);
  neighbour.session.host = b.subjects[0].session.host;
  neighbour.dies_of = {};
  b.run_until(800);
  EXPECT_THAT(b.log, Contains("<terminated> pts/0"));
  EXPECT_THAT(b.log, Not(Contains(HasSubstr("signal host"))));
}

TEST(Warden, SurvivorsAreKilledOnlyWhereTheRuleSaysSo) {
  for (const bool wanted : {false, true}) {
    Bench b;
    b.add().verdict.kill_survivors = wanted;
    b.run_until(710);
    EXPECT_EQ(std::ranges::count(b.log, "kill survivors pts/0"), wanted ? 1 : 0);
    EXPECT_THAT(b.log, Contains("<terminated> pts/0"));
  }
}

// mosh-server stays in the scope of the ssh login that started it.
TEST(Warden, SurvivorsInAScopeWithAnotherSessionAreLeftAlone) {
  for (const bool other_is_idle : {false, true}) {
    Bench b;
    auto& one = b.add(0);
    one.verdict.kill_survivors = true;
    one.cgroup = "/user.slice/session-5.scope";
    auto& neighbour = b.add(1);
    neighbour.cgroup = "/user.slice/session-5.scope/inner";
    if (!other_is_idle) neighbour.last_activity = at(690);
    b.run_until(710);
    EXPECT_EQ(std::ranges::count(b.log, "kill survivors pts/0"), other_is_idle ? 1 : 0);
    EXPECT_THAT(b.log, Contains("<terminated> pts/0"));
  }
}

// logind may move a login after it was found.
TEST(Warden, WhoLivesInAScopeIsAskedWhenItsSurvivorsAreDue) {
  struct Case {
    const char* before;
    const char* then;
    int error;
    const char* says;
  };
  for (const Case& c :
       {Case{"/", "/session-5.scope", 0, "another session lives in its scope"},
        Case{"/session-5.scope", "/session-50.scope", 0, "survivors killed"},
        Case{"/", "/", EMFILE, "cannot be told whether another session lives in its scope"},
        Case{"/session-5.scope", "/session-5.scope", ENOENT, "survivors killed"}}) {
    SCOPED_TRACE(c.then);
    Bench b;
    auto& one = b.add(0);
    one.verdict.kill_survivors = true;
    one.cgroup = "/session-5.scope";
    auto& neighbour = b.add(1);
    neighbour.last_activity = at(690);
    neighbour.cgroup = c.before;
    EXPECT_THAT(b.run_until(704),
                Not(Contains(testing::Field(&Transition::happened, Happened::terminated))));
    neighbour.cgroup = c.then;
    neighbour.cgroup_error = c.error;
    const auto last = b.run_until(710).back();
    EXPECT_EQ(last.happened, Happened::terminated);
    EXPECT_THAT(last.detail, HasSubstr(c.says));
    const bool killed = last.detail.contains("killed");
    EXPECT_EQ(std::ranges::count(b.log, "kill survivors pts/0"), killed ? 1 : 0);
  }
}

TEST(Warden, AConnectionWhoseProcessLiesInAScopeLivesThere) {
  Bench b;
  auto& one = b.add(0);
  one.verdict.kill_survivors = true;
  one.cgroup = "/session-5.scope";
  auto& neighbour = b.add(1);
  neighbour.last_activity = at(690);
  auto& host = b.add(2);
  host.listed = false;
  host.session.id.leader = neighbour.session.host;
  host.cgroup = "/session-5.scope";
  b.run_until(710);
  EXPECT_THAT(b.log, Not(Contains("kill survivors pts/0")));
}

TEST(Warden, SurvivorsOnASharedConnectionAreLeftAlone) {
  Bench b;
  b.add(0).verdict.kill_survivors = true;
  auto& neighbour = b.add(1);
  neighbour.session.host = b.subjects[0].session.host;
  neighbour.last_activity = at(690);
  b.run_until(710);
  EXPECT_THAT(b.log, Not(Contains(HasSubstr("survivors"))));
  EXPECT_THAT(b.log, Contains("<terminated> pts/0"));
}

TEST(Warden, TheConnectionItselfIsNoOtherSessionOnIt) {
  Bench b;
  auto& s = b.add(0);
  s.host_stuck = true;
  // What the table makes of a connection on which nothing runs any more.
  auto& bare = b.add(1);
  bare.session.id = {s.session.host, at(99), 0};
  bare.session.host = s.session.host;
  bare.session.tty_name = "bare";
  bare.last_activity = at(690);
  b.run_until(800);
  EXPECT_THAT(b.log, Contains("signal host 15 pts/0"));
}

// --- without a terminal

TEST(Warden, NobodyIsWarnedWithoutATerminal) {
  Bench b;
  auto& s = b.add();
  s.session.id.tty = 0;
  s.say_error = ENOTTY;
  const auto all = b.run_until(720);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].happened, Happened::terminated);
  EXPECT_LT(all[0].lateness, std::chrono::milliseconds(100));
  EXPECT_THAT(b.log, Not(Contains(HasSubstr("ends in"))));
}

TEST(Warden, InputThatOnlyTheSecondLookKnowsOfSparesASessionWithoutATerminal) {
  Bench b;
  auto& s = b.add();
  s.session.id.tty = 0;
  b.run_until(699);
  s.typed_unseen = at(699.5);
  b.run_until(1200);
  EXPECT_THAT(b.log, Not(Contains("hang up pts/0")));
}

// --- failures

TEST(Warden, ASessionThatIsGoneAlreadyIsNoEvent) {
  Bench b;
  auto& s = b.add();
  b.run_until(699);
  s.seize_error = ESRCH;
  EXPECT_THAT(b.step(700), IsEmpty());
  EXPECT_EQ(b.wake, at(701));
  s.listed = false;
  EXPECT_THAT(b.step(701), IsEmpty());
  EXPECT_EQ(b.wake, std::nullopt);
}

TEST(Warden, ATtyThatHungUpByItselfIsNoEvent) {
  Bench b;
  auto& s = b.add();
  b.run_until(699);
  s.hang_up_error = ESRCH;
  EXPECT_THAT(b.run_until(701), IsEmpty());
  s.listed = false;
  EXPECT_THAT(b.run_until(800), IsEmpty());
}

class AlwaysGone : public testing::TestWithParam<int test::Subject::*> {};
INSTANTIATE_TEST_SUITE_P(Calls, AlwaysGone,
                         testing::Values(&test::Subject::seize_error,
                                         &test::Subject::hang_up_error));

TEST_P(AlwaysGone, ASessionThatIsSaidToBeGoneAndStaysIsAFailure) {
  Bench b;
  auto& s = b.add();
  b.run_until(699);
  s.*GetParam() = ESRCH;
  EXPECT_THAT(b.run_until(709), IsEmpty());
  const auto told = b.run_until(1000);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].happened, Happened::terminate_failed);
  EXPECT_THAT(told[0].detail, HasSubstr("cannot "));
  s.*GetParam() = 0;
  b.run_until(1100);
  EXPECT_THAT(b.log, Contains("<terminated> pts/0"));
}

TEST(Warden, AFailureIsReportedOnceAndTriedAgainEveryMinute) {
  Bench b;
  auto& s = b.add();
  s.seize_error = EMFILE;
  const auto all = b.run_until(1000);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].happened, Happened::warned);
  EXPECT_THAT(all[0].detail, HasSubstr("cannot seize"));
  EXPECT_EQ(all[1].happened, Happened::terminate_failed);
  EXPECT_THAT(all[1].detail, HasSubstr("cannot seize"));
  EXPECT_LE(std::ranges::count(b.log, "seize pts/0"), 7);
  s.seize_error = 0;
  b.run_until(1070);
  EXPECT_THAT(b.log, Contains("<terminated> pts/0"));
}

TEST(Warden, AHangUpThatFailsIsAFailure) {
  Bench b;
  auto& s = b.add();
  s.hang_up_error = EPERM;
  const auto all = b.run_until(1000);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].happened, Happened::terminate_failed);
  EXPECT_THAT(b.log, Not(Contains(HasSubstr("signal"))));
  EXPECT_EQ(b.state(s), State::expired);
}

TEST(Warden, NamesAreForMachines) {
  EXPECT_EQ(to_string(State::ending), "ending");
  EXPECT_EQ(to_string(Happened::would_terminate), "would_terminate");
  EXPECT_EQ(to_string(Cause::max_session), "max_session");
}

}  // namespace
}  // namespace idlewarden

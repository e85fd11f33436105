// SPDX-License-Identifier: Apache-2.0
// Real programs, as an administrator would write them. A hook must belong to root, so these need
// it.
#include "report/hook.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/procfs.h"
#include "base/text.h"
#include "report/hook_process.h"
#include "samples.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using End = HookOutcome::End;

constexpr int kNeverGivesUp = -1;

class Hook : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "a hook must belong to root";
  }
  Hooks program(const std::string& script, Seconds timeout = Seconds(20)) const {
    return {.on_event = dir_.file("hook", "#!/bin/bash\n" + script, 0755),
            .events = {},
            .timeout = timeout,
            .where = {}};
  }
  std::string file(const std::string& name) const { return dir_.path() + "/" + name; }
  std::string content(const std::string& name) const {
    std::ostringstream out;
    out << std::ifstream(file(name)).rdbuf();
    return out.str();
  }
  std::vector<std::string> lines(const std::string& name) const {
    auto all = split(content(name), '\n');
    all.pop_back();
    return all;
  }
  template <class Condition>
  static bool within(std::chrono::seconds time, Condition condition) {
    const auto until = std::chrono::steady_clock::now() + time;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(10ms);
    }
    return true;
  }

  const test::TempDir dir_;
};

Event numbered(int n) {
  Event e = test::sample_event(EventType::warned);
  e.detail = std::to_string(n);
  return e;
}

TEST_F(Hook, IsToldTheEventInThreeWays) {
  const Hooks hooks = program("cat >" + file("in") + "; echo \"$# $0 $1\" >" + file("args") +
                              "; env >" + file("env"));
  const Event event = test::sample_event(EventType::terminated);
  const HookOutcome outcome = run_hook(hooks, event, kNeverGivesUp);
  EXPECT_EQ(outcome.end, End::well) << outcome.why;
  EXPECT_EQ(content("in"), to_json_line(event) + "\n");
  EXPECT_EQ(content("args"), "1 " + hooks.on_event + " terminated\n");
  const auto environment = lines("env");
  for (const std::string& expected : hook_environment(event)) {
    EXPECT_THAT(environment, Contains(expected));
  }
  EXPECT_THAT(environment, Contains("IDLEWARDEN_EVENT=terminated"));
  EXPECT_THAT(environment, Contains("IDLEWARDEN_USER=alice"));
  EXPECT_THAT(environment, Contains("IDLEWARDEN_IDLE_SECONDS=600.012"));
  EXPECT_THAT(environment, Contains("IDLEWARDEN_MESSAGE=" + to_human_line(event)));
  for (const std::string& line : environment) {
    EXPECT_THAT(line, MatchesRegex("(IDLEWARDEN_|PATH=|PWD=|SHLVL=|_=).*"));
    EXPECT_THAT(line, ::testing::Not(HasSubstr("CONTAINER"))) << "it is null in the event";
  }
}

TEST_F(Hook, NoTextOfAUserIsACommandOrAVariable) {
  Event event = test::hostile_event(EventType::warned);
  event.user = "$(touch " + file("owned") + ")`touch " + file("owned") + "`; touch " +
               file("owned") + "\nPATH=/nowhere\n() { :; }; touch " + file("owned");
  const HookOutcome outcome =
      run_hook(program("cat >" + file("in") + "; env >" + file("env")), event, kNeverGivesUp);
  EXPECT_EQ(outcome.end, End::well) << outcome.why;
  EXPECT_FALSE(std::filesystem::exists(file("owned")));
  for (const std::string& line : lines("env")) EXPECT_TRUE(test::is_clean(line, false)) << line;
  EXPECT_THAT(lines("env"), ::testing::Not(Contains("PATH=/nowhere")));
  EXPECT_EQ(nlohmann::json::parse(content("in"))["event"], "warned");
}

TEST_F(Hook, InheritsNothingOfTheDaemon) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &all, &before), 0);
  ::signal(SIGPIPE, SIG_IGN);
  const int left_open = ::dup(STDOUT_FILENO);  // without FD_CLOEXEC, as a library might
  const HookOutcome outcome = run_hook(
      program("ls /proc/$$/fd >" + file("fds") + "; ulimit -a >" + file("limits") + "; umask >" +
              file("umask") + "; pwd >" + file("cwd") + "; cut -d' ' -f5-7 /proc/$$/stat >" +
              file("stat") + "; echo $$ >>" + file("stat") + "\n# Not bash's own signals.\n" +
              "exec cat /proc/self/status >" + file("self")),
      numbered(1), kNeverGivesUp);
  ::close(left_open);
  ::signal(SIGPIPE, SIG_DFL);
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
  EXPECT_EQ(outcome.end, End::well) << outcome.why;

  const std::string status = content("self");
  for (const char* nothing : {"SigBlk", "SigIgn", "CapInh", "CapPrm", "CapEff", "CapAmb"}) {
    EXPECT_THAT(status, HasSubstr(std::string(nothing) + ":\t0000000000000000")) << status;
  }
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
  // Its standard streams, and bash's view of the script.
  for (const std::string& fd : lines("fds")) {
    EXPECT_TRUE(fd == "0" || fd == "1" || fd == "2" || fd == "255") << fd;
  }
  EXPECT_THAT(content("limits"), HasSubstr("core file size"));
  EXPECT_THAT(content("limits"), MatchesRegex(".*core file size[^\n]* 0\n.*"));
  EXPECT_THAT(content("limits"), MatchesRegex(".*open files[^\n]* 256\n.*"));
  EXPECT_THAT(content("limits"), MatchesRegex(".*data seg size[^\n]* 524288\n.*"));
  EXPECT_THAT(content("limits"), MatchesRegex(".*cpu time[^\n]* 20\n.*"));
  EXPECT_EQ(content("umask"), "0077\n");
  EXPECT_EQ(content("cwd"), "/\n");
  const auto stat = lines("stat");
  ASSERT_EQ(stat.size(), 2U);
  EXPECT_EQ(stat[0], stat[1] + " " + stat[1] + " 0") << "group, session, no terminal";
}

TEST_F(Hook, ThatFailsIsToldWithItsLastWords) {
  EXPECT_EQ(run_hook(program("echo connecting; echo 'no route to \x1b[31mhost' >&2; exit 7"),
                     numbered(1), kNeverGivesUp)
                .why,
            "exit status 7, having said \"no route to \\x1b[31mhost\"");
  EXPECT_EQ(run_hook(program("kill -SEGV $$"), numbered(1), kNeverGivesUp).why,
            "killed by SIGSEGV");
  EXPECT_EQ(run_hook(program("exit 1"), numbered(1), kNeverGivesUp).why, "exit status 1");
}

TEST_F(Hook, ThatCannotBeRunIsToldWhy) {
  Hooks hooks{.on_event = dir_.file("hook", "not a program", 0755), .events = {}, .where = {}};
  HookOutcome outcome = run_hook(hooks, numbered(1), kNeverGivesUp);
  EXPECT_EQ(outcome.end, End::failed);
  EXPECT_EQ(outcome.why, "cannot be run: Exec format error") << "it was given to a shell";
  std::filesystem::permissions(hooks.on_event, std::filesystem::perms(0777));
  outcome = run_hook(hooks, numbered(1), kNeverGivesUp);
  EXPECT_EQ(outcome.end, End::failed);
  EXPECT_THAT(outcome.why, HasSubstr("can be written by others than root"));
  hooks.on_event += ".gone";
  EXPECT_THAT(run_hook(hooks, numbered(1), kNeverGivesUp).why, HasSubstr("No such file"));
}

TEST_F(Hook, ThatHangsIsKilledWithItsChildren) {
  const auto began = std::chrono::steady_clock::now();
  const HookOutcome outcome = run_hook(program("trap '' TERM HUP INT\nsleep 600 &\necho $! $$ >" +
                                                   file("pids") + "\necho waiting\nwait; sleep 600",
                                               Seconds(1)),
                                       numbered(1), kNeverGivesUp);
  EXPECT_EQ(outcome.end, End::timed_out);
  EXPECT_EQ(outcome.why, "killed after 1 s, having said \"waiting\"");
  EXPECT_GE(std::chrono::steady_clock::now() - began, 1s);
  pid_t inner = 0;
  pid_t outer = 0;
  std::istringstream(content("pids")) >> inner >> outer;
  ASSERT_GT(inner, 0);
  EXPECT_TRUE(within(10s, [&] { return !Procfs().lives(inner) && !Procfs().lives(outer); }));
}

TEST_F(Hook, LeavesNobodyBehindInItsGroup) {
  const HookOutcome outcome =
      run_hook(program("sleep 600 &\necho $! >" + file("pid")), numbered(1), kNeverGivesUp);
  EXPECT_EQ(outcome.end, End::well) << outcome.why;
  pid_t left = 0;
  std::istringstream(content("pid")) >> left;
  ASSERT_GT(left, 0);
  EXPECT_TRUE(within(10s, [&] { return !Procfs().lives(left); }));
}

TEST_F(Hook, ThatPrintsWithoutEndIsCutOff) {
  const HookOutcome outcome =
      run_hook(program("exec yes", Seconds(60)), numbered(1), kNeverGivesUp);
  EXPECT_EQ(outcome.end, End::failed);
  EXPECT_EQ(outcome.why, "killed by SIGPIPE, having said \"y\"");
}

TEST_F(Hook, NeedNotReadItsInput) {
  EXPECT_EQ(run_hook(program("exec <&-; exit 0"), numbered(1), kNeverGivesUp).end, End::well);
}

TEST_F(Hook, IsRunForEachEventInTheirOrder) {
  HookRunner runner;
  runner.offer(numbered(0));  // nothing is configured: to nobody
  runner.configure(program("echo $IDLEWARDEN_DETAIL >>" + file("seen")));
  for (int i = 1; i <= 5; ++i) runner.offer(numbered(i));
  runner.finish(60s);
  EXPECT_EQ(content("seen"), "1\n2\n3\n4\n5\n");
  EXPECT_EQ(runner.counts().ok, 5U);
  EXPECT_EQ(runner.counts().dropped, 0U);
  EXPECT_EQ(runner.take_problem(), "");
}

TEST_F(Hook, IsRunForTheEventsThatItAskedFor) {
  HookRunner runner;
  Hooks hooks = program("echo $1 >>" + file("seen"));
  hooks.events = {EventType::terminated, EventType::held};
  runner.configure(hooks);
  for (const EventInfo& info : all_events()) runner.offer(test::sample_event(info.type));
  runner.finish(60s);
  EXPECT_EQ(content("seen"), "terminated\nheld\n");
}

TEST_F(Hook, AChangeHoldsFromTheNextRunOn) {
  HookRunner runner;
  Hooks hooks = program("echo old >>" + file("seen"));
  runner.configure(hooks);
  runner.offer(numbered(1));
  ASSERT_TRUE(within(60s, [&] { return runner.counts().ok == 1; }));
  hooks.on_event = dir_.file("other", "#!/bin/bash\necho new >>" + file("seen"), 0755);
  runner.configure(hooks);
  runner.offer(numbered(2));
  ASSERT_TRUE(within(60s, [&] { return runner.counts().ok == 2; }));
  runner.configure({});
  runner.offer(numbered(3));
  runner.finish(60s);
  EXPECT_EQ(content("seen"), "old\nnew\n");
  EXPECT_EQ(runner.counts().ok + runner.counts().dropped, 2U);
}

TEST_F(Hook, AProblemIsShownUntilARunEndsWell) {
  HookRunner runner;
  runner.configure(program("exec test -e " + file("mended")));
  runner.offer(numbered(1));
  ASSERT_TRUE(within(60s, [&] { return runner.counts().failed == 1; }));
  EXPECT_EQ(runner.take_problem(), "the hook " + file("hook") + ": exit status 1");
  dir_.file("mended", "");
  runner.offer(numbered(2));
  ASSERT_TRUE(within(60s, [&] { return runner.counts().ok == 1; }));
  EXPECT_EQ(runner.take_problem(), "");
}

TEST_F(Hook, AFailureIsToldThoughTheNextRunEndsWell) {
  HookRunner runner;
  runner.configure(program("exec test $IDLEWARDEN_DETAIL = 2"));
  for (int i = 1; i <= 2; ++i) runner.offer(numbered(i));
  ASSERT_TRUE(within(60s, [&] { return runner.counts().ok == 1; }));
  EXPECT_EQ(runner.take_problem(), "the hook " + file("hook") + ": exit status 1");
  EXPECT_EQ(runner.take_problem(), "");
}

// Whoever offers is the daemon's one thread: it must not notice that the program hangs.
TEST_F(Hook, ThatHangsLosesEventsAndHoldsNobodyUp) {
  HookRunner runner;
  runner.configure(program("echo >>" + file("begun") + "; sleep 600", Seconds(300)));
  runner.offer(numbered(0));
  ASSERT_TRUE(within(60s, [&] { return content("begun") == "\n"; }));
  const auto before = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < HookRunner::kQueued + 7; ++i) runner.offer(numbered(1));
  EXPECT_LT(std::chrono::steady_clock::now() - before, 5s) << "for what takes milliseconds";
  EXPECT_EQ(runner.counts().dropped, 7U);
  EXPECT_THAT(runner.take_problem(), HasSubstr("does not keep up: 1024 events wait for it"));
  const auto stopped = std::chrono::steady_clock::now();
  runner.finish(100ms);
  EXPECT_LT(std::chrono::steady_clock::now() - stopped, 60s);
  EXPECT_EQ(runner.counts().dropped, 7U + HookRunner::kQueued + 1) << "the running one, too";
  EXPECT_EQ(content("begun"), "\n");
}

}  // namespace
}  // namespace idlewarden

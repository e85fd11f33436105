// SPDX-License-Identifier: Apache-2.0
// The real Terminator against processes, ptys and mounts of the test's own. Needs root.
#include "enforce/terminate.h"

#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>

#include <fstream>

#include "enforce/own_scope.h"
#include "pty_child.h"
#include "support/silent_fs.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using std::chrono::milliseconds;
using test::ends_within;
using test::PtyChild;
using test::TempDir;
using testing::HasSubstr;

constexpr const char* kStubborn = "trap '' HUP TERM; echo ready; while :; do sleep 0.1; done";
constexpr const char* kPlain = "echo ready; while :; do sleep 1000; done";

class Terminate : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root may hang up a tty";
  }
  std::unique_ptr<Grip> seize(const PtyChild& child) {
    auto grip = terminator_->seize(child.session);
    EXPECT_TRUE(grip) << grip.error().text();
    return grip ? std::move(*grip) : nullptr;
  }
  // The errno of a seizure that must be refused; -1 if it was not.
  int refused(const Session& session) {
    const auto grip = terminator_->seize(session);
    return grip ? -1 : grip.error().code;
  }
  std::unique_ptr<Terminator> terminator_ = system_terminator();
};

TEST_F(Terminate, AHangUpEndsAShell) {
  PtyChild child(kPlain);
  auto grip = seize(child);
  ASSERT_TRUE(grip);
  EXPECT_TRUE(grip->alive().leader);
  EXPECT_TRUE(grip->say("\r\nlast words\r\n"));
  EXPECT_TRUE(child.wait_for("last words"));
  EXPECT_TRUE(grip->hang_up());
  EXPECT_TRUE(ends_within(grip->leader_fd(), milliseconds(1000)));
  EXPECT_FALSE(grip->alive().leader);
  EXPECT_FALSE(grip->say("too late"));
  EXPECT_TRUE(grip->signal_leader(SIGKILL));  // gone is no error
}

TEST_F(Terminate, WhatIgnoresHangUpAndTermNeedsKill) {
  PtyChild child(kStubborn);
  auto grip = seize(child);
  ASSERT_TRUE(grip);
  EXPECT_TRUE(grip->hang_up());
  EXPECT_FALSE(ends_within(grip->leader_fd(), milliseconds(300)));
  EXPECT_EQ(Procfs().stat(child.pid)->tty_nr, 0u);  // so it leaves the list of sessions
  EXPECT_TRUE(grip->signal_leader(SIGTERM));
  EXPECT_FALSE(ends_within(grip->leader_fd(), milliseconds(300)));
  EXPECT_TRUE(grip->signal_leader(SIGKILL));
  EXPECT_TRUE(ends_within(grip->leader_fd(), milliseconds(1000)));
}

TEST_F(Terminate, AStoppedLeaderIsEnded) {
  PtyChild child(kPlain);
  ::kill(child.pid, SIGSTOP);
  auto grip = seize(child);
  ASSERT_TRUE(grip);
  EXPECT_TRUE(grip->hang_up());
  EXPECT_TRUE(ends_within(grip->leader_fd(), milliseconds(1000)));
}

TEST_F(Terminate, ATtyThatHungUpByItselfIsGone) {
  PtyChild child(kStubborn);
  auto grip = seize(child);
  ASSERT_TRUE(grip);
  child.master.reset();
  const auto done = grip->hang_up();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ESRCH) << done.error().text();
  EXPECT_TRUE(grip->alive().leader);  // and was not signalled
}

TEST_F(Terminate, AZombieIsGone) {
  PtyChild child("echo ready; exec sleep 1000");
  auto grip = seize(child);
  ASSERT_TRUE(grip);
  ::kill(child.pid, SIGKILL);
  ASSERT_TRUE(ends_within(grip->leader_fd(), milliseconds(1000)));
  EXPECT_FALSE(grip->alive().leader);  // not reaped yet
  EXPECT_EQ(refused(child.session), ESRCH);
  child.reap();
  EXPECT_EQ(refused(child.session), ESRCH);
}

TEST_F(Terminate, AnotherStartTimeIsAnotherProcess) {
  PtyChild child(kPlain);
  Session other = child.session;
  other.id.start += Seconds(1);
  EXPECT_EQ(refused(other), ESRCH);
  EXPECT_FALSE(ends_within(seize(child)->leader_fd(), milliseconds(0)));
}

TEST_F(Terminate, TheTtyOfAnotherSessionIsRefused) {
  PtyChild child(kPlain);
  PtyChild other(kPlain);
  Session mixed = child.session;
  mixed.tty = other.session.tty;
  mixed.tty_name = other.session.tty_name;
  EXPECT_EQ(refused(mixed), ESRCH);
}

TEST_F(Terminate, ANumberOfAnotherDevptsIsRefused) {
  PtyChild child(kPlain);
  Session other = child.session;
  other.tty.devpts_dev += 1;
  EXPECT_EQ(refused(other), ESRCH);
}

TEST_F(Terminate, APtsWhoseMasterIsClosedIsGone) {
  PtyChild child("trap '' HUP; echo ready; while :; do sleep 0.1; done");
  child.master.reset();
  EXPECT_EQ(refused(child.session), ESRCH);
}

TEST_F(Terminate, ProcessOneAndNothingAreNeverTouched) {
  PtyChild child(kPlain);
  for (const pid_t pid : {0, 1, -1}) {
    Session s = child.session;
    s.id.leader = pid;
    EXPECT_EQ(refused(s), 0) << pid;
  }
}

TEST_F(Terminate, ALeaderOnATtyIsNoSessionWithoutOne) {
  PtyChild child(kPlain);
  Session without = child.session;
  without.id.tty = 0;
  EXPECT_EQ(refused(without), ESRCH);
}

TEST_F(Terminate, AProcessThatLeadsNoSessionIsRefused) {
  PtyChild child("sleep 1000 & echo \"<$!> ready\"; wait");
  Session s = child.session;
  s.id.leader = std::stoi(child.printed.substr(child.printed.find('<') + 1));
  s.id.start = from_start_ticks(Procfs().stat(s.id.leader)->start_ticks);
  EXPECT_EQ(refused(s), 0);
}

TEST_F(Terminate, AStoppedTtyNeverBlocks) {
  // The child itself hangs in write(2) on its stopped tty, too.
  PtyChild child("trap '' TERM; echo ready; while :; do echo flood; done");
  const char xoff = 'S' - '@';
  ASSERT_EQ(::write(child.master.get(), &xoff, 1), 1);
  std::this_thread::sleep_for(milliseconds(200));
  auto grip = seize(child);
  ASSERT_TRUE(grip);
  const auto begin = std::chrono::steady_clock::now();
  const auto said = grip->say("a warning");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(200));
  ASSERT_FALSE(said);
  EXPECT_EQ(said.error().code, EAGAIN);
  EXPECT_TRUE(grip->hang_up());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(500));
  EXPECT_TRUE(ends_within(grip->leader_fd(), milliseconds(1000)));
}

TEST_F(Terminate, ATtyThatNobodyReadsNeverBlocks) {
  PtyChild child("stty -ixon; echo ready; while :; do sleep 1000; done");
  auto grip = seize(child);
  ASSERT_TRUE(grip);
  const std::string text(4096, 'x');
  const auto begin = std::chrono::steady_clock::now();
  Result<void> said;
  for (int i = 0; i < 1000 && said; ++i) said = grip->say(text);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(1000));
  ASSERT_FALSE(said);
  EXPECT_EQ(said.error().code, EAGAIN);
  EXPECT_TRUE(grip->hang_up());
  EXPECT_TRUE(ends_within(grip->leader_fd(), milliseconds(1000)));
}

TEST_F(Terminate, AnExclusiveTtyIsNoShelter) {
  PtyChild child("trap '' TERM; echo ready; exec sleep 1000");
  const UniqueFd tty(::open(("/dev/" + child.session.tty_name).c_str(), O_RDWR | O_NOCTTY));
  ASSERT_EQ(::ioctl(tty.get(), TIOCEXCL), 0);
  auto grip = seize(child);
  ASSERT_TRUE(grip);
  EXPECT_TRUE(grip->hang_up());
  EXPECT_TRUE(ends_within(grip->leader_fd(), milliseconds(1000)));
}

TEST_F(Terminate, AnotherHostProcessIsNotHeld) {
  PtyChild child(kPlain);
  PtyChild host(kPlain);
  child.session.host = host.pid;
  child.session.host_start = host.session.id.start + Seconds(1);
  EXPECT_FALSE(seize(child)->signal_host(SIGKILL));
  child.session.host_start = host.session.id.start;
  auto grip = seize(child);
  EXPECT_FALSE(grip->alive().host_stuck);
  EXPECT_TRUE(grip->signal_host(SIGKILL));
  EXPECT_TRUE(ends_within(seize(child)->leader_fd(), milliseconds(0)) == false);
}

// A second devpts numbers its ttys from 0 too; the host's tty of that number is another one.
TEST_F(Terminate, ATtyOfAPrivateDevptsIsFoundAndNoOther) {
  if (!test::own_mounts()) GTEST_SKIP() << "cannot have mounts of its own";
  const TempDir dir;
  const char* options = "newinstance,ptmxmode=0666,mode=0620";
  if (::mount("devpts", dir.path().c_str(), "devpts", 0, options) != 0) {
    GTEST_SKIP() << "cannot mount a devpts";
  }
  const auto enter = [&] {
    test::own_mounts();
    ::mount(dir.path().c_str(), "/dev/pts", nullptr, MS_BIND, nullptr);
  };
  const auto enter_and_hide = [&] {
    enter();
    ::mount("none", "/dev/pts", "tmpfs", 0, nullptr);
  };
  PtyChild outer(kPlain);
  {
    PtyChild inner("echo ready; while :; do sleep 1000; done", dir.path(), enter);
    PtyChild hidden("echo ready; while :; do sleep 1000; done", dir.path(), enter_and_hide);
    EXPECT_EQ(inner.session.tty.index, 0u);
    EXPECT_NE(inner.session.tty.devpts_dev, outer.session.tty.devpts_dev);
    for (PtyChild* child : {&inner, &hidden}) {
      auto grip = seize(*child);
      ASSERT_TRUE(grip);
      EXPECT_TRUE(grip->say("found"));
      EXPECT_TRUE(child->wait_for("found"));
      EXPECT_TRUE(grip->hang_up());
      EXPECT_TRUE(ends_within(grip->leader_fd(), milliseconds(1000)));
    }
  }
  EXPECT_TRUE(seize(outer)->alive().leader);
  ::umount2(dir.path().c_str(), MNT_DETACH);
}

// Whatever a container's root puts in place of its tty is not even opened: a FIFO would block, a
// device could act.
TEST_F(Terminate, SomethingElseInPlaceOfTheTtyIsNotOpened) {
  if (!test::own_mounts()) GTEST_SKIP() << "cannot have mounts of its own";
  PtyChild child("exec 3>&1 </dev/null >/dev/null 2>&1; echo ready >&3; exec 3>&-; sleep 1000",
                 "/dev/pts", [] {
                   test::own_mounts();
                   ::mount("none", "/dev/pts", "tmpfs", 0, nullptr);
                   for (int n = 0; n < 20000; ++n) {  // whichever is its own
                     ::mkfifo(fmt::format("/dev/pts/{}", n).c_str(), 0600);
                   }
                 });
  const std::string fifo = fmt::format("/proc/{}/root/dev/{}", child.pid, child.session.tty_name);
  struct stat st {};
  ASSERT_EQ(::stat(fifo.c_str(), &st), 0);
  ASSERT_TRUE(S_ISFIFO(st.st_mode));
  const UniqueFd reader(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK));
  Session s = child.session;
  s.tty.devpts_dev += 1;  // so that the host's own /dev/pts does not have it
  EXPECT_EQ(refused(s), ESRCH);
  // A reader of a FIFO that nobody has ever opened for writing sees no hang-up.
  pollfd p{.fd = reader.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&p, 1, 0), 0);
}

pid_t survivor_in(const std::string& scope) {
  pid_t pid = 0;
  std::ifstream(scope + "/cgroup.procs") >> pid;
  return pid;
}

TEST_F(Terminate, SurvivorsDieWithTheirOwnScopeOnly) {
  PtyChild child(kPlain);
  const auto refused_kill = seize(child)->kill_survivors();
  ASSERT_FALSE(refused_kill);
  EXPECT_THAT(refused_kill.error().text(), HasSubstr("scope"));
  EXPECT_FALSE(seize(child)->scope());
  const auto nobodys = terminator_->cgroup_of(5'000'000);
  ASSERT_FALSE(nobodys);
  EXPECT_EQ(nobodys.error().code, ENOENT);

  if (!test::own_mounts() || ::mount("none", "/sys/fs/cgroup", "cgroup2", 0, nullptr) != 0) {
    GTEST_SKIP() << "cannot mount cgroup2";
  }
  const std::string scope =
      fmt::format("/sys/fs/cgroup/session-idlewarden-test-{}.scope", ::getpid());
  ASSERT_EQ(::mkdir(scope.c_str(), 0755), 0);
  {
    PtyChild survivor(
        "setsid sh -c 'trap \"\" HUP TERM; echo ready; while :; do sleep 0.1; done' & sleep 1000",
        "/dev/pts", [&] { std::ofstream(scope + "/cgroup.procs") << ::getpid(); });
    auto grip = seize(survivor);
    ASSERT_TRUE(grip);
    const auto found = grip->scope();
    ASSERT_TRUE(found) << found.error().text();
    EXPECT_THAT(scope, testing::EndsWith(*found));
    EXPECT_EQ(terminator_->cgroup_of(survivor.pid).value_or("?"), *found);
    EXPECT_NE(terminator_->cgroup_of(::getpid()).value_or("?"), *found);
    EXPECT_TRUE(grip->hang_up());
    EXPECT_TRUE(ends_within(grip->leader_fd(), milliseconds(1000)));
    survivor.reap();
    const auto populated = [&] {
      std::ifstream events(scope + "/cgroup.events");
      const std::string text(std::istreambuf_iterator<char>(events), {});
      return text.find("populated 1") != std::string::npos;
    };
    EXPECT_TRUE(populated());
    std::ofstream(scope + "/cgroup.procs") << ::getpid();
    const auto own = grip->kill_survivors();
    std::ofstream("/sys/fs/cgroup/cgroup.procs") << ::getpid();
    ASSERT_FALSE(own);
    EXPECT_THAT(own.error().text(), HasSubstr("itself"));
    EXPECT_TRUE(populated());
    // Another that brings people in lives there.
    const auto others = Procfs().executable(survivor_in(scope));
    ASSERT_TRUE(others) << others.error().text();
    const auto careful = system_terminator(Procfs(), {host_program(*others)});
    PtyChild second(kPlain, "/dev/pts",
                    [&] { std::ofstream(scope + "/cgroup.procs") << ::getpid(); });
    const auto refused = (*careful->seize(second.session))->kill_survivors();
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text(), HasSubstr(*others + " (pid "));
    EXPECT_TRUE(populated());
    const auto killed = grip->kill_survivors();
    EXPECT_TRUE(killed) << killed.error().text();
    for (int i = 0; i < 100 && populated(); ++i) std::this_thread::sleep_for(milliseconds(10));
    EXPECT_FALSE(populated());
    for (int i = 0; i < 100 && ::rmdir(scope.c_str()) != 0; ++i) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    EXPECT_TRUE(grip->kill_survivors());  // a scope that is gone has no survivors
  }
  ::umount2("/sys/fs/cgroup", MNT_DETACH);
}

TEST(ScopePath, OnlyTheScopeOfOneLogin) {
  const auto path = scope_path("1:cpu:/x\n0::/user.slice/user-1000.slice/session-3.scope\n");
  ASSERT_TRUE(path);
  EXPECT_EQ(*path, "/user.slice/user-1000.slice/session-3.scope");
  for (const char* bad :
       {"", "0::/\n", "0::/system.slice/ssh.service\n", "4:memory:/session-3.scope\n",
        "0::/user.slice/user-1000.slice\n", "0::/user.slice/user@1000.service/session-x.slice\n",
        "0::/../session-3.scope\n", "0::/session-3.scope/inner\n"}) {
    EXPECT_FALSE(scope_path(bad)) << bad;
  }
}

}  // namespace
}  // namespace idlewarden

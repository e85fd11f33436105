// SPDX-License-Identifier: Apache-2.0
// The session table as the task iterator gives it, against /proc.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/procfs.h"
#include "kernel/fixture.h"

namespace idlewarden::test {
namespace {

class Scan : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    auto opened = open_activity_source({.backend = Backend::sampler, .pin_dir = ""}, clock_);
    ASSERT_TRUE(opened.has_value()) << opened.error().text();
    source_ = std::move(opened->source);
  }

  SystemClock clock_;
  std::unique_ptr<ActivitySource> source_;
};

TEST_F(Scan, ARowIsWhatProcSays) {
  const auto s = PtySession::start();
  ASSERT_TRUE(s.has_value());
  const auto row = row_of(*source_, s->leader());
  const auto stat = Procfs().stat(s->leader());
  ASSERT_TRUE(row && stat);
  EXPECT_EQ(row->parent, getpid());
  EXPECT_EQ(row->grandparent, getppid());
  EXPECT_EQ(start_ticks(row->start), stat->start_ticks);
  EXPECT_EQ(row->uid, getuid());
  EXPECT_EQ(row->foreground_pgrp, stat->foreground_pgrp);
  EXPECT_NE(row->cgroup_id, 0U);
  ASSERT_TRUE(row->tty.has_value());
  EXPECT_EQ(row->tty->major, 136U);
  EXPECT_EQ(row->tty->index, s->index());
  EXPECT_EQ(row->tty->minor, s->index());
  EXPECT_EQ(row->tty->devpts_dev, s->devpts_dev());
  EXPECT_TRUE(row->tty->is_pts());
  EXPECT_NE(row->tty->address, 0U);
}

TEST_F(Scan, ALeaderWithoutATtyIsThereToo) {
  const pid_t leader = fork_leader(-1);
  const auto row = row_of(*source_, leader);
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->tty, std::nullopt);
  EXPECT_FALSE(row->no_input_yet);
  end_process(leader);
}

TEST_F(Scan, AChildOfALeaderIsNone) {
  const pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  EXPECT_FALSE(row_of(*source_, child).has_value());
  end_process(child);
}

TEST_F(Scan, TheDeadAreNoLeaders) {
  const pid_t leader = fork_leader(-1);
  ASSERT_TRUE(row_of(*source_, leader).has_value());
  kill(leader, SIGKILL);
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(leader), &info, WEXITED | WNOWAIT), 0);
  EXPECT_FALSE(row_of(*source_, leader).has_value()) << "a zombie";
  end_process(leader);
}

TEST_F(Scan, InputIsMissedByNobodyWhoAsksWhetherThereWasAny) {
  const auto s = PtySession::start();
  ASSERT_TRUE(s.has_value());
  EXPECT_TRUE(row_of(*source_, s->leader())->no_input_yet);
  ASSERT_EQ(write(s->slave(), "a prompt", 8), 8);
  EXPECT_TRUE(row_of(*source_, s->leader())->no_input_yet);
  s->type("x");
  EXPECT_FALSE(row_of(*source_, s->leader())->no_input_yet);
  s->discard_typed();
  EXPECT_FALSE(row_of(*source_, s->leader())->no_input_yet) << "a flush makes nothing unsaid";
}

TEST_F(Scan, HundredsOfLeadersAreAllThere) {
  std::vector<pid_t> leaders;
  for (int i = 0; i < 600; ++i) leaders.push_back(fork_leader(-1));
  const auto rows = source_->scan();
  ASSERT_TRUE(rows.has_value());
  std::vector<pid_t> found;
  for (const Leader& row : *rows) found.push_back(row.pid);
  std::ranges::sort(found);
  EXPECT_EQ(std::ranges::adjacent_find(found), found.end()) << "a leader is there twice";
  for (const pid_t leader : leaders) {
    EXPECT_TRUE(std::ranges::binary_search(found, leader)) << leader;
  }
  std::ranges::for_each(leaders, end_process);
}

TEST_F(Scan, TasksThatVanishMeanwhileDoNoHarm) {
  const pid_t churn = fork();
  if (churn == 0) {
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
      if (fork() == 0) _exit(setsid() > 0 ? 0 : 1);
      usleep(200);
    }
  }
  const pid_t steady = fork_leader(-1);
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(row_of(*source_, steady).has_value()) << "scan " << i;
  }
  end_process(churn);
  end_process(steady);
}

}  // namespace
}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
#include "base/procfs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "base/others_roots.h"
#include "base/shortage.h"
#include "base/unique_fd.h"
#include "support/hung_process.h"
#include "support/silent_fs.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

struct Made : ::testing::Test {
  void file(const std::string& name, const std::string& content) const {
    dir.file("7/" + name, content);
  }
  void link(const std::string& name, const std::string& target) const {
    std::filesystem::create_directories(dir.path() + "/7");
    std::filesystem::create_symlink(target, dir.path() + "/7/" + name);
  }
  test::TempDir dir;
  Procfs proc{dir.path()};
};

TEST_F(Made, Stat) {
  file("stat",
       "7 (a) b (c\n) S 3 4 5 34819 6 4194304 1 2 3 4 5 6 7 8 20 0 1 0 123456789 1 2 3 4 5\n");
  const auto s = proc.stat(7);
  ASSERT_TRUE(s) << s.error().text();
  EXPECT_EQ(s->comm, "a) b (c\n");
  EXPECT_EQ(s->state, 'S');
  EXPECT_EQ(s->parent, 3);
  EXPECT_EQ(s->pgrp, 4);
  EXPECT_EQ(s->session, 5);
  EXPECT_EQ(s->tty_nr, 34819u);
  EXPECT_EQ(s->foreground_pgrp, 6);
  EXPECT_EQ(s->start_ticks, 123456789u);
}

TEST_F(Made, WhatHasEnded) {
  struct Case {
    char state;
    int threads;
    bool ended;
  };
  for (const Case one : {Case{'S', 1, false}, {'Z', 1, true}, {'Z', 2, false}, {'X', 0, true}}) {
    file("stat",
         fmt::format("7 (a) {} 3 4 5 34819 6 4194304 1 2 3 4 5 6 7 8 20 0 {} 0 123 1 2 3 4 5\n",
                     one.state, one.threads));
    const auto s = proc.stat(7);
    ASSERT_TRUE(s) << s.error().text();
    EXPECT_EQ(s->ended(), one.ended) << one.state << one.threads;
    EXPECT_EQ(proc.lives(7), !one.ended) << one.state << one.threads;
    EXPECT_EQ(proc.lives(7, 123), !one.ended) << one.state << one.threads;
    EXPECT_FALSE(proc.lives(7, 124)) << "another with its pid";
    EXPECT_FALSE(proc.lives(8)) << "there is none";
  }
}

TEST_F(Made, AStatOfAnotherFormIsAnError) {
  for (const char* text : {"", "7", "7 (a", "7 (a) S", ")(", "7 (a) S x 4 5 6 7 8",
                           "7 (a) SS 3 4 5 34819 6 4194304 1 2 3 4 5 6 7 8 20 0 1 0 123 1 2 3"}) {
    file("stat", text);
    EXPECT_FALSE(proc.stat(7)) << text;
  }
}

TEST_F(Made, NoProcess) {
  EXPECT_EQ(proc.stat(8).error().code, ENOENT);
  EXPECT_EQ(proc.comm(8).error().code, ENOENT);
  EXPECT_EQ(proc.executable(8).error().code, ENOENT);
  EXPECT_EQ(proc.command_line(8).error().code, ENOENT);
  EXPECT_EQ(proc.real_uid(8).error().code, ENOENT);
  EXPECT_EQ(proc.descriptors(8).error().code, ENOENT);
  EXPECT_EQ(proc.pts_of_master(8, 3).error().code, ENOENT);
}

TEST_F(Made, CommKeepsItsBytes) {
  file("comm", "a\nb \x1b[\n");
  EXPECT_EQ(*proc.comm(7), "a\nb \x1b[");
}

TEST_F(Made, ExecutableOfAReplacedFile) {
  link("exe", "/usr/sbin/sshd (deleted)");
  EXPECT_EQ(*proc.executable(7), "/usr/sbin/sshd");
}

TEST_F(Made, ExecutableOfAProcessWhoseFirstThreadHasExited) {
  std::filesystem::create_directories(dir.path() + "/7/task/7");
  std::filesystem::create_directories(dir.path() + "/7/task/9");
  std::filesystem::create_symlink("/bin/bash", dir.path() + "/7/task/9/exe");
  EXPECT_EQ(proc.executable(7).value_or("none"), "/bin/bash");
}

TEST_F(Made, CommandLine) {
  file("status", "Name:\tsome\nUid:\t1000\t1000\t1000\t1000\n");
  file("cmdline", std::string("a\0b c\0\0d\0\0\0", 11));
  EXPECT_THAT(*proc.command_line(7), ElementsAre("a", "b c", "", "d"));
  file("cmdline", "");
  EXPECT_THAT(*proc.command_line(7), ElementsAre());
}

TEST_F(Made, RealUid) {
  file("status", "Name:\tUid:\nUid:\t4000000000\t0\t1\t2\n");
  EXPECT_EQ(*proc.real_uid(7), 4'000'000'000u);
  file("status", "Name:\tx\n");
  EXPECT_FALSE(proc.real_uid(7));
}

TEST_F(Made, LoginUid) {
  file("loginuid", "1000");
  EXPECT_EQ(*proc.loginuid(7), 1000u);
  file("loginuid", "4294967295");
  EXPECT_EQ(*proc.loginuid(7), std::nullopt);
  file("loginuid", "x");
  EXPECT_FALSE(proc.loginuid(7));
  // A kernel without audit.
  EXPECT_EQ(*proc.loginuid(8), std::nullopt);
}

TEST_F(Made, PtsOfMaster) {
  file("fdinfo/3", "pos:\t0\nflags:\t0100002\nmnt_id:\t23\nino:\t5\ntty-index:\t12\n");
  file("fdinfo/4", "pos:\t0\nflags:\t0100002\n");
  EXPECT_EQ(*proc.pts_of_master(7, 3), 12u);
  EXPECT_EQ(*proc.pts_of_master(7, 4), std::nullopt);
}

TEST(StartTicks, ThereAndBack) {
  EXPECT_EQ(start_ticks(from_start_ticks(4711)), 4711u);
  EXPECT_EQ(from_start_ticks(static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK))),
            boot_time(1'000'000'000));
}

// This process, as the kernel shows it.
TEST(Real, Self) {
  const Procfs proc;
  const pid_t self = ::getpid();
  ASSERT_EQ(::prctl(PR_SET_NAME, "a) S 1 (b"), 0);
  const auto stat = proc.stat(self);
  ASSERT_TRUE(stat) << stat.error().text();
  EXPECT_EQ(stat->comm, "a) S 1 (b");
  EXPECT_EQ(*proc.comm(self), "a) S 1 (b");
  EXPECT_EQ(stat->parent, ::getppid());
  EXPECT_EQ(stat->session, ::getsid(0));
  EXPECT_EQ(*proc.real_uid(self), ::getuid());
  const auto status = proc.status(self);
  ASSERT_TRUE(status) << status.error().text();
  EXPECT_EQ(status->parent, stat->parent);
  EXPECT_EQ(status->session, stat->session);
  EXPECT_EQ(status->threads, stat->threads);
  EXPECT_TRUE(proc.executable(self)->ends_with("unit.base.procfs"));
  EXPECT_LT(from_start_ticks(stat->start_ticks), SystemClock().now());
  EXPECT_GT(from_start_ticks(stat->start_ticks) + std::chrono::minutes(10), SystemClock().now());
}

TEST(Real, Children) {
  const Procfs proc;
  const pid_t child = ::fork();
  if (child == 0) {
    while (true) ::pause();
  }
  const auto children = proc.children(::getpid());
  ASSERT_TRUE(children) << children.error().text();
  EXPECT_THAT(*children, Contains(child));
  EXPECT_THAT(proc.children(child).value_or(std::vector<pid_t>{1}), ::testing::IsEmpty());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(proc.children(child).error().code, ENOENT);
}

TEST(Real, BytesReadAndWritten) {
  const Procfs proc;
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd out(ends[0]);
  const UniqueFd in(ends[1]);
  const auto before = proc.io(::getpid());
  ASSERT_TRUE(before) << before.error().text();
  ASSERT_EQ(::write(in.get(), "abc", 3), 3);
  const auto after = proc.io(::getpid());
  ASSERT_TRUE(after);
  EXPECT_EQ(after->written - before->written, 3u);
  EXPECT_GT(after->read, before->read) << "the file itself";
}

TEST(Real, IgnoredSignals) {
  const Procfs proc;
  EXPECT_FALSE(*proc.ignores(::getpid(), SIGUSR2));
  ::signal(SIGUSR2, SIG_IGN);
  EXPECT_TRUE(*proc.ignores(::getpid(), SIGUSR2));
  EXPECT_FALSE(*proc.ignores(::getpid(), SIGUSR1));
  ::signal(SIGUSR2, SIG_DFL);
}

// A process that waits for a page of its own memory, as on a file whose server has gone: nobody
// waits with it, and only its own user's processes are not looked at meanwhile.
TEST(Real, ACommandLineInMemoryThatDoesNotAnswer) {
  constexpr uid_t kAlice = 54'321;
  constexpr uid_t kBob = 54'322;
  const Procfs proc;
  const pid_t bobs = ::fork();
  if (bobs == 0) {
    if (::setresuid(kBob, kBob, kBob) != 0) ::_exit(1);
    while (true) ::pause();
  }
  while (proc.real_uid(bobs).value_or(kBob) != kBob) ::usleep(1000);
  // After him, who would keep the file system from going.
  const test::HungProcess hung(kAlice);
  if (!hung.why_not().empty()) {
    ::kill(bobs, SIGKILL);
    ::waitpid(bobs, nullptr, 0);
    GTEST_SKIP() << hung.why_not();
  }
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 40; ++i) {
    const auto answer = Procfs(proc).command_line(hung.pid());
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ETIMEDOUT) << answer.error().text();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  const auto others = proc.command_line(bobs);
  ::kill(bobs, SIGKILL);
  ::waitpid(bobs, nullptr, 0);
  ASSERT_TRUE(others) << others.error().text();
  EXPECT_EQ(*others, *proc.command_line(::getpid()));
}

// Nor for one that its user has let hang in execve(2), whatever of it waits for that in this
// kernel.
TEST(Real, AProcessThatHangsInExec) {
  const Procfs proc;
  const test::HungProcess hung(54'321, test::HungProcess::In::exec);
  if (!hung.why_not().empty()) GTEST_SKIP() << hung.why_not();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(proc.real_uid(hung.pid()).value_or(0), 54'321U);
  EXPECT_EQ(proc.parent(hung.pid()).value_or(0), ::getpid());
  EXPECT_TRUE(proc.children(hung.pid()));
  const auto status = proc.status(hung.pid());
  ASSERT_TRUE(status);
  EXPECT_EQ(status->session, ::getsid(0));
  EXPECT_FALSE(status->ended());
  EXPECT_FALSE(proc.is_init(hung.pid()).value_or(true));
  ShortageWatch shortage;
  const auto io = proc.io(hung.pid());
  ASSERT_FALSE(io);
  EXPECT_EQ(io.error().code, ETIMEDOUT);
  EXPECT_EQ(shortage.take(), ETIMEDOUT);
  for (int i = 0; i < 20; ++i) {
    (void)proc.stat(hung.pid());
    (void)proc.executable(hung.pid());
    (void)proc.link(hung.pid(), "ns/mnt");
  }
  (void)OthersRoots().ask<int>(proc.path(hung.pid(), "root"), [](const std::string&) { return 1; });
  EXPECT_EQ(OthersRoots().own(proc.path(hung.pid(), "root")), std::nullopt);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  EXPECT_TRUE(proc.stat(::getpid())) << "root's";
}

// A /proc in which the stat of many processes does not answer.
class ManyThatHang : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::own_mounts()) GTEST_SKIP() << "cannot have mounts of its own";
    silent = std::make_unique<test::SilentFs>(folder.path());
    if (!silent->why_not().empty()) GTEST_SKIP() << silent->why_not();
    silent->go_after(std::chrono::seconds(10));
    proc.emplace(dir.path());
  }
  void add(int pid, int uid, int login, bool hangs) const {
    const std::string name = std::to_string(pid);
    dir.file(name + "/status", fmt::format("Name:\tsome\nUid:\t{}\t0\t0\t0\n", uid));
    dir.file(name + "/loginuid", std::to_string(login));
    if (hangs) {
      std::filesystem::create_symlink(folder.path() + "/stat", dir.path() + "/" + name + "/stat");
    } else {
      dir.file(name + "/stat",
               name + " (a) S 3 4 5 34819 6 4194304 1 2 3 4 5 6 7 8 20 0 1 0 1234 1 2 3\n");
    }
  }
  // How long it takes to find that `count` from `pid` on do not answer.
  std::chrono::milliseconds time_of_silence(int pid, int count) const {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < count; ++i) EXPECT_EQ(proc->stat(pid + i).error().code, ETIMEDOUT);
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                                 begin);
  }

  static constexpr int kUnset = -1;
  const test::TempDir folder;
  const test::TempDir dir;
  std::unique_ptr<test::SilentFs> silent;
  std::optional<Procfs> proc;
};

// A user's namespaces have as many uids as they like: all are theirs who logged in.
TEST_F(ManyThatHang, WhoLoggedInTakesLittleInAll) {
  for (int i = 0; i < 10; ++i) add(5'000'000 + i, 100'000 + i, 1000, true);
  add(6'000'000, 1001, kUnset, false);
  add(7'000'000, 0, 1000, false);
  EXPECT_LT(time_of_silence(5'000'000, 10), std::chrono::milliseconds(1500));
  EXPECT_TRUE(proc->stat(6'000'000)) << "another's";
  EXPECT_TRUE(proc->stat(7'000'000)) << "root's";
}

// However many users do that together, root's processes answer, and each of them for itself.
TEST_F(ManyThatHang, NobodyKeepsAnybodyFromRoots) {
  for (int i = 0; i < 10; ++i) add(5'000'000 + i, 1000 + i, kUnset, true);
  (void)time_of_silence(5'000'000, 10);
  add(6'000'000, 0, kUnset, true);
  add(6'000'001, 0, kUnset, false);
  EXPECT_LT(time_of_silence(6'000'000, 1), std::chrono::milliseconds(1500));
  EXPECT_TRUE(proc->stat(6'000'001));
}

// What hangs of a user's keeps nobody from the process of root's that serves them.
TEST_F(ManyThatHang, WhoIsApartAnswersForItself) {
  add(5'000'000, 1000, 1000, true);
  add(5'000'001, 1000, 1000, false);
  proc->set_apart([](const Procfs&, pid_t pid) { return pid == 5'000'001; });
  EXPECT_TRUE(proc->is_a_users(5'000'000));
  EXPECT_FALSE(proc->is_a_users(5'000'001));
  (void)time_of_silence(5'000'000, 1);
  EXPECT_TRUE(Procfs(*proc).stat(5'000'001));
}

TEST(Real, Descriptors) {
  const Procfs proc;
  const pid_t self = ::getpid();
  const UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!master) GTEST_SKIP() << "no pty here";
  const int fd = master.get();
  char name[64];
  ASSERT_EQ(::ptsname_r(fd, name, sizeof name), 0);
  const int number = std::atoi(name + std::string("/dev/pts/").size());
  const auto fds = proc.descriptors(self);
  ASSERT_TRUE(fds);
  EXPECT_THAT(*fds, Contains(fd));
  EXPECT_TRUE(std::ranges::is_sorted(*fds));
  EXPECT_TRUE(proc.link(self, fmt::format("fd/{}", fd))->ends_with("/ptmx"));
  EXPECT_EQ(*proc.pts_of_master(self, fd), static_cast<std::uint32_t>(number));
  const UniqueFd other(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(*proc.pts_of_master(self, other.get()), std::nullopt);
}

}  // namespace
}  // namespace idlewarden

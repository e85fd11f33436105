// SPDX-License-Identifier: Apache-2.0
#include "sessions/host_process.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include "made_proc.h"
#include "support/silent_fs.h"

namespace idlewarden {
namespace {

using test::MadeProc;

constexpr pid_t kListener = 5'000'010;
constexpr pid_t kPrivileged = 5'000'011;
constexpr pid_t kHost = 5'000'012;
constexpr pid_t kShell = 5'000'013;
constexpr pid_t kTool = 5'000'014;
const std::string kSshd = "/usr/sbin/sshd";

// listener -> privileged half -> the user's half -> shell -> a tool with a pty of its own
struct HostProcessTest : ::testing::Test {
  HostProcessTest() {
    add(kSshd, kSshd);
    procfs.set_apart([](const Procfs& asked, pid_t pid) {
      return is_forked_by_sshd(asked, default_host_programs(), pid);
    });
  }
  void add(const std::string& listener, const std::string& session) const {
    proc.add({.pid = kListener, .executable = listener});
    proc.add({.pid = kPrivileged, .parent = kListener, .executable = session, .masters = {{5, 3}}});
    proc.add({.pid = kHost,
              .parent = kPrivileged,
              .executable = session,
              .uid = 1000,
              .start_ticks = 4711,
              .masters = {{8, 3}, {11, 4}}});
    proc.add({.pid = kShell, .parent = kHost, .executable = "/bin/bash"});
    proc.add({.pid = kTool, .parent = kShell, .executable = "/usr/bin/tmux", .masters = {{6, 7}}});
  }
  Result<std::optional<HostProcess>> host_of(pid_t parent, std::uint32_t index,
                                             std::uint32_t devpts = 0) const {
    return find_host(procfs, default_host_programs(), parent, Tty{1, 136, index, index, devpts},
                     roots);
  }
  MadeProc proc;
  Procfs procfs = proc.procfs();
  mutable OthersRoots roots;
};

TEST_F(HostProcessTest, TheUsersHalfOfTheSshd) {
  const auto host = host_of(kHost, 3);
  ASSERT_TRUE(host && *host);
  EXPECT_EQ((*host)->pid, kHost);
  EXPECT_EQ((*host)->start_ticks, 4711u);
  EXPECT_EQ((*host)->kind, Kind::ssh);
  ASSERT_EQ((*host)->ancestry.size(), 4u);
  EXPECT_EQ((*host)->ancestry[0].pid, kHost);
  EXPECT_EQ((*host)->ancestry[2].pid, kListener);
  EXPECT_EQ((*host)->ancestry[2].executable, kSshd);
}

TEST_F(HostProcessTest, SeveralTerminalsOfOneConnection) {
  const auto host = host_of(kHost, 4);
  ASSERT_TRUE(host && *host);
  EXPECT_EQ((*host)->pid, kHost);
}

TEST_F(HostProcessTest, ATerminalInsideHasNone) {
  const auto host = host_of(kTool, 7);
  ASSERT_TRUE(host);
  EXPECT_FALSE(*host);
}

TEST_F(HostProcessTest, AChildOfTheHostOnAPtyThatItMadeItselfHasNone) {
  const auto host = host_of(kHost, 9);
  ASSERT_TRUE(host);
  EXPECT_FALSE(*host);
}

TEST_F(HostProcessTest, ALeaderFurtherDownThatTookTheTerminalOver) {
  const auto host = host_of(kTool, 3);
  ASSERT_TRUE(host && *host);
  EXPECT_EQ((*host)->pid, kHost);
}

TEST_F(HostProcessTest, ANameAloneMakesNoHost) {
  proc.add({.pid = kHost,
            .parent = kPrivileged,
            .executable = "/home/eve/sshd",
            .command_line = "sshd: eve@pts/9",
            .comm = "sshd",
            .masters = {{8, 9}}});
  const auto host = host_of(kHost, 9);
  ASSERT_TRUE(host);
  EXPECT_FALSE(*host);
}

TEST_F(HostProcessTest, ABinaryThatWasReplacedMeanwhile) {
  add(kSshd + " (deleted)", kSshd + " (deleted)");
  const auto host = host_of(kHost, 3);
  ASSERT_TRUE(host && *host);
}

TEST_F(HostProcessTest, ThePathsOfDistributions) {
  const std::pair<const char*, Kind> programs[] = {
      {"/usr/lib/openssh/sshd-session", Kind::ssh},
      {"/usr/libexec/openssh/sshd-session", Kind::ssh},
      {"/usr/lib/ssh/sshd-session", Kind::ssh},
      {"/usr/local/libexec/sshd-session", Kind::ssh},
      {"/usr/bin/mosh-server", Kind::mosh},
      {"/usr/sbin/dropbear", Kind::dropbear},
      {"/usr/sbin/in.telnetd", Kind::telnet},
      {"/usr/sbin/telnetd", Kind::telnet},
  };
  for (const auto& [path, kind] : programs) {
    add(kSshd, path);
    const auto host = host_of(kHost, 3);
    ASSERT_TRUE(host && *host) << path;
    EXPECT_EQ((*host)->kind, kind) << path;
  }
}

TEST_F(HostProcessTest, TheSameNumberInAnotherDevptsIsAnotherTerminal) {
  proc.file(kHost, "root/dev/pts/3", "");
  struct stat st {};
  ASSERT_EQ(::stat((proc.path() + "/5000012/root/dev/pts/3").c_str(), &st), 0);
  const auto dev = static_cast<std::uint32_t>(st.st_dev);
  const auto same = host_of(kHost, 3, dev);
  ASSERT_TRUE(same);
  EXPECT_TRUE(*same);
  proc.file(kPrivileged, "root/dev/pts/3", "");
  const auto other = host_of(kHost, 3, dev + 1);
  ASSERT_TRUE(other);
  EXPECT_FALSE(*other);
}

// sshd's ChrootDirectory, with nothing but null and tty in its /dev: the half outside sees it.
TEST_F(HostProcessTest, AJailWithoutADevptsHasItsTerminalAllTheSame) {
  proc.file(kPrivileged, "root/dev/pts/3", "");
  proc.link(kPrivileged, "fd/9", "/dev/ptmx");
  proc.file(kPrivileged, "fdinfo/9", "pos:\t0\nflags:\t02\ntty-index:\t3\n");
  struct stat st {};
  ASSERT_EQ(::stat((proc.path() + "/5000011/root/dev/pts/3").c_str(), &st), 0);
  const auto host = host_of(kHost, 3, static_cast<std::uint32_t>(st.st_dev));
  ASSERT_TRUE(host) << host.error().text();
  ASSERT_TRUE(*host);
  EXPECT_EQ((*host)->pid, kPrivileged);
}

// With a folder that does not answer.
struct SilentRoots : HostProcessTest {
  void SetUp() override {
    if (!test::own_mounts()) GTEST_SKIP() << "cannot have mounts of its own";
    silent.emplace(dir.path());
    if (!silent->why_not().empty()) GTEST_SKIP() << silent->why_not();
    silent->go_after(std::chrono::seconds(10));
  }
  const test::TempDir dir;
  std::optional<test::SilentFs> silent;
};

// A jail on a server that has gone: whose terminal it is cannot be told, and nobody waits for that.
TEST_F(SilentRoots, OfAHostProcess) {
  proc.link(kHost, "root", dir.path());
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 10; ++i) {
    const auto host = host_of(kHost, 3, 1);
    ASSERT_FALSE(host);
    EXPECT_EQ(host.error().code, ETIMEDOUT) << host.error().text();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
  // Others are not kept from it.
  proc.file(kPrivileged, "root/dev/pts/4", "");
  struct stat st {};
  ASSERT_EQ(::stat((proc.path() + "/5000011/root/dev/pts/4").c_str(), &st), 0);
  proc.link(kPrivileged, "fd/9", "/dev/ptmx");
  proc.file(kPrivileged, "fdinfo/9", "pos:\t0\nflags:\t02\ntty-index:\t4\n");
  const auto other = host_of(kPrivileged, 4, static_cast<std::uint32_t>(st.st_dev));
  ASSERT_TRUE(other) << other.error().text();
  EXPECT_TRUE(*other);
}

// A user can make as many as they like.
TEST_F(SilentRoots, OfAUsersManyProcesses) {
  const auto begin = std::chrono::steady_clock::now();
  for (pid_t pid = 5'000'100; pid < 5'000'107; ++pid) {
    proc.add({.pid = pid, .executable = "/usr/bin/mosh-server", .uid = 1000, .masters = {{5, 3}}});
    proc.link(pid, "root", dir.path());
    const auto host = find_host(procfs, default_host_programs(), pid, Tty{1, 136, 3, 3, 1}, roots);
    ASSERT_FALSE(host);
    EXPECT_EQ(host.error().code, ETIMEDOUT) << host.error().text();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1500));
}

TEST_F(HostProcessTest, AProcessThatEndedMeanwhileIsAnErrorToTryAgain) {
  proc.end(kShell);
  const auto host = host_of(kTool, 3);
  ASSERT_FALSE(host);
  EXPECT_EQ(host.error().code, ENOENT);
}

TEST_F(HostProcessTest, AnAncestorWithoutExecutableIsPassed) {
  proc.end(kShell);
  proc.add({.pid = kShell, .parent = kHost});
  const auto host = host_of(kTool, 3);
  ASSERT_TRUE(host);
  EXPECT_TRUE(*host);
}

TEST_F(HostProcessTest, ACircleOfParentsEnds) {
  proc.add({.pid = kHost, .parent = kShell, .executable = "/bin/sh"});
  const auto host = host_of(kTool, 3);
  ASSERT_TRUE(host);
  EXPECT_FALSE(*host);
}

// Nobody but sshd itself makes a child of root's sshd; of one that is an init (of a container)
// everybody does whose parent has gone.
TEST(IsForkedBySshd, ByRootsAndNoInit) {
  const test::MadeProc proc;
  std::vector<HostProgram> programs = default_host_programs();
  programs.push_back(host_program("/usr/sbin/tinysshd"));
  const auto of = [&](const std::string& parent, uid_t uid, const std::string& in_namespace) {
    proc.add({.pid = 5'000'100, .executable = parent, .uid = uid});
    proc.add({.pid = 5'000'101, .parent = 5'000'100, .executable = "/usr/sbin/sshd", .uid = 1000});
    proc.file(5'000'100, "status",
              "Name:\tsome\nPPid:\t1\nUid:\t" + std::to_string(uid) + "\t0\t0\t0\nNSpid:\t5000100" +
                  in_namespace + "\n");
    return is_forked_by_sshd(proc.procfs(), programs, 5'000'101);
  };
  EXPECT_TRUE(of("/usr/sbin/sshd", 0, ""));
  EXPECT_TRUE(of("/usr/sbin/sshd", 0, "\t17"));
  EXPECT_FALSE(of("/usr/sbin/sshd", 0, "\t1")) << "an init";
  EXPECT_FALSE(of("/usr/sbin/sshd", 1000, "")) << "a user's own";
  for (const char* other : {"/usr/sbin/dropbear", "/usr/sbin/tinysshd"}) {
    EXPECT_FALSE(of(other, 0, "")) << "which executes a user's shell";
  }
}

}  // namespace
}  // namespace idlewarden

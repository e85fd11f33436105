// SPDX-License-Identifier: Apache-2.0
// The real Terminator against sessions without a tty: processes of the test's own that sit on
// pipes. The test itself is their host process.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "base/unique_fd.h"
#include "enforce/process_tree.h"
#include "enforce/terminate.h"
#include "support/loopback.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using std::chrono::milliseconds;
using test::TempDir;

constexpr milliseconds kPatience{10'000};

bool within(milliseconds time, const std::function<bool()>& happened) {
  const auto until = std::chrono::steady_clock::now() + time;
  while (!happened()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return true;
}

constexpr int kConnection = 9;

// `script` in a sh that leads a session without a tty. It has started when it has written all of
// `names`, each with a pid, to $OUT. It has `connection`, if that is given, as descriptor 9.
class Command {
 public:
  explicit Command(const std::string& script, const std::vector<std::string>& names = {"self"},
                   int connection = -1) {
    const std::string out = dir_.file("out", "");
    pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::setsid();
      ::setenv("OUT", out.c_str(), 1);
      const int null = ::open("/dev/null", O_RDWR);
      for (int fd = 0; fd < 3; ++fd) ::dup2(null, fd);
      if (connection >= 0) ::dup2(connection, kConnection);
      ::execl("/bin/sh", "sh", "-c", script.c_str(), nullptr);
      ::_exit(127);
    }
    EXPECT_TRUE(within(kPatience, [&] {
      std::ifstream in(out);
      std::string name;
      for (pid_t p = 0; in >> name >> p;) pids[name] = p;
      return pids.size() == names.size();
    })) << script;
    const auto stat = Procfs().stat(pid);
    EXPECT_TRUE(stat);
    session.id = {pid, from_start_ticks(stat ? stat->start_ticks : 0), 0};
    session.kind = Kind::ssh_nopty;
    session.host = ::getpid();
    session.host_start = from_start_ticks(Procfs().stat(::getpid())->start_ticks);
  }
  ~Command() {
    // With what they wait for: a sh without job control leaves its children in its own group.
    for (const auto& [name, p] : pids) {
      ::kill(p, SIGKILL);
      ::kill(-p, SIGKILL);
    }
    ::kill(-pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  ProcessTree tree() const { return {Procfs(), {pid, start_ticks(session.id.start)}}; }

  pid_t pid = 0;
  std::map<std::string, pid_t> pids;
  Session session;

 private:
  TempDir dir_;
};

constexpr const char* kPlain = "echo self $$ >>$OUT; while :; do sleep 1000; done";
// One of each kind; the last waits for it all.
constexpr const char* kFamily =
    "sleep 1000 & echo child $! >>$OUT;"
    "(trap '' HUP; exec sleep 1000) & echo nohup $! >>$OUT;"
    "setsid sleep 1000 & echo away $! >>$OUT;"
    "sh -c 'sleep 1000 & echo grandchild $! >>$OUT; wait' & sleep 0.5;"
    "echo self $$ >>$OUT; wait";
const std::vector<std::string> kNames{"child", "nohup", "away", "grandchild", "self"};

// It outlives its grips.
Terminator& terminator() {
  static const std::unique_ptr<Terminator> the_one = system_terminator();
  return *the_one;
}
std::unique_ptr<Grip> seize(const Session& session) {
  auto grip = terminator().seize(session);
  EXPECT_TRUE(grip) << grip.error().text();
  return grip ? std::move(*grip) : nullptr;
}
int refused(const Session& session) {
  const auto grip = terminator().seize(session);
  return grip ? -1 : grip.error().code;
}

TEST(ProcessTree, TheLeaderAndWhatItHasNotPutAside) {
  const Command command(kFamily, kNames);
  ProcessTree tree = command.tree();
  tree.grow();
  std::map<pid_t, int> found;
  for (const auto& member : tree.members()) ++found[member.pid];
  EXPECT_EQ(tree.members().front().pid, command.pid);
  EXPECT_EQ(found[command.pids.at("child")], 1);
  EXPECT_EQ(found[command.pids.at("grandchild")], 1);
  EXPECT_EQ(found[command.pids.at("nohup")], 0);
  EXPECT_EQ(found[command.pids.at("away")], 0);
  EXPECT_EQ(tree.members().size(), 4u) << "with the sh between";
  tree.grow();
  EXPECT_EQ(tree.members().size(), 4u);
  EXPECT_TRUE(tree.any_alive());
}

TEST(ProcessTree, AnotherProcessUnderAPidIsNoMember) {
  const Command command(kPlain);
  const ProcessTree tree(Procfs(), {command.pid, start_ticks(command.session.id.start) + 1});
  EXPECT_FALSE(tree.any_alive());
}

// For want of a descriptor nobody is dead, and nobody is taken for somebody.
TEST(ProcessTree, WhatCannotBeLookedAtHasNotEnded) {
  const Command command(kFamily, kNames);
  ProcessTree tree = command.tree();
  tree.grow();
  ASSERT_EQ(tree.members().size(), 4u);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  tree.grow();
  const bool lives = tree.any_alive();
  const bool certain = tree.alive(tree.members().front());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(lives);
  EXPECT_FALSE(certain);
  EXPECT_EQ(tree.members().size(), 4u);
}

TEST(TerminateNoPty, ACommandIsToldToHangUp) {
  const Command command(kFamily, kNames);
  const auto grip = seize(command.session);
  ASSERT_TRUE(grip);
  EXPECT_TRUE(grip->alive().leader);
  EXPECT_FALSE(grip->say("x"));
  EXPECT_TRUE(Procfs().lives(command.pid)) << "nothing is done to it before the first step";
  EXPECT_TRUE(grip->hang_up());
  EXPECT_TRUE(within(kPatience, [&] { return !grip->alive().leader; }));
  EXPECT_FALSE(Procfs().lives(command.pids.at("child")));
  EXPECT_FALSE(Procfs().lives(command.pids.at("grandchild")));
  EXPECT_TRUE(Procfs().lives(command.pids.at("nohup")));
  EXPECT_TRUE(Procfs().lives(command.pids.at("away")));
}

TEST(TerminateNoPty, AStubbornOneNeedsAllSteps) {
  const Command command(
      "trap '' HUP TERM; sleep 1000 & echo child $! >>$OUT; echo self $$ >>$OUT;"
      "while :; do sleep 0.1; done",
      {"child", "self"});
  const auto grip = seize(command.session);
  ASSERT_TRUE(grip);
  EXPECT_TRUE(grip->hang_up());
  EXPECT_TRUE(grip->signal_leader(SIGTERM));
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_TRUE(grip->alive().leader);
  EXPECT_TRUE(grip->signal_leader(SIGKILL));
  EXPECT_TRUE(within(kPatience, [&] { return !grip->alive().leader; }));
  EXPECT_TRUE(Procfs().lives(command.pids.at("child"))) << "it ignores SIGHUP, as under nohup";
}

TEST(TerminateNoPty, WhatOutlivesItsLeaderIsOfTheSession) {
  const Command command(
      "perl -e '$SIG{HUP}=sub{}; sleep 1 while 1' & sleep 0.5; echo child $! >>$OUT;"
      "echo self $$ >>$OUT; wait",
      {"child", "self"});
  const auto grip = seize(command.session);
  ASSERT_TRUE(grip);
  EXPECT_TRUE(grip->hang_up());
  EXPECT_TRUE(within(kPatience, [&] { return !Procfs().lives(command.pid); }));
  EXPECT_TRUE(grip->alive().leader) << "a part of it takes SIGHUP for something else";
  EXPECT_EQ(grip->leader_fd(), -1) << "it would be readable for as long as that part lives";
  EXPECT_TRUE(grip->signal_leader(SIGTERM));
  EXPECT_TRUE(within(kPatience, [&] { return !grip->alive().leader; }));
  EXPECT_FALSE(Procfs().lives(command.pids.at("child")));
}

TEST(TerminateNoPty, AStoppedOneIsWokenUp) {
  const Command command(kPlain);
  ::kill(command.pid, SIGSTOP);
  const auto grip = seize(command.session);
  ASSERT_TRUE(grip);
  EXPECT_TRUE(grip->hang_up());
  EXPECT_TRUE(within(kPatience, [&] { return !grip->alive().leader; }));
}

TEST(TerminateNoPty, OnlyTheVerySessionIsSeized) {
  const Command command(kPlain);
  Session other = command.session;
  other.id.start += Seconds(1);
  EXPECT_EQ(refused(other), ESRCH);
  other = command.session;
  other.host = 1;
  EXPECT_EQ(refused(other), ESRCH) << "its host process is another";
  other = command.session;
  other.id.leader = 1;
  EXPECT_EQ(refused(other), 0);
}

TEST(TerminateNoPty, AConnectionThatServesSomethingIsNotSeized) {
  const Command command(kFamily, kNames);
  Session bare = command.session;
  bare.host = bare.id.leader;
  bare.host_start = bare.id.start;
  EXPECT_EQ(refused(bare), ESRCH);
  EXPECT_TRUE(Procfs().lives(command.pid));
}

TEST(TerminateNoPty, ABareConnectionIsToldToEnd) {
  const Command command("trap '' HUP; echo self $$ >>$OUT; exec sleep 1000");
  Session bare = command.session;
  bare.host = bare.id.leader;
  bare.host_start = bare.id.start;
  const auto grip = seize(bare);
  ASSERT_TRUE(grip);
  EXPECT_TRUE(grip->alive().leader);
  EXPECT_TRUE(grip->hang_up());
  EXPECT_TRUE(within(kPatience, [&] { return !grip->alive().leader; }));
  EXPECT_FALSE(grip->alive().host_stuck);
}

// A host process between: with a connection it waits for its children, a session's leader and
// another, and at SIGUSR1 it writes a byte to somewhere else.
class Served : public testing::Test {
 protected:
  static constexpr const char* kScript =
      "exec perl -e '"
      "open my $null, q(>), q(/dev/null); $SIG{USR1} = sub { syswrite $null, q(xx) };"
      "exec qw(setsid sh -c), q(echo leader $$ >>$OUT; while :; do sleep 1000; done) if !fork;"
      "exec qw(sh -c), q(echo other $$ >>$OUT; exec sleep 1000) if !fork;"
      "open my $out, q(>>), $ENV{OUT}; print $out qq(self $$\\n); close $out;"
      "while (1) { wait == -1 and sleep 1 }'";

  Served() {
    const pid_t leader = host.pids.at("leader");
    session.id = {leader, from_start_ticks(Procfs().stat(leader)->start_ticks), 0};
    session.kind = Kind::ssh_nopty;
    session.host = host.pid;
    session.host_start = host.session.id.start;
    session.socket = kConnection;
  }
  void end_other() const {
    ::kill(host.pids.at("other"), SIGKILL);
    EXPECT_TRUE(within(kPatience, [&] { return Procfs().children(host.pid)->size() == 1; }));
  }
  // Until the leader has ended and was waited for.
  void hang_up(Grip& grip) const {
    EXPECT_TRUE(grip.hang_up());
    EXPECT_TRUE(within(kPatience, [&] {
      const Alive alive = grip.alive();
      return !alive.leader && !alive.host_unsettled;
    }));
  }

  const test::LoopbackListener listener{1};
  const UniqueFd client = test::connect_loopback(listener.port);
  const UniqueFd connection{::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  const Command host{kScript, {"leader", "other", "self"}, connection.get()};
  Session session;
};

TEST_F(Served, AHostProcessIsLeftAloneWhileItServesAnother) {
  const auto grip = seize(session);
  ASSERT_TRUE(grip);
  EXPECT_TRUE(grip->alive().leader);
  hang_up(*grip);
  EXPECT_FALSE(grip->alive().host_stuck);
  ::kill(host.pids.at("other"), SIGKILL);
  EXPECT_TRUE(within(kPatience, [&] { return grip->alive().host_stuck; }));
  EXPECT_TRUE(grip->signal_host(SIGKILL));
  EXPECT_TRUE(within(kPatience, [&] { return !Procfs().lives(host.pid); }));
}

TEST_F(Served, AConnectionThatIsUsedAfterTheCommandsEndIsLeftAlone) {
  end_other();
  const auto grip = seize(session);
  ASSERT_TRUE(grip);
  EXPECT_TRUE(grip->alive().host_unsettled);
  hang_up(*grip);
  EXPECT_TRUE(grip->alive().host_stuck);
  ::kill(host.pid, SIGUSR1);
  EXPECT_TRUE(within(kPatience, [&] { return !grip->alive().host_stuck; }));
  EXPECT_FALSE(grip->alive().host_unsettled);
  const auto killed = grip->kill_survivors();
  ASSERT_FALSE(killed) << "its connection would end with them";
  EXPECT_EQ(killed.error().text(), "its connection is used, or may be");
}

TEST_F(Served, AConnectionThatIsUsedWhileTheCommandEndsIsLeftAlone) {
  end_other();
  const auto grip = seize(session);
  ASSERT_TRUE(grip);
  ::kill(host.pid, SIGUSR1);
  EXPECT_TRUE(within(kPatience, [&] { return !grip->alive().host_unsettled; }));
  hang_up(*grip);
  EXPECT_FALSE(grip->alive().host_stuck);
}

TEST_F(Served, AConnectionThatCannotBeMeasuredIsLeftAlone) {
  end_other();
  session.socket = -1;
  const auto grip = seize(session);
  ASSERT_TRUE(grip);
  hang_up(*grip);
  EXPECT_FALSE(grip->alive().host_stuck);
}

}  // namespace
}  // namespace idlewarden

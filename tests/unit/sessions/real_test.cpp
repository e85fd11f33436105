// SPDX-License-Identifier: Apache-2.0
// SessionTable against a real sshd, real clients and this kernel's /proc.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/kd.h>
#include <linux/vt.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "base/unique_fd.h"
#include "sessions/session_table.h"
#include "support/hung_process.h"
#include "support/ssh.h"

namespace idlewarden {
namespace {

using namespace std::chrono_literals;

class PrivateHost : public ::testing::Environment {
 public:
  void SetUp() override {
    if (const std::string why_not = test::enter_private_host(); !why_not.empty()) {
      GTEST_SKIP() << why_not;
    }
  }
};
[[maybe_unused]] const auto* const kHost = ::testing::AddGlobalTestEnvironment(new PrivateHost);

// What the kernel's iterator would report, as far as /proc has it.
std::vector<Leader> leaders_from_proc() {
  const Procfs procfs;
  std::vector<Leader> leaders;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    const auto stat = procfs.stat(pid);
    if (!stat || stat->session != pid || stat->tty_nr == 0) continue;
    Leader leader;
    leader.pid = pid;
    leader.parent = stat->parent;
    leader.start = from_start_ticks(stat->start_ticks);
    leader.uid = procfs.real_uid(pid).value_or(0);
    leader.loginuid = procfs.loginuid(pid).value_or(std::nullopt);
    leader.foreground_pgrp = std::max(stat->foreground_pgrp, 0);
    Tty tty;
    tty.major = (stat->tty_nr >> 8) & 0xfff;
    tty.minor = (stat->tty_nr & 0xff) | ((stat->tty_nr >> 12) & 0xfff00);
    tty.index = tty.minor;
    tty.address = 0xffff'8880'0000'0000 + stat->tty_nr;
    struct stat devpts {};
    if (tty.is_pts() && ::stat("/dev/pts", &devpts) == 0) {
      tty.devpts_dev = static_cast<std::uint32_t>(devpts.st_dev);
    }
    leader.tty = tty;
    leaders.push_back(leader);
  }
  return leaders;
}

class Real : public ::testing::Test {
 protected:
  SessionTable table_of(pid_t host) const {
    return SessionTable(Procfs(), clock, {default_host_programs(), {host}});
  }
  bool eventually(SessionTable& table, const std::function<bool()>& condition) const {
    for (int i = 0; i < 200; ++i, std::this_thread::sleep_for(50ms)) {
      table.update(leaders_from_proc(), clock.now());
      if (condition()) return true;
    }
    return false;
  }
  bool reaches(SessionTable& table, std::size_t count) const {
    return eventually(table, [&] { return table.sessions().size() == count; });
  }

  SystemClock clock;
};

TEST_F(Real, WhoseWhereFromAndThroughWhom) {
  const test::SshServer server("");
  const test::Account alice = test::add_account("alice");
  server.authorize(alice);
  SessionTable table = table_of(server.pid());
  {
    test::SshLogin login(server, alice);
    const std::string tty = login.tty();
    ASSERT_TRUE(reaches(table, 1));
    const Session& s = table.sessions().begin()->second;
    EXPECT_EQ(s.kind, Kind::ssh);
    EXPECT_EQ("/dev/" + s.tty_name, tty);
    EXPECT_EQ(s.user, "alice");
    EXPECT_EQ(s.home, alice.home);
    EXPECT_EQ(s.shell, "/bin/bash");
    EXPECT_GE(s.uid, 47100u);
    EXPECT_EQ(s.gid, s.uid);
    ASSERT_TRUE(s.remote && s.local);
    EXPECT_EQ(s.remote->address, "127.0.0.1");
    EXPECT_NE(s.remote->port, server.port());
    EXPECT_EQ(s.local->address, "127.0.0.1");
    EXPECT_EQ(s.local->port, server.port());
    EXPECT_EQ(*s.sshd,
              (AcceptingSshd{server.pid(), server.config_file(), {}, "/", s.sshd->reading}));
    EXPECT_TRUE(s.sshd->reading.starts_with(std::to_string(server.pid()) + "-")) << s.sshd->reading;
    // alice's half of the sshd, whose parent is the privileged half.
    EXPECT_EQ(*Procfs().real_uid(s.host), s.uid);
    const auto host = Procfs().stat(s.host);
    ASSERT_TRUE(host);
    EXPECT_EQ(start_ticks(s.host_start), host->start_ticks);
    EXPECT_EQ(Procfs().stat(host->parent)->parent, server.pid());
    EXPECT_TRUE(eventually(table, [&] { return s.foreground == "bash"; })) << s.foreground;
    login.command("exec sleep 60");
    EXPECT_TRUE(eventually(table, [&] { return s.foreground == "sleep"; })) << s.foreground;
  }
  EXPECT_TRUE(reaches(table, 0));
}

TEST_F(Real, TerminalsInsideALoginAreNoSessions) {
  const test::SshServer server("PermitRootLogin yes");
  const test::Account bob = test::add_account("bob");
  server.authorize(bob);
  SessionTable table = table_of(server.pid());
  test::SshLogin login(server, bob);
  ASSERT_TRUE(reaches(table, 1));
  const SessionId outer = table.sessions().begin()->first;
  // Another test's account may have the same uid.
  const auto is_within_login = [&](pid_t pid) {
    for (; pid > 1; pid = Procfs().stat(pid).value_or(ProcStat{}).parent) {
      if (pid == server.pid()) return true;
    }
    return false;
  };
  const auto terminals_of_bob = [&] {
    return std::ranges::count_if(leaders_from_proc(), [&](const Leader& leader) {
      return leader.uid == table.find(outer)->uid && is_within_login(leader.pid);
    });
  };
  ASSERT_EQ(terminals_of_bob(), 1);
  login.command("script -qc 'exec sleep 60' /dev/null");
  ASSERT_TRUE(eventually(table, [&] { return terminals_of_bob() == 2; }));
  EXPECT_TRUE(reaches(table, 1));
  EXPECT_EQ(table.sessions().begin()->first, outer);
  EXPECT_EQ(table.find(outer)->foreground, "script");
}

TEST_F(Real, ATmuxServerBelongsToNobody) {
  if (::access("/usr/bin/tmux", X_OK) != 0) GTEST_SKIP() << "no /usr/bin/tmux here";
  const test::SshServer server("");
  const test::Account erin = test::add_account("erin");
  server.authorize(erin);
  SessionTable table = table_of(server.pid());
  test::SshLogin login(server, erin);
  ASSERT_TRUE(reaches(table, 1));
  const SessionId outer = table.sessions().begin()->first;
  const std::string socket = erin.home + "/tmux";
  login.command("tmux -f /dev/null -S " + socket + " new-session 'exec sleep 60'");
  const auto terminals = [&] {
    return std::ranges::count(leaders_from_proc(), table.find(outer)->uid, &Leader::uid);
  };
  EXPECT_TRUE(eventually(table, [&] { return terminals() == 2; }));
  EXPECT_TRUE(reaches(table, 1));
  EXPECT_EQ(table.sessions().begin()->first, outer);
  EXPECT_EQ(test::run({"/usr/bin/tmux", "-S", socket, "kill-server"}).status, 0);
}

TEST_F(Real, TwoTerminalsOfOneConnection) {
  const test::SshServer server("");
  const test::Account frank = test::add_account("frank");
  server.authorize(frank);
  SessionTable table = table_of(server.pid());
  const std::string shared = "ControlPath=" + frank.home + "/shared";
  test::SshLogin first(server, frank, {"-o", "ControlMaster=yes", "-o", shared});
  test::SshLogin second(server, frank, {"-o", shared});
  ASSERT_TRUE(reaches(table, 2));
  const Session& a = table.sessions().begin()->second;
  const Session& b = table.sessions().rbegin()->second;
  EXPECT_EQ(a.host, b.host);
  EXPECT_EQ(a.remote, b.remote);
  EXPECT_NE(a.tty_name, b.tty_name);
  second.command("exit");
  EXPECT_TRUE(reaches(table, 1));
}

// As inetd(8) and socket activation do it: no listener, and here no network socket either.
TEST_F(Real, AnSshdForOneConnection) {
  const test::SshServer server("");
  const test::Account grace = test::add_account("grace");
  server.authorize(grace);
  const test::SshLogin login(server, grace,
                             {"-o", "ProxyCommand=/usr/sbin/sshd -i -f " + server.config_file()});
  SessionTable table(Procfs(), clock, {});
  const Session* session = nullptr;
  ASSERT_TRUE(eventually(table, [&] {
    for (const auto& [id, s] : table.sessions()) {
      if (s.user == "grace") session = &s;
    }
    return session != nullptr;
  }));
  // It has read its files itself, for this connection alone.
  EXPECT_FALSE(session->sshd->reading.empty());
  AcceptingSshd defaults;
  defaults.reading = session->sshd->reading;
  EXPECT_EQ(*session->sshd, defaults);
  EXPECT_EQ(session->remote, std::nullopt);
  EXPECT_EQ(session->local, std::nullopt);
}

// A login whose listener was restarted, as a table finds it that begins after that.
struct RealRestarted : Real {
  void find() {
    server.authorize(heidi);
    login.emplace(server, heidi);
    SessionTable before = table_of(server.pid());
    ASSERT_TRUE(reaches(before, 1));
    server.restart_listener();
    table.reset(new SessionTable(table_of(before.sessions().begin()->second.host)));
    ASSERT_TRUE(reaches(*table, 1));
  }
  test::SshServer server{""};
  const test::Account heidi = test::add_account("heidi");
  std::optional<test::SshLogin> login;
  std::unique_ptr<SessionTable> table;
};

TEST_F(RealRestarted, TheListenerOfALogin) {
  find();
  ASSERT_FALSE(HasFatalFailure());
  // Of the files that the new one has read the session knows nothing.
  EXPECT_EQ(*table->sessions().begin()->second.sshd,
            (AcceptingSshd{0, server.config_file(), {}, "/", ""}));
}

// Who listens now is looked for among all processes: one of a user's that hangs is none.
TEST_F(RealRestarted, WhileAnotherUserLetsAProcessHang) {
  const test::HungProcess hung(54'321, test::HungProcess::In::exec);
  if (!hung.why_not().empty()) GTEST_SKIP() << hung.why_not();
  const auto begin = std::chrono::steady_clock::now();
  find();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(8));
}

TEST_F(Real, OnlyTheAskedForHost) {
  const test::SshServer one("");
  const test::SshServer other("");
  const test::Account carol = test::add_account("carol");
  one.authorize(carol);
  SessionTable of_one = table_of(one.pid());
  SessionTable of_other = table_of(other.pid());
  const test::SshLogin login(one, carol);
  EXPECT_TRUE(reaches(of_one, 1));
  of_other.update(leaders_from_proc(), clock.now());
  EXPECT_TRUE(of_other.sessions().empty());
}

// The shell gives the terminal up and a child of it takes it: still somebody's login, on the same
// terminal, under another leader.
TEST_F(Real, ATerminalTakenOverByAnotherProcessIsStillASession) {
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "no /usr/bin/python3 here";
  const test::SshServer server("");
  const test::Account dave = test::add_account("dave");
  server.authorize(dave);
  SessionTable table = table_of(server.pid());
  test::SshLogin login(server, dave);
  ASSERT_TRUE(reaches(table, 1));
  const Session before = table.sessions().begin()->second;
  test::write_host_file(dave.home + "/take.py", R"(import fcntl, os, signal, sys, termios, time
name = os.ttyname(0)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
fcntl.ioctl(0, termios.TIOCNOTTY)
if os.fork() == 0:
    os.setsid()
    os.open(name, os.O_RDWR)
    time.sleep(60)
time.sleep(60)
)");
  login.command("exec /usr/bin/python3 take.py");
  ASSERT_TRUE(eventually(table, [&] {
    return table.sessions().size() == 1 && table.sessions().begin()->first != before.id;
  }));
  const Session& after = table.sessions().begin()->second;
  EXPECT_EQ(after.tty_name, before.tty_name);
  EXPECT_EQ(after.host, before.host);
  EXPECT_EQ(after.user, "dave");
}

// A login shell on a virtual console that nobody uses; ended with the object.
class ConsoleShell {
 public:
  explicit ConsoleShell(int console) : node_("/dev/tty" + std::to_string(console)) {
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::setsid();
    const int tty = ::open(node_.c_str(), O_RDWR);  // without O_NOCTTY: it becomes the leader's
    for (const int fd : {0, 1, 2}) ::dup2(tty, fd);
    ::execl("/bin/sleep", "-bash", "60", nullptr);
    ::_exit(127);
  }
  ~ConsoleShell() {
    keyboard(K_UNICODE);
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ConsoleShell(const ConsoleShell&) = delete;
  ConsoleShell& operator=(const ConsoleShell&) = delete;

  pid_t pid() const { return pid_; }
  bool keyboard(unsigned long mode) const {
    const UniqueFd tty(::open(node_.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    return ::ioctl(tty.get(), KDSKBMODE, mode) == 0;
  }

 private:
  std::string node_;
  pid_t pid_ = -1;
};

TEST_F(Real, AVirtualConsoleAndItsKeyboard) {
  const UniqueFd front(::open("/dev/tty0", O_RDWR | O_NOCTTY | O_CLOEXEC));
  int unused = -1;
  if (!front || ::ioctl(front.get(), VT_OPENQRY, &unused) != 0 || unused < 1) {
    GTEST_SKIP() << "no virtual console to spare here";
  }
  const ConsoleShell shell(unused);
  SessionTable table(Procfs(), clock, {});
  const auto session = [&]() -> const Session* {
    for (const auto& [id, s] : table.sessions()) {
      if (id.leader == shell.pid()) return &s;
    }
    return nullptr;
  };
  ASSERT_TRUE(eventually(table, [&] { return session() != nullptr; }));
  EXPECT_EQ(session()->kind, Kind::console);
  EXPECT_EQ(session()->tty_name, "tty" + std::to_string(unused));
  EXPECT_EQ(session()->user, "root");
  EXPECT_EQ(session()->host, 0);
  // As an X server or a Wayland compositor does it.
  if (!shell.keyboard(K_OFF)) GTEST_SKIP() << "the keyboard mode cannot be set here";
  EXPECT_TRUE(eventually(table, [&] { return session() == nullptr; }));
  ASSERT_TRUE(shell.keyboard(K_UNICODE));
  EXPECT_TRUE(eventually(table, [&] { return session() != nullptr; }));
}

}  // namespace
}  // namespace idlewarden

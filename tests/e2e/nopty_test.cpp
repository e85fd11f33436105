// SPDX-License-Identifier: Apache-2.0
// Sessions without a terminal. They are found by the scan, and what became of a connection is known
// a few seconds later, so the waits here are long; what matters is who is ended and who is not.
#include <signal.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "base/unique_fd.h"
#include "e2e/e2e.h"
#include "kernel/connection_probe.h"
#include "sessions/connection.h"
#include "sessions/no_pty.h"
#include "support/loopback.h"

namespace idlewarden::test {
namespace {

using Json = MonitorProcess::Json;

// A session is idle 10 s (ClientAliveInterval 5 x 2) after it was found.
constexpr auto kEndsWithin = 45s;

class NoPty : public testing::Test {
 protected:
  static constexpr const char* kEnforce =
      "mode = \"enforce\"\nwarn = \"4s\"\ngrace = \"2s\"\n[derive]\nclient_alive_floor = \"0s\"\n";
  static constexpr const char* kAudit = "mode = \"audit\"\n[derive]\nclient_alive_floor = \"0s\"\n";

  NoPty() { server.authorize(account); }

  std::vector<std::string> client(const std::vector<std::string>& program,
                                  const std::vector<std::string>& arguments) const {
    std::vector<std::string> argv = program;
    const auto options = server.client_options();
    argv.insert(argv.end(), options.begin(), options.end());
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return argv;
  }
  std::string host() const { return account.name + "@127.0.0.1"; }
  std::vector<std::string> ssh(const std::string& command,
                               const std::vector<std::string>& options = {}) const {
    std::vector<std::string> argv = client({"ssh", "-T"}, options);
    argv.insert(argv.end(), {host(), command});
    return argv;
  }
  MonitorOptions watching(const std::string& policy) const {
    return {.policy = policy,
            .backend = backends().front(),
            .only_host_pids = {server.pid()},
            .more = {}};
  }
  // The session whose program this is, once it is known; null on a timeout.
  static Json session(const MonitorProcess& monitor, const std::string& program) {
    for (const auto until = std::chrono::steady_clock::now() + patience(15s);
         std::chrono::steady_clock::now() < until;) {
      const Json all = monitor.sessions();
      for (const Json& s : all["sessions"]) {
        if (s["foreground"].is_string() ? s["foreground"] == program : program.empty()) return s;
      }
      std::this_thread::sleep_for(100ms);
    }
    return nullptr;
  }
  // Until a ControlMaster listens in that folder.
  static void wait_for_control(const TempDir& dir) {
    for (int i = 0; i < 600 && !std::filesystem::exists(dir.path() + "/control"); ++i) {
      std::this_thread::sleep_for(100ms);
    }
  }
  static Json ended(const MonitorProcess& monitor, const Json& session) {
    return monitor.wait_event("terminated", kEndsWithin,
                              [&](const Json& event) { return event["session"] == session["id"]; });
  }

  Account account = add_account("iwalice");
  SshServer server{"ClientAliveInterval 5\nClientAliveCountMax 2\n"};
};

// An sshd's byte accounting, as the meter sees it.
class Bytes {
 public:
  explicit Bytes(pid_t sshd) {
    const auto stat = Procfs().stat(sshd);
    EXPECT_TRUE(stat);
    const auto connection = connection_of(Procfs(), sshd, stat->start_ticks);
    EXPECT_TRUE(connection && *connection);
    if (connection && *connection) end_ = {sshd, stat->start_ticks, (*connection)->descriptor};
  }
  // Of several looks the most: one can be in the middle of a write.
  std::int64_t input() {
    std::int64_t most = 0;
    for (int i = 0; i < 5; ++i, std::this_thread::sleep_for(20ms)) {
      const auto found = probe_->look(end_);
      EXPECT_TRUE(found) << found.error().text();
      if (!found) break;
      const auto now = static_cast<std::int64_t>(found->written - found->given);
      most = i == 0 ? now : std::max(most, now);
    }
    return most;
  }
  std::int64_t wait_for(std::int64_t expected) {
    std::int64_t now = input();
    for (int i = 0; i < 100 && now < expected; ++i) now = input();
    return now;
  }

 private:
  std::unique_ptr<ConnectionProbe> probe_ = system_connection_probe();
  ConnectionEnd end_;
};

// An sshd that sends keepalives each second, to a client that does so too.
class Accounting : public NoPty {
 protected:
  Accounting() { lively.authorize(account); }
  std::vector<std::string> ssh(const std::string& command, const std::string& user) const {
    std::vector<std::string> argv{"ssh", "-T"};
    const auto options = lively.client_options();
    argv.insert(argv.end(), options.begin(), options.end());
    argv.insert(argv.end(), {"-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=100",
                             user + "@127.0.0.1", command});
    return argv;
  }
  // The sshd behind a command, found as the parent of the process that has this pid.
  static pid_t behind(const std::string& pid) {
    const auto stat = Procfs().stat(std::stoi(pid));
    return stat ? stat->parent : 0;
  }
  SshServer lively{"ClientAliveInterval 1\nClientAliveCountMax 100\nPermitRootLogin yes\n"};
};

TEST_F(Accounting, ThreeBytesAreThreeAndKeepalivesNone) {
  PipedProcess command(ssh("echo pid $$; exec cat", account.name));
  ASSERT_TRUE(command.wait_for("\n", 60s)) << command.output() << lively.log();
  Bytes bytes(behind(command.output().substr(4)));
  const std::int64_t start = bytes.input();
  // Both sides' keepalives go back and forth all the while.
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(1s);
    EXPECT_EQ(bytes.input(), start) << "after " << i + 1 << " s";
  }
  command.tell("abc");
  EXPECT_EQ(bytes.wait_for(start + 3), start + 3);
  command.tell("\n");
  EXPECT_EQ(bytes.wait_for(start + 4), start + 4);
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(1s);
    EXPECT_EQ(bytes.input(), start + 4);
  }
}

TEST_F(Accounting, OutputIsNoInput) {
  PipedProcess command(
      ssh("echo pid $$; while :; do echo some line of output; sleep 0.2; done", account.name));
  ASSERT_TRUE(command.wait_for("\n", 60s)) << command.output() << lively.log();
  Bytes bytes(behind(command.output().substr(4)));
  const std::int64_t start = bytes.input();
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(200ms);
    EXPECT_EQ(bytes.input(), start);
  }
}

TEST_F(NoPty, AnIdleCommandIsEndedAndOneInUseIsNot) {
  MonitorProcess monitor(watching(kEnforce));
  PipedProcess used(ssh("exec cat"));
  PipedProcess idle(ssh("exec tac"));
  const Json first = session(monitor, "tac");
  ASSERT_FALSE(first.is_null()) << monitor.log();
  EXPECT_EQ(first["kind"], "ssh-nopty");
  EXPECT_EQ(first["user"], account.name);
  EXPECT_TRUE(first["tty"].is_null()) << first;
  EXPECT_EQ(first["remote_addr"], "127.0.0.1");
  EXPECT_EQ(first["limit_seconds"], 10);
  const auto until = std::chrono::steady_clock::now() + kEndsWithin;
  while (idle.running() && std::chrono::steady_clock::now() < until) {
    used.tell("x");
    std::this_thread::sleep_for(2s);
  }
  const Json event = ended(monitor, first);
  ASSERT_FALSE(event.is_null()) << monitor.log();
  EXPECT_EQ(event["kind"], "ssh-nopty");
  EXPECT_GE(event["idle_seconds"].get<double>(), 10.0);
  EXPECT_TRUE(idle.wait(10s)) << "its client";
  EXPECT_TRUE(used.running());
  EXPECT_EQ(monitor.events("terminated").size(), 1U) << monitor.log();
  EXPECT_TRUE(monitor.events("warned").empty()) << "there is nobody to read a warning";
  // Left alone from now on, it is ended too.
  EXPECT_TRUE(used.wait(kEndsWithin)) << monitor.log();
}

// Slow ones: what a byte count alone would take for nothing, for longer than the limit.
TEST_F(NoPty, ATransferIsActivity) {
  const TempDir dir;
  const std::string file = dir.file("file", std::string(300'000, 'x'));
  std::filesystem::permissions(dir.path(), std::filesystem::perms(0755));
  std::filesystem::permissions(file, std::filesystem::perms(0644));
  std::ostringstream rsh;
  for (const std::string& word : client({"ssh", "-T"}, {})) rsh << word << " ";
  MonitorProcess monitor(watching(kEnforce));
  PipedProcess chatter(ssh("exec perl -e '$|=1; while (1) { print \"a line\\n\"; sleep 1 }'"));
  PipedProcess download(
      ssh("for i in $(seq 25); do head -c 3000 /dev/zero; sleep 1; done; echo whole"));
  // In pieces that are small against the limit: without -O scp would send 256 kB and then sleep.
  PipedProcess up(client({"scp", "-O", "-q", "-l", "80"}, {file, host() + ":up"}));
  PipedProcess put(client({"sftp", "-q", "-B", "4096", "-R", "1", "-l", "80"}, {host()}));
  put.tell("put " + file + " put\nquit\n");
  PipedProcess sync({"rsync", "--bwlimit=10", "-e", rsh.str(), file, host() + ":synced"});
  PipedProcess fetch(
      {"rsync", "--bwlimit=10", "-e", rsh.str(), host() + ":" + file, dir.path() + "/fetched"});
  for (PipedProcess* transfer : {&download, &up, &put, &sync, &fetch}) {
    EXPECT_EQ(transfer->wait(120s), 0) << transfer->output() << monitor.log();
  }
  EXPECT_NE(download.output().find("whole"), std::string::npos);
  for (const std::string& copy : {account.home + "/up", account.home + "/put",
                                  account.home + "/synced", dir.path() + "/fetched"}) {
    EXPECT_EQ(std::filesystem::file_size(copy), 300'000U) << copy;
  }
  EXPECT_TRUE(chatter.wait(kEndsWithin)) << "output is no activity\n" << monitor.log();
  EXPECT_EQ(monitor.events("terminated").size(), 1U) << monitor.log();
}

TEST_F(NoPty, SftpIsASession) {
  MonitorProcess monitor(watching(kEnforce));
  PipedProcess used(client({"sftp", "-q"}, {host()}));
  PipedProcess internal(client({"sftp", "-q"}, {host()}));
  PipedProcess external(client({"sftp", "-q", "-s", "/usr/lib/openssh/sftp-server"}, {host()}));
  const Json outside = session(monitor, "sftp-server");
  EXPECT_EQ(outside["kind"], "ssh-nopty") << monitor.log();
  EXPECT_EQ(session(monitor, "internal-sftp")["kind"], "ssh-nopty") << monitor.log();
  // A client that waits for its next command does not notice that it has been sent away.
  const auto until = std::chrono::steady_clock::now() + kEndsWithin;
  while (monitor.events("terminated").size() < 2 && std::chrono::steady_clock::now() < until) {
    used.tell("ls /\n");
    std::this_thread::sleep_for(2s);
  }
  EXPECT_FALSE(ended(monitor, outside).is_null()) << monitor.log();
  EXPECT_EQ(monitor.events("terminated").size(), 2U) << monitor.log();
  const auto left = monitor.sessions();
  ASSERT_EQ(left["sessions"].size(), 1U) << left;
  EXPECT_LT(left["sessions"][0]["idle_seconds"].get<double>(), 8) << left;
}

UniqueFd connect_to(int port) {
  const auto until = std::chrono::steady_clock::now() + 60s;
  UniqueFd fd = connect_loopback(port);
  while (!fd && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(100ms);
    fd = connect_loopback(port);
  }
  return fd;
}

// That there is nothing but the connection is certain after seconds only: they are idle time too.
TEST_F(NoPty, ATunnelIsIdleSinceItsLastByte) {
  SshServer calm{""};
  calm.authorize(account);
  const LoopbackListener far;
  const int near = free_port();
  std::vector<std::string> tunnel{"ssh", "-N"};
  const auto options = calm.client_options();
  tunnel.insert(tunnel.end(), options.begin(), options.end());
  tunnel.insert(tunnel.end(),
                {"-L", std::to_string(near) + ":127.0.0.1:" + std::to_string(far.port), host()});
  MonitorOptions watched = watching(kAudit);
  watched.only_host_pids = {calm.pid()};
  MonitorProcess monitor(watched);
  PipedProcess client(tunnel);
  const auto before = std::chrono::steady_clock::now();
  const UniqueFd through = connect_to(near);
  ASSERT_TRUE(through);
  std::this_thread::sleep_for(500ms);  // of a busy host, to tell the server of it
  const auto after = std::chrono::steady_clock::now();
  const Json tunnelled = session(monitor, "");
  ASSERT_FALSE(tunnelled.is_null()) << monitor.log();
  const double least = to_seconds(std::chrono::steady_clock::now() - after);
  const Json asked = monitor.sessions()["sessions"].at(0);
  EXPECT_GE(asked["idle_seconds"].get<double>(), least) << asked;
  EXPECT_LE(asked["idle_seconds"].get<double>(),
            to_seconds(std::chrono::steady_clock::now() - before))
      << asked;
}

TEST_F(NoPty, ATunnelIsASession) {
  const LoopbackListener far;  // at the other end of the tunnels
  const int near_used = free_port();
  const int near_idle = free_port();
  const auto tunnel = [&](int near) {
    return client({"ssh", "-N"},
                  {"-o", "ExitOnForwardFailure=yes", "-L",
                   std::to_string(near) + ":127.0.0.1:" + std::to_string(far.port), host()});
  };
  MonitorProcess monitor(watching(kEnforce));
  PipedProcess idle(tunnel(near_idle));
  PipedProcess used(tunnel(near_used));
  const UniqueFd through = connect_to(near_used);
  ASSERT_TRUE(through);
  const UniqueFd silent = connect_to(near_idle);
  ASSERT_TRUE(silent) << "an open connection through it does not keep it";
  const auto until = std::chrono::steady_clock::now() + kEndsWithin;
  while (idle.running() && std::chrono::steady_clock::now() < until) {
    EXPECT_EQ(::send(through.get(), "x", 1, MSG_NOSIGNAL), 1);
    std::this_thread::sleep_for(2s);
  }
  EXPECT_FALSE(idle.running()) << monitor.log();
  EXPECT_TRUE(used.running()) << monitor.log();
  const Json event = monitor.wait_event("terminated", 5s);
  ASSERT_FALSE(event.is_null()) << monitor.log();
  EXPECT_EQ(event["kind"], "ssh-nopty");
}

// The way of VS Code Remote: a shell without a terminal is fed a script that leaves a server
// behind, and the editor talks to that server through the connection's own SOCKS proxy (ssh -D).
class Editor {
 public:
  Editor(const std::vector<std::string>& ssh, int proxy) : shell(ssh), proxy_(proxy) {
    shell.tell(R"(perl -MIO::Socket::INET -MPOSIX -e '
      my $l = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 4) or die $!;
      if (my $server = fork) { printf "server %d %d\n", $server, $l->sockport; exit }
      POSIX::setsid; open STDIN, "<", "/dev/null"; open STDOUT, ">", "/dev/null";
      open STDERR, ">", "/dev/null"; alarm 300;
      while (my $c = $l->accept) { next if fork; while (sysread $c, my $b, 99) { syswrite $c, $b } exit }'
)");
    if (!shell.wait_for("server ", 60s) || !shell.wait_for("\n", 5s)) return;
    std::istringstream said(shell.output().substr(shell.output().find("server ") + 7));
    said >> server >> port_;
    connect();
  }
  Editor(const Editor&) = delete;
  Editor& operator=(const Editor&) = delete;
  ~Editor() {
    if (server > 0) ::kill(server, SIGKILL);
  }

  bool answers() {
    char back = 0;
    return ::send(through_.get(), "k", 1, MSG_NOSIGNAL) == 1 &&
           ::recv(through_.get(), &back, 1, 0) == 1 && back == 'k';
  }

  PipedProcess shell;
  pid_t server = 0;

 private:
  void connect() {
    through_ = connect_to(proxy_);
    const auto high = static_cast<char>(port_ >> 8);
    const auto low = static_cast<char>(port_ & 0xff);
    const char greeting[] = {5, 1, 0};  // RFC 1928: no authentication
    const char request[] = {5, 1, 0, 1, 127, 0, 0, 1, high, low};
    char answer[10];
    if (::send(through_.get(), greeting, sizeof greeting, MSG_NOSIGNAL) < 0 ||
        ::recv(through_.get(), answer, 2, MSG_WAITALL) != 2 ||
        ::send(through_.get(), request, sizeof request, MSG_NOSIGNAL) < 0 ||
        ::recv(through_.get(), answer, sizeof answer, MSG_WAITALL) != sizeof answer ||
        answer[1] != 0) {
      through_.reset();
    }
  }

  int proxy_;
  int port_ = 0;
  UniqueFd through_;
};

TEST_F(NoPty, AnEditorsServerIsUsedThroughItsConnection) {
  const auto editor = [&](int proxy) {
    return client({"ssh", "-T"}, {"-D", std::to_string(proxy), host(), "bash"});
  };
  MonitorProcess monitor(watching(kEnforce));
  const int proxy_idle = free_port();
  const int proxy_used = free_port();
  Editor idle(editor(proxy_idle), proxy_idle);
  ASSERT_TRUE(idle.answers()) << idle.shell.output() << monitor.log();
  Editor used(editor(proxy_used), proxy_used);
  const auto until = std::chrono::steady_clock::now() + kEndsWithin;
  while (idle.shell.running() && std::chrono::steady_clock::now() < until) {
    ASSERT_TRUE(used.answers()) << used.shell.output() << monitor.log();
    std::this_thread::sleep_for(1s);
  }
  EXPECT_FALSE(idle.shell.running()) << monitor.log();
  EXPECT_TRUE(used.answers()) << monitor.log();
  const Json event = monitor.wait_event("terminated", 5s);
  ASSERT_FALSE(event.is_null()) << monitor.log();
  EXPECT_EQ(event["kind"], "ssh-nopty");
  EXPECT_EQ(monitor.events("terminated").size(), 1U) << monitor.log();
  EXPECT_EQ(::kill(idle.server, 0), 0) << "it left the session, and survivors are left alone";
}

TEST_F(NoPty, ChannelsOfOneConnectionShareItsInput) {
  const TempDir dir;
  const std::string control = "ControlPath=" + dir.path() + "/control";
  MonitorProcess monitor(watching(kEnforce));
  PipedProcess used(ssh("echo up; exec cat", {"-o", "ControlMaster=yes", "-o", control}));
  ASSERT_TRUE(used.wait_for("up", 60s)) << used.output();
  PipedProcess idle(ssh("exec tac", {"-o", control}));
  SshLogin terminal(server, account, {"-o", control});
  ASSERT_FALSE(session(monitor, "tac").is_null()) << monitor.log();
  const auto until = std::chrono::steady_clock::now() + patience(18s);
  while (terminal.terminal().running() && std::chrono::steady_clock::now() < until) {
    used.tell("x");
    std::this_thread::sleep_for(2s);
  }
  EXPECT_TRUE(used.running()) << monitor.log();
  EXPECT_TRUE(idle.running()) << monitor.log();
  EXPECT_FALSE(terminal.terminal().running()) << "it has an input of its own\n" << monitor.log();
  ASSERT_EQ(monitor.events("terminated").size(), 1U) << monitor.log();
  // Nobody uses it any more: both end, and with the last the connection.
  EXPECT_TRUE(idle.wait(kEndsWithin)) << monitor.log();
  EXPECT_TRUE(used.wait(kEndsWithin)) << monitor.log();
  EXPECT_TRUE(monitor.events("terminate_failed").empty()) << monitor.log();
}

TEST_F(NoPty, EndingACommandLeavesTheTerminalsOfItsConnectionAlone) {
  const TempDir dir;
  const std::string control = "ControlPath=" + dir.path() + "/control";
  MonitorProcess monitor(watching(std::string(kEnforce) +
                                  "[[rule]]\nname = \"terminals\"\nmatch = { kinds = [\"ssh\"] }\n"
                                  "limit = \"never\"\n"));
  SshLogin terminal(server, account, {"-o", "ControlMaster=yes", "-o", control});
  PipedProcess idle(ssh("trap '' HUP TERM; while :; do sleep 1; done", {"-o", control}));
  EXPECT_TRUE(idle.wait(kEndsWithin + 10s)) << monitor.log();
  const Json event = monitor.wait_event("terminated", 5s);
  ASSERT_FALSE(event.is_null()) << monitor.log();
  EXPECT_NE(event["detail"].get<std::string>().find("SIGKILL"), std::string::npos) << event;
  EXPECT_EQ(event["detail"].get<std::string>().find("host process"), std::string::npos) << event;
  EXPECT_TRUE(terminal.terminal().running());
  terminal.command("echo still $((40 + 2))");
  EXPECT_TRUE(terminal.terminal().wait_for("still 42", 20s)) << terminal.terminal().output();
}

// Commands that are over before a scan sees them, and that say nothing.
TEST_F(NoPty, AMasterThatIsAskedForShortCommandsIsInUse) {
  const TempDir dir;
  const std::string control = "ControlPath=" + dir.path() + "/control";
  MonitorProcess monitor(watching(kEnforce));
  PipedProcess master(client({"ssh", "-N"}, {"-o", "ControlMaster=yes", "-o", control, host()}));
  wait_for_control(dir);
  const auto until = std::chrono::steady_clock::now() + 25s;
  while (master.running() && std::chrono::steady_clock::now() < until) {
    run(ssh("true", {"-o", control}));
    std::this_thread::sleep_for(3s);
  }
  EXPECT_TRUE(master.running()) << monitor.log();
  EXPECT_TRUE(monitor.events("terminated").empty()) << monitor.log();
  EXPECT_TRUE(master.wait(kEndsWithin)) << monitor.log();
}

// The client keeps the connection for later sessions (ControlPersist): it is told to go.
TEST_F(NoPty, TheLastSessionTakesItsConnectionAlong) {
  const TempDir dir;
  const std::string control = "ControlPath=" + dir.path() + "/control";
  MonitorProcess monitor(watching(kEnforce));
  PipedProcess master(client({"ssh", "-N"}, {"-o", "ControlMaster=yes", "-o", control, host()}));
  wait_for_control(dir);
  PipedProcess command(ssh("exec cat", {"-o", control}));
  EXPECT_TRUE(command.wait(kEndsWithin)) << monitor.log();
  EXPECT_TRUE(master.wait(20s)) << monitor.log();
  EXPECT_TRUE(monitor.events("terminate_failed").empty()) << monitor.log();
  const Json event = monitor.wait_event("terminated", 5s);
  ASSERT_FALSE(event.is_null()) << monitor.log();
  EXPECT_NE(event["detail"].get<std::string>().find("SIGTERM to host process"), std::string::npos)
      << event;
}

// Beside the command that is ended there is a tunnel, and a master that can be asked for more.
class UsedAgain : public NoPty {
 protected:
  // `use` comes in the grace between the command's end and that of its connection.
  void expect_to_live_on(const std::function<void()>& use) {
    ASSERT_TRUE(through) << master.output();
    PipedProcess command(ssh("exec cat", {"-o", control}));
    const Json first = session(monitor, "cat");
    ASSERT_FALSE(first.is_null()) << monitor.log();
    ASSERT_TRUE(command.wait(kEndsWithin)) << monitor.log();
    use();
    std::this_thread::sleep_for(kGrace + 2s);
    EXPECT_TRUE(master.running()) << monitor.log();
    const Json event = ended(monitor, first);
    ASSERT_FALSE(event.is_null()) << monitor.log();
    EXPECT_EQ(event["detail"], "hang-up");
    // Not used any more, it is ended as what it is now, by its own limit.
    EXPECT_TRUE(master.wait(kEndsWithin)) << monitor.log();
    const Json last = monitor.wait_event(
        "terminated", 5s, [&](const Json& other) { return other["session"] != first["id"]; });
    ASSERT_FALSE(last.is_null()) << monitor.log();
    EXPECT_GE(last["idle_seconds"].get<double>(), 10.0);
  }

  static constexpr auto kGrace = 4s;
  const TempDir dir;
  const std::string control = "ControlPath=" + dir.path() + "/control";
  const LoopbackListener far;
  const int near = free_port();
  MonitorProcess monitor{
      watching("mode = \"enforce\"\ngrace = \"4s\"\n[derive]\nclient_alive_floor = \"0s\"\n")};
  PipedProcess master{client(
      {"ssh", "-N"}, {"-o", "ControlMaster=yes", "-o", control, "-L",
                      std::to_string(near) + ":127.0.0.1:" + std::to_string(far.port), host()})};
  const UniqueFd through = connect_to(near);
};

TEST_F(UsedAgain, AConnectionWithATunnelInUseOutlivesItsCommand) {
  expect_to_live_on([&] { EXPECT_EQ(::send(through.get(), "used", 4, MSG_NOSIGNAL), 4); });
}

// It is over between two looks, unless the host is busy.
TEST_F(UsedAgain, AConnectionThatIsAskedForAShortCommandOutlivesTheLast) {
  expect_to_live_on([&] { EXPECT_EQ(run(ssh("true", {"-o", control})).status, 0); });
}

TEST_F(NoPty, AuditTouchesNothing) {
  MonitorProcess monitor(watching(kAudit));
  PipedProcess command(ssh("trap 'echo told' HUP TERM; while :; do sleep 1; done"));
  PipedProcess tunnel(client({"ssh", "-N"}, {host()}));
  std::set<std::string> reported;
  const auto until = std::chrono::steady_clock::now() + kEndsWithin;
  while (reported.size() < 2 && std::chrono::steady_clock::now() < until) {
    for (const Json& event : monitor.events("would_terminate")) {
      reported.insert(event["session"].get<std::string>());
    }
    std::this_thread::sleep_for(200ms);
  }
  EXPECT_EQ(reported.size(), 2U) << monitor.log();
  std::this_thread::sleep_for(3s);
  EXPECT_TRUE(command.running());
  EXPECT_TRUE(tunnel.running());
  EXPECT_EQ(command.output(), "");
  EXPECT_TRUE(monitor.events("terminated").empty());
}

}  // namespace
}  // namespace idlewarden::test

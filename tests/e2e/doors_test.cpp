// SPDX-License-Identifier: Apache-2.0
// Ways in other than Debian's sshd: each is one session, of the right kind, user and address, kept
// by keys and ended by silence.
#include <signal.h>

#include <cstdlib>
#include <filesystem>

#include "base/procfs.h"
#include "e2e/watched.h"

namespace idlewarden::test {
namespace {
namespace fs = std::filesystem;

const std::map<std::string, std::string> kTerminal{{"TERM", "xterm-256color"},
                                                   {"LC_ALL", "C.UTF-8"}};

class Doors : public AnyDoor {
 protected:
  // An emulated machine takes seconds to log in and to be asked.
  Doors() : AnyDoor(emulated() ? 14s : 8s) {}

  Account account = add_account("iwalice");
};
INSTANTIATE_TEST_SUITE_P(Backends, Doors, testing::ValuesIn(backends()), backend_name);

TEST_P(Doors, Dropbear) {
  if (const auto why = missing({"/usr/sbin/dropbear"}); !why.empty()) GTEST_SKIP() << why;
  const DropbearServer server;
  server.authorize(account);
  MonitorProcess monitor(watching());
  PtyProcess client(server.client(account), kTerminal);
  ASSERT_NO_FATAL_FAILURE(expect_prompt(client)) << server.log();
  const Json session = only_session(monitor, "dropbear");
  ASSERT_FALSE(session.is_null()) << monitor.log();
  EXPECT_EQ(session["user"], account.name);
  EXPECT_EQ(session["remote_addr"], "127.0.0.1");
  EXPECT_GT(session["remote_port"].get<int>(), 1023);
  EXPECT_FALSE(session["host_pid"].is_null());
  expect_a_key_counts_and_silence_ends(monitor, session, client);
  EXPECT_TRUE(client.ends_within(5s)) << client.output();
  EXPECT_EQ(monitor.events("session_started").size(), 1U);
}

// As mosh(1) does it: the server is started through ssh, which then goes away. A client that roams
// is not there for hours and says nothing about it.
TEST_P(Doors, Mosh) {
  if (const auto why = missing({"mosh-server", "mosh-client"}); !why.empty()) GTEST_SKIP() << why;
  const SshServer server("");
  server.authorize(account);
  MonitorProcess monitor(watching());
  SshLogin login(server, account);
  login.command("LC_ALL=C.UTF-8 mosh-server new -i 127.0.0.1 | cat");
  // The one is written to a pipe, the other to the terminal.
  ASSERT_TRUE(login.terminal().wait_for("\nMOSH CONNECT", 20s)) << login.terminal().output();
  ASSERT_TRUE(login.terminal().wait_for("detached, pid", 20s)) << login.terminal().output();
  std::this_thread::sleep_for(200ms);
  const MoshServer mosh = parse_mosh_server(login.terminal().output());
  auto environment = kTerminal;
  environment["MOSH_KEY"] = mosh.key;
  PtyProcess client({"mosh-client", "127.0.0.1", mosh.port}, environment);
  ASSERT_NO_FATAL_FAILURE(expect_prompt(client));

  // The ssh session that started it ends for want of keys; mosh has some, and stays.
  while (login.terminal().running() &&
         std::chrono::steady_clock::now() < login.last_key() + ended_within() + 5s) {
    client.type("x");
    login.terminal().wait_end(2s);
  }
  ASSERT_FALSE(login.terminal().running()) << monitor.log();
  ASSERT_TRUE(client.running()) << client.output();
  ASSERT_FALSE(monitor.wait_event("session_ended", 5s).is_null()) << monitor.log();
  const Json session = only_session(monitor, "mosh");
  ASSERT_FALSE(session.is_null()) << monitor.log();
  EXPECT_EQ(session["user"], account.name);
  EXPECT_EQ(session["host_pid"], mosh.pid);
  EXPECT_TRUE(session["remote_addr"].is_null()) << session;  // its socket is not connected

  client.type("x");
  std::this_thread::sleep_for(500ms);
  ::kill(client.pid(), SIGSTOP);
  const auto of_it = [&](const Json& event) { return event["session"] == session["id"]; };
  const Json ended = monitor.wait_event("terminated", ended_within() + 5s, of_it);
  ASSERT_FALSE(ended.is_null()) << monitor.log();
  EXPECT_GE(ended["idle_seconds"].get<double>(), seconds(limit_));
  EXPECT_LE(ended["lateness_seconds"].get<double>(), seconds(lateness_allowed()));
  EXPECT_FALSE(Procfs().lives(session["leader_pid"].get<pid_t>()));
  EXPECT_EQ(monitor.events("session_started").size(), 2U);
  ::kill(mosh.pid, SIGKILL);  // it would wait for its client
}

// telnetd starts login(1), which asks for a name; that is no session yet.
TEST_P(Doors, Telnet) {
  if (const auto why = missing({"/usr/sbin/telnetd", "inetutils-telnet"}); !why.empty()) {
    GTEST_SKIP() << why;
  }
  write_host_file("/etc/pam.d/login",
                  "auth required pam_permit.so\naccount required pam_permit.so\n"
                  "session required pam_permit.so\n");
  const InetServer server({"/usr/sbin/telnetd", "-n"});
  prepare_home(account);
  MonitorProcess monitor(watching());
  PtyProcess client({"inetutils-telnet", "127.0.0.1", std::to_string(server.port())}, kTerminal);
  ASSERT_TRUE(client.wait_for("login: ", 30s)) << client.output();
  std::this_thread::sleep_for(2500ms);
  EXPECT_TRUE(monitor.sessions()["sessions"].empty()) << monitor.sessions().dump(2);
  client.type(account.name + "\r");
  ASSERT_NO_FATAL_FAILURE(expect_prompt(client));
  const Json session = only_session(monitor, "telnet");
  ASSERT_FALSE(session.is_null()) << monitor.log();
  EXPECT_EQ(session["user"], account.name);
  EXPECT_EQ(session["remote_addr"], "127.0.0.1");
  expect_a_key_counts_and_silence_ends(monitor, session, client);
  EXPECT_TRUE(client.ends_within(5s)) << client.output();
  EXPECT_EQ(monitor.events("session_started").size(), 1U);
}

// Servers at paths of the administrator's own: only those that the policy names are doors.
TEST_P(Doors, HostsThatThePolicyNames) {
  if (const auto why = missing({"/usr/sbin/dropbear"}); !why.empty()) GTEST_SKIP() << why;
  const TempDir dir;
  const std::string sshd = dir.path() + "/sshd";
  const std::string unnamed = dir.path() + "/unnamed-sshd";
  const std::string dropbear = dir.path() + "/dropbear";
  fs::copy_file("/usr/sbin/sshd", sshd);
  fs::copy_file("/usr/sbin/sshd", unnamed);
  fs::copy_file("/usr/sbin/dropbear", dropbear);
  const Account bob = add_account("iwbob");
  const Account carol = add_account("iwcarol");
  const SshServer ssh_server("", sshd);
  const SshServer unnamed_server("", unnamed);
  const DropbearServer dropbear_server(dropbear);
  ssh_server.authorize(account);
  unnamed_server.authorize(carol);
  dropbear_server.authorize(bob);

  MonitorProcess monitor(watching("sessions.hosts = [\"" + sshd + "\", \"" + dropbear + "\"]\n"));
  SshLogin unwatched(unnamed_server, carol);
  SshLogin login(ssh_server, account);
  PtyProcess client(dropbear_server.client(bob), kTerminal);
  ASSERT_NO_FATAL_FAILURE(expect_prompt(client)) << dropbear_server.log();
  EXPECT_EQ(events_up_to(monitor, "session_started", 2), 2U) << monitor.log();
  std::map<std::string, std::string> kind_of;
  for (const Json& event : monitor.events("session_started")) {
    kind_of[event["user"]] = event["kind"];
  }
  EXPECT_EQ(kind_of,
            (std::map<std::string, std::string>{{account.name, "ssh"}, {bob.name, "dropbear"}}));
  EXPECT_TRUE(login.terminal().ends_within(ended_within() + 10s)) << monitor.log();
  EXPECT_TRUE(client.ends_within(10s)) << monitor.log();
  EXPECT_TRUE(unwatched.terminal().running());
  EXPECT_EQ(events_up_to(monitor, "terminated", 2), 2U) << monitor.log();
}

}  // namespace
}  // namespace idlewarden::test

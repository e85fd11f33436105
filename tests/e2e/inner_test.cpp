// SPDX-License-Identifier: Apache-2.0
// Terminals inside a login: never a session of their own, and what is typed into them is typed into
// the login that shows them.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <regex>

#include "base/procfs.h"
#include "e2e/watched.h"

namespace idlewarden::test {
namespace {
namespace fs = std::filesystem;

class Inner : public AnyDoor {
 protected:
  Inner() { server.authorize(account); }

  // The pid that a shell says it has: a command's own line holds "$$", its output a number.
  static pid_t shell_pid(SshLogin& login, const std::string& mark) {
    login.command("echo " + mark + "=$$;");
    const std::regex said(mark + "=([0-9]+)");
    const auto until = std::chrono::steady_clock::now() + patience(20s);
    std::smatch found;
    std::string output;
    do {
      std::this_thread::sleep_for(50ms);
      output = login.terminal().output();
    } while (!std::regex_search(output, found, said) && std::chrono::steady_clock::now() < until);
    if (found.empty()) throw std::runtime_error("no shell answers: " + output);
    return std::stoi(found[1]);
  }

  Account account = add_account("iwalice");
  SshServer server{""};
};
INSTANTIATE_TEST_SUITE_P(Backends, Inner, testing::ValuesIn(backends()), backend_name);

struct Program {
  const char* name;     // empty: the login itself
  const char* command;  // typed in the login
  // Whether what runs in it lives on when the login ends. Of script(1) it depends: it blocks the
  // hang-up and hands its shell the end of input instead, which may not be at an empty line.
  std::optional<bool> outlives;
};

// Each in a login of its own. `su`, `sudo` without a pty and the login itself stay on its terminal;
// the others make one. The IDE is what an editor's built-in terminal is: a program with a pty.
constexpr Program kPrograms[] = {
    {"", "true", false},
    {"tmux", "exec tmux -f /dev/null -S ~/tmux.socket new-session 'exec bash -l'", true},
    {"screen", "mkdir -pm 700 ~/screens; SCREENDIR=~/screens exec screen -c /dev/null bash -l",
     true},
    {"script", "script -qc 'exec bash -l' /dev/null", std::nullopt},
    {"python3", "exec python3 -c 'import pty; pty.spawn([\"bash\", \"-l\"])'", false},
    {"su", "su - iwbob", false},
    {"sudo", "sudo -iu iwbob", false},
    {"sudo", "sudo -iu iwcarol", false},
};

TEST_P(Inner, TerminalsBelongToTheLoginThatShowsThem) {
  for (const std::string name : {"iwbob", "iwcarol"}) prepare_home(add_account(name));
  write_host_file("/etc/pam.d/su",
                  "auth sufficient pam_permit.so\naccount required pam_permit.so\n"
                  "session required pam_permit.so\n");
  fs::copy_file("/etc/pam.d/su", "/etc/pam.d/su-l", fs::copy_options::overwrite_existing);
  fs::copy_file("/etc/pam.d/su", "/etc/pam.d/sudo", fs::copy_options::overwrite_existing);
  fs::copy_file("/etc/pam.d/su", "/etc/pam.d/sudo-i", fs::copy_options::overwrite_existing);
  write_host_file("/etc/sudoers",
                  "Defaults use_pty\nDefaults>iwcarol !use_pty\n"
                  "iwalice ALL=(iwbob, iwcarol) NOPASSWD: ALL\n");
  ASSERT_EQ(::chmod("/etc/sudoers", 0440), 0);

  struct Person {
    const Program* program;
    std::unique_ptr<SshLogin> login;
    pid_t inner_shell = 0;
  };
  std::vector<Person> people;
  std::vector<std::string> ttys;
  for (const Program& program : kPrograms) {
    if (*program.name != '\0' && !missing({program.name}).empty()) continue;
    Person person{&program, std::make_unique<SshLogin>(server, account)};
    ttys.push_back(person.login->tty().substr(std::string("/dev/").size()));
    person.login->command(program.command);
    people.push_back(std::move(person));
  }
  ASSERT_GT(people.size(), 5U) << "too little of it is installed";
  for (Person& person : people) {
    SCOPED_TRACE(person.program->command);
    std::this_thread::sleep_for(200ms);
    person.inner_shell = shell_pid(*person.login, "inner");
  }

  MonitorProcess monitor(watching());
  EXPECT_EQ(events_up_to(monitor, "session_started", people.size()), people.size());
  const Json shown = monitor.sessions()["sessions"];
  std::vector<std::string> shown_ttys;
  for (const Json& session : shown) {
    EXPECT_EQ(session["kind"], "ssh");
    EXPECT_EQ(session["user"], account.name) << session;
    shown_ttys.push_back(session["tty"]);
  }
  std::ranges::sort(ttys);
  std::ranges::sort(shown_ttys);
  EXPECT_EQ(shown_ttys, ttys);

  // Keys keep them, beyond the limit.
  const auto typed_until = std::chrono::steady_clock::now() + limit_ + 2s;
  SteadyTime last_key;
  while (std::chrono::steady_clock::now() < typed_until) {
    last_key = std::chrono::steady_clock::now();
    for (Person& person : people) person.login->terminal().type("x");
    std::this_thread::sleep_for(2s);
  }
  EXPECT_TRUE(monitor.events("terminated").empty()) << monitor.log();

  for (Person& person : people) {
    SCOPED_TRACE(person.program->command);
    EXPECT_TRUE(person.login->terminal().ends_within(ended_within() + 5s)) << monitor.log();
  }
  EXPECT_GE(seconds(std::chrono::steady_clock::now() - last_key), seconds(limit_));
  EXPECT_EQ(events_up_to(monitor, "session_ended", people.size()), people.size());
  EXPECT_EQ(monitor.events("terminated").size(), people.size()) << monitor.log();
  EXPECT_EQ(monitor.events("session_started").size(), people.size()) << monitor.log();
  EXPECT_TRUE(monitor.sessions()["sessions"].empty()) << monitor.sessions();
  for (const Person& person : people) {
    // The hang-up is handed on: from the login's shell to sudo, from there to its shell.
    const auto until = std::chrono::steady_clock::now() + patience(10s);
    while (person.program->outlives == false && Procfs().lives(person.inner_shell) &&
           std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(50ms);
    }
    const bool alive = Procfs().lives(person.inner_shell);
    EXPECT_EQ(alive, person.program->outlives.value_or(alive)) << person.program->command;
    if (alive) ::kill(person.inner_shell, SIGKILL);
  }
}

// Two people look at one tmux: what one types keeps only the one.
TEST_P(Inner, TwoPeopleAtOneTmuxAreTwoSessions) {
  if (const auto why = missing({"tmux"}); !why.empty()) GTEST_SKIP() << why;
  const Account bob = add_account("iwbob");
  server.authorize(bob);
  const std::string tmux = "tmux -f /dev/null -S /home/iwalice/shared ";
  SshLogin typing(server, account);
  SshLogin watching_only(server, bob);
  typing.command("chmod 755 ~; " + tmux + "new-session -d 'exec bash -l'; chmod 666 ~/shared; " +
                 tmux + "server-access -a iwbob; exec " + tmux + "attach");
  const pid_t inner_shell = shell_pid(typing, "inner");
  watching_only.command("exec " + tmux + "attach");
  ASSERT_TRUE(watching_only.terminal().wait_for("inner=", 20s))
      << watching_only.terminal().output();

  MonitorProcess monitor(watching());
  EXPECT_EQ(events_up_to(monitor, "session_started", 2), 2U) << monitor.log();
  while (watching_only.terminal().running() &&
         std::chrono::steady_clock::now() < typing.last_key() + patience(40s)) {
    typing.terminal().type("x");
    watching_only.terminal().wait_end(2s);
  }
  const auto ended = monitor.wait_event("terminated", 5s);
  ASSERT_FALSE(ended.is_null()) << monitor.log();
  EXPECT_EQ(ended["user"], bob.name);
  EXPECT_TRUE(typing.terminal().running()) << monitor.log();
  EXPECT_FALSE(monitor.wait_event("session_ended", 5s).is_null()) << monitor.log();
  const Json left = monitor.sessions()["sessions"];
  ASSERT_EQ(left.size(), 1U) << left.dump(2);
  EXPECT_EQ(left[0]["user"], account.name);
  // It lives on without anybody, too.
  EXPECT_TRUE(typing.terminal().ends_within(ended_within() + 5s)) << monitor.log();
  EXPECT_TRUE(Procfs().lives(inner_shell));
  EXPECT_EQ(monitor.events("session_started").size(), 2U) << monitor.log();
  if (Procfs().lives(inner_shell)) ::kill(inner_shell, SIGKILL);
}

}  // namespace
}  // namespace idlewarden::test

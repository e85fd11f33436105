// SPDX-License-Identifier: Apache-2.0
// `idlewarden top` in a real terminal emulator (tmux), fed by the real daemon.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "e2e/e2e.h"

namespace idlewarden::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A tmux server of the test's own with one window.
class Terminal {
 public:
  Terminal(const std::string& command, int columns, int lines) {
    must(
        {"new-session", "-d", "-x", std::to_string(columns), "-y", std::to_string(lines), command});
  }
  ~Terminal() { tmux({"kill-server"}); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void resize(int columns, int lines) {
    must({"resize-window", "-x", std::to_string(columns), "-y", std::to_string(lines)});
  }
  void type(const std::string& text) { must({"send-keys", "-l", text}); }
  void key(const std::string& name) { must({"send-keys", name}); }
  // The lines of the screen; with escape sequences if `raw`.
  std::string screen(bool raw = false) {
    return must(raw ? std::vector<std::string>{"capture-pane", "-p", "-e"}
                    : std::vector<std::string>{"capture-pane", "-p"});
  }
  bool shows(const std::string& text, std::chrono::milliseconds within = 15s) {
    return wait(within, [&] { return screen().find(text) != std::string::npos; });
  }
  bool hides(const std::string& text, std::chrono::milliseconds within = 15s) {
    return wait(within, [&] { return screen().find(text) == std::string::npos; });
  }

 private:
  template <class Condition>
  static bool wait(std::chrono::milliseconds within, Condition holds) {
    const auto until = std::chrono::steady_clock::now() + within;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(100ms);
    }
    return true;
  }
  Finished tmux(const std::vector<std::string>& arguments) const {
    std::vector<std::string> argv{"tmux", "-S", dir_.path() + "/tmux", "-f", "/dev/null"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return run(argv);
  }
  std::string must(const std::vector<std::string>& arguments) const {
    Finished ran = tmux(arguments);
    if (ran.status != 0) throw std::runtime_error("tmux " + arguments[0] + ": " + ran.output);
    return std::move(ran.output);
  }

  TempDir dir_;
};

bool has_tmux() {
  return ::access("/usr/bin/tmux", X_OK) == 0;
}

class Top : public Scaled {
 protected:
  void SetUp() override {
    if (!has_tmux()) GTEST_SKIP() << "tmux is not installed";
  }
  std::string command(const std::string& environment = "LANG=C.UTF-8") const {
    // What the shell prints afterwards tells that the terminal is its own again.
    return "env -u NO_COLOR " + environment + " " + binary() + " top --socket " + monitor.socket() +
           "; echo \"left with $?\"; stty -a; sleep 1000";
  }

  Account other = [this] {
    Account made = add_account("iwbob");
    server.authorize(made);
    return made;
  }();
  MonitorProcess monitor{watching(kAudit)};
};
INSTANTIATE_TEST_SUITE_P(Backends, Top, testing::Values(backends().front()), backend_name);

void expect_left(Terminal& terminal, int status) {
  EXPECT_TRUE(terminal.shows("left with " + std::to_string(status))) << terminal.screen();
  EXPECT_TRUE(terminal.shows(" icanon")) << terminal.screen();
  EXPECT_TRUE(terminal.shows(" echo ")) << terminal.screen();
}

TEST_P(Top, ShowsSortsFiltersResizesAndQuits) {
  SshLogin alice(server, account);
  SshLogin bob(server, other);
  Terminal terminal(command(), 80, 24);
  ASSERT_TRUE(terminal.shows("iwalice")) << terminal.screen() << monitor.log();
  ASSERT_TRUE(terminal.shows("iwbob")) << terminal.screen();
  EXPECT_THAT(terminal.screen(), HasSubstr("mode audit (nothing is ended)"));
  EXPECT_THAT(terminal.screen(), HasSubstr("2 sessions: "));
  EXPECT_THAT(terminal.screen(), HasSubstr("sorted by time left"));
  EXPECT_TRUE(terminal.shows("█")) << terminal.screen();
  EXPECT_TRUE(terminal.shows("expired", 30s)) << terminal.screen();

  const auto line_of = [&](const std::string& user) { return terminal.screen().find("\n" + user); };
  terminal.type("u");
  EXPECT_TRUE(terminal.shows("sorted by user"));
  EXPECT_LT(line_of("iwalice"), line_of("iwbob"));
  terminal.type("r");
  EXPECT_TRUE(terminal.shows("sorted by user, reversed"));
  EXPECT_GT(line_of("iwalice"), line_of("iwbob"));

  terminal.type("/bob");
  EXPECT_TRUE(terminal.shows("filter: bob_"));
  EXPECT_TRUE(terminal.hides("iwalice")) << terminal.screen();
  terminal.key("Enter");
  EXPECT_TRUE(terminal.shows("filter \"bob\""));
  terminal.type("c");
  EXPECT_TRUE(terminal.shows("iwalice"));

  EXPECT_THAT(terminal.screen(), HasSubstr("FROM"));
  terminal.resize(40, 10);
  EXPECT_TRUE(terminal.hides("FROM")) << terminal.screen();
  EXPECT_TRUE(terminal.shows("iwalice"));
  terminal.resize(200, 50);
  EXPECT_TRUE(terminal.shows("LIMIT SET BY")) << terminal.screen();
  EXPECT_TRUE(terminal.shows(server.config_file())) << terminal.screen();

  terminal.type("?");
  EXPECT_TRUE(terminal.shows("Any key goes back"));
  terminal.type("x");
  EXPECT_TRUE(terminal.shows("q quit"));
  terminal.type("q");
  expect_left(terminal, 0);
}

TEST_P(Top, CtrlCGivesTheTerminalBack) {
  Terminal terminal(command(), 80, 24);
  ASSERT_TRUE(terminal.shows("no sessions")) << terminal.screen();
  terminal.key("C-c");
  expect_left(terminal, 0);
}

TEST_P(Top, OutlivesTheDaemonAndFindsTheNextOne) {
  SshLogin alice(server, account);
  Terminal terminal(command(), 120, 24);
  ASSERT_TRUE(terminal.shows("iwalice")) << terminal.screen();
  monitor.process().signal(SIGKILL);
  EXPECT_TRUE(terminal.shows("cannot reach the daemon")) << terminal.screen();
  EXPECT_TRUE(terminal.shows("trying again")) << terminal.screen();
  EXPECT_THAT(terminal.screen(), HasSubstr("iwalice"));
  const TempDir dir;
  Process next({binary(), "run", "--socket", monitor.socket(), "--pin-dir", "none", "--state-dir",
                "none", "--metrics-listen", "none", "--backend", GetParam(), "--only-host-pid",
                std::to_string(server.pid())},
               dir.path() + "/log");
  EXPECT_TRUE(terminal.hides("cannot reach the daemon", 60s)) << terminal.screen();
  EXPECT_TRUE(terminal.shows("iwalice")) << terminal.screen();
  terminal.type("q");
  expect_left(terminal, 0);
}

TEST_P(Top, ADaemonThatDoesNotAnswerDoesNotKeepTheKeysWaiting) {
  Terminal terminal(command(), 120, 24);
  ASSERT_TRUE(terminal.shows("no sessions")) << terminal.screen();
  monitor.process().signal(SIGSTOP);
  EXPECT_TRUE(terminal.shows("does not answer")) << terminal.screen();
  terminal.type("?");
  EXPECT_TRUE(terminal.shows("Any key goes back", 3s)) << terminal.screen();
  terminal.type("q");
  EXPECT_TRUE(terminal.shows("left with 0", 3s)) << terminal.screen();
  monitor.process().signal(SIGCONT);
}

// SGR 31 to 33 are what it would colour with.
bool coloured(const std::string& raw) {
  return raw.find("\x1b[31m") != std::string::npos || raw.find("\x1b[32m") != std::string::npos ||
         raw.find("\x1b[33m") != std::string::npos;
}

TEST_P(Top, ColoursAndCharactersAreWhatTheTerminalHas) {
  SshLogin alice(server, account);
  {
    Terminal terminal(command("LANG=C.UTF-8"), 80, 24);
    ASSERT_TRUE(terminal.shows("█")) << terminal.screen();
    EXPECT_TRUE(coloured(terminal.screen(true)));
  }
  {
    Terminal terminal(command("LANG=C.UTF-8 NO_COLOR=1"), 80, 24);
    ASSERT_TRUE(terminal.shows("█")) << terminal.screen();
    EXPECT_FALSE(coloured(terminal.screen(true)));
  }
  {
    Terminal terminal(command("LC_ALL=C"), 80, 24);
    ASSERT_TRUE(terminal.shows("##")) << terminal.screen();
    const std::string screen = terminal.screen();
    EXPECT_TRUE(std::ranges::all_of(screen, [](char c) { return c > 0; })) << screen;
  }
  {
    Terminal terminal(command("LANG=C.UTF-8 TERM=dumb"), 80, 24);
    ASSERT_TRUE(terminal.shows("█")) << terminal.screen();
    EXPECT_THAT(terminal.screen(true), Not(HasSubstr("\x1b")));
    terminal.key("C-c");
  }
}

TEST_P(Top, WithoutATerminalPrintsOnceAndJsonLineByLine) {
  SshLogin alice(server, account);
  ASSERT_FALSE(monitor.wait_event("session_started", 10s).is_null()) << monitor.log();
  const Finished once = run({binary(), "top", "--socket", monitor.socket()});
  EXPECT_EQ(once.status, 0) << once.output;
  EXPECT_THAT(once.output, HasSubstr("iwalice"));
  EXPECT_THAT(once.output, Not(HasSubstr("\x1b")));

  const TempDir dir;
  {
    Process stream({binary(), "top", "--json", "--socket", monitor.socket()}, dir.path() + "/out");
    std::this_thread::sleep_for(3500ms);
  }
  const Finished read = run({"cat", dir.path() + "/out"});
  std::size_t parsed = 0;
  for (const std::string& line : split(read.output, '\n')) {
    if (line.empty()) continue;
    const auto json = nlohmann::json::parse(line);
    EXPECT_EQ(json["sessions"][0]["user"], account.name);
    EXPECT_TRUE(json["sessions"][0]["left_seconds"].is_number()) << line;
    ++parsed;
  }
  EXPECT_GE(parsed, 2U) << read.output;
}

TEST_P(Top, WithoutADaemonSaysSo) {
  const Finished ran = run({binary(), "top", "--socket", "/nonexistent/socket"});
  EXPECT_TRUE(WIFEXITED(ran.status) && WEXITSTATUS(ran.status) == 3) << ran.output;
  const Finished wrong = run({binary(), "top", "--interval", "0s"});
  EXPECT_TRUE(WIFEXITED(wrong.status) && WEXITSTATUS(wrong.status) == 2) << wrong.output;
}

}  // namespace
}  // namespace idlewarden::test

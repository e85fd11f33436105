// SPDX-License-Identifier: Apache-2.0
// Tricks that make a session look used while nobody is there. Each is the real one, played by the
// session's own user through a real ssh client; what the daemon calls idle tells whether it sees
// through it. README's table of tricks has a row for each of these.
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "base/unique_fd.h"
#include "e2e/crowd.h"

namespace idlewarden::test {
namespace {

// Asks the terminal, reads what it answers, and writes how many bytes those were to a file.
// Arguments: the question, with escapes; the seconds between two; how often it asks at a time.
constexpr std::string_view kAsk = R"(#!/usr/bin/python3
import os, select, sys, time, tty
question = sys.argv[1].encode().decode('unicode_escape').encode('latin-1') * int(sys.argv[3])
period, heard = float(sys.argv[2]), 0
tty.setraw(0)
while True:
    os.write(1, question)
    end = time.monotonic() + period
    while True:
        left = end - time.monotonic()
        if select.select([0], [], [], max(left, 0))[0]:
            heard += len(os.read(0, 65536))
            with open(os.path.expanduser('~/heard'), 'w') as file:
                file.write(str(heard))
        elif left <= 0:
            break
)";

// A tmux server of its own in which the client runs: a terminal that answers by itself.
class Tmux {
 public:
  ~Tmux() { (void)command({"kill-server"}); }
  SshLogin::Terminal terminal() const {
    return [this](std::vector<std::string> client) {
      std::vector<std::string> argv = base();
      argv.insert(argv.end(), {"set", "-g", "focus-events", "on", ";", "set", "-g", "status", "off",
                               ";", "new-session"});
      argv.insert(argv.end(), client.begin(), client.end());
      return argv;
    };
  }
  int command(const std::vector<std::string>& words) const {
    std::vector<std::string> argv = base();
    argv.insert(argv.end(), words.begin(), words.end());
    return run(argv).status;
  }

 private:
  std::vector<std::string> base() const {
    return {"tmux", "-S", dir_.path() + "/socket", "-f", "/dev/null"};
  }
  TempDir dir_;
};

class Forgery : public Crowd {
 protected:
  explicit Forgery(const std::string& sshd_settings = "") : Crowd(sshd_settings) {}

  void ask(const std::string& who, const std::string& question, const std::string& period,
           int times = 1) {
    const std::string program = file_of(who, "ask", kAsk);
    session(who).command(program + " '" + question + "' " + period + " " + std::to_string(times));
  }
  // Whether more bytes than this were answered, after a while.
  bool hears(const std::string& who, int bytes) {
    const auto until = std::chrono::steady_clock::now() + patience(1s);
    while (heard(who) <= bytes && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(250ms);
    }
    return heard(who) > bytes;
  }
  int heard(const std::string& who) {
    // Empty while it is being written again.
    std::string bytes;
    for (int i = 0; bytes.empty() && i < 200; ++i) bytes = read_file_of(who, "heard");
    return bytes.empty() ? 0 : std::stoi(bytes);
  }
  // After the tricks ran for a while: these people are idle since they last typed, those are not.
  void expect(const std::set<std::string>& seen_through, const std::set<std::string>& counted) {
    const auto idle = idle_times();
    for (const std::string& who : seen_through) {
      ASSERT_TRUE(idle.contains(who)) << who << " is not watched\n" << monitor_.log();
      EXPECT_GE(idle.at(who), 4.5) << who << "'s trick was taken for a person\n" << monitor_.log();
    }
    for (const std::string& who : counted) {
      ASSERT_TRUE(idle.contains(who)) << who << " is not watched\n" << monitor_.log();
      // The trick goes on, so it counts again and again; the sampler's next scan may be to come.
      const auto until = std::chrono::steady_clock::now() + patience(1s);
      const auto is_fooled = [&] {
        return idle_times()[who] <= std::max(3.0, since_last_key(who) - 3);
      };
      while (!is_fooled() && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(250ms);
      }
      EXPECT_TRUE(is_fooled()) << who << "'s trick is seen through, which README denies";
    }
  }
  // And who is idle is ended; how soon is for other tests.
  void expect_ended(const std::set<std::string>& all) {
    enforce(4s);
    for (const std::string& who : all) {
      const auto is_theirs = [&](const MonitorProcess::Json& event) {
        return event["user"] == who;
      };
      EXPECT_FALSE(monitor_.wait_event("terminated", 60s, is_theirs).is_null()) << who << "\n"
                                                                                << monitor_.log();
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, Forgery, testing::ValuesIn(backends()), backend_name);

bool users_may_push() {
  std::ifstream setting("/proc/sys/dev/tty/legacy_tiocsti");  // since Linux 6.2
  int allowed = 1;
  return !(setting >> allowed) || allowed == 1;
}

TEST_P(Forgery, WhatTheOwnerDoesToTheTty) {
  log_in("touch").command("while touch -a $(tty); do touch -a -d 2037-01-01 $(tty); sleep 1; done");
  const std::string tty = log_in("tiocsti").tty();
  session("tiocsti").command(
      "exec 3<>$(tty); stty -echo; python3 -c \"\nimport fcntl, termios, time\nwhile True:\n"
      "  fcntl.ioctl(3, termios.TIOCSTI, b'x')\n  print('pushed', flush=True)\n"
      "  time.sleep(0.5)\n\"");
  SshLogin& sized = log_in("resize");
  sized.command("vim.tiny /etc/hostname");
  // Its echo says that the command has been typed by now, however slow the way is.
  EXPECT_TRUE(sized.terminal().wait_for("hostname", 20s)) << sized.terminal().output();
  expect_watched({"touch", "tiocsti", "resize"});
  int pushed = 0;
  for (int i = 0; i < 7; ++i) {
    sized.terminal().resize(static_cast<unsigned short>(20 + i), 100);
    // Where it is forbidden, only root can.
    const UniqueFd fd(::open(tty.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK));
    const char key = 'x';
    if (!users_may_push() && ::ioctl(fd.get(), TIOCSTI, &key) == 0) ++pushed;
    std::this_thread::sleep_for(1s);
  }
  const std::string output = session("tiocsti").terminal().output();
  EXPECT_TRUE(pushed > 5 || output.find("pushed\r\npushed") != std::string::npos) << output;
  expect({"touch", "tiocsti", "resize"}, {});
  expect_ended({"touch", "tiocsti", "resize"});
}

TEST_P(Forgery, OutputAlone) {
  log_in("watch").command("watch -n 1 date");
  log_in("top").command("top -d 1");
  log_in("tail").command("(while date >>~/log; do sleep 0.3; done) & tail -f ~/log");
  log_in("loop").command("stty -echo; while date; do sleep 0.3; done");
  expect_watched({"watch", "top", "tail", "loop"});
  std::this_thread::sleep_for(7s);
  expect({"watch", "top", "tail", "loop"}, {});
  expect_ended({"watch", "top", "tail", "loop"});
}

TEST_P(Forgery, AnswersOfTmux) {
  Tmux asked;
  Tmux burst;
  Tmux focus;
  Tmux as_a_key;
  log_in("asked", {}, asked.terminal());
  ask("asked", R"(\x1b[6n\x1b[c\x1b[>c)", "0.5");
  log_in("burst", {}, burst.terminal());
  ask("burst", R"(\x1b[6n)", "0.5", 100);
  log_in("focus", {}, focus.terminal());
  ask("focus", R"(\x1b[?1004h)", "1");
  // Asked where it is when it is in the first row, a terminal says Shift-F3.
  log_in("asakey", {}, as_a_key.terminal());
  ask("asakey", R"(\x1b[1;2H\x1b[6n)", "0.5");
  expect_watched({"asked", "burst", "focus", "asakey"});
  EXPECT_EQ(focus.command({"new-window", "-d", "sleep", "1000"}), 0);
  for (int i = 0; i < 7; ++i) {
    EXPECT_EQ(focus.command({"next-window"}), 0);
    std::this_thread::sleep_for(1s);
  }
  for (const char* who : {"asked", "burst", "focus", "asakey"}) {
    EXPECT_TRUE(hears(who, 12)) << who << " was answered nothing, so nothing is proven";
  }
  if (sampled()) return expect({}, {"asked", "burst", "focus", "asakey"});
  expect({"asked", "burst", "focus"}, {"asakey"});
  expect_ended({"asked", "burst", "focus"});
  EXPECT_TRUE(session("asakey").terminal().running()) << monitor_.log();
}

// Asked without a pause, a terminal answers without one. The tracepoint is fooled where more than
// 2 kB come at a time, which depends on how busy the machine is.
TEST_P(Forgery, AnswersInAFlood) {
  Tmux flood;
  log_in("flood", {}, flood.terminal());
  ask("flood", R"(\x1b[6n\x1b[c)", "0");
  expect_watched({"flood"});
  std::this_thread::sleep_for(7s);
  EXPECT_TRUE(hears("flood", 10'000));
  if (sampled()) return expect({}, {"flood"});
  if (GetParam() == "tracepoint") return;
  expect({"flood"}, {});
}

// An X server without a screen, and terminals on it.
class Screen {
 public:
  Screen() : server_({"Xvfb", "-displayfd", "1", "-nolisten", "tcp"}, dir_.path() + "/display") {
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (display_.empty() && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(50ms);
      std::ifstream said(dir_.path() + "/display");
      for (std::string line; std::getline(said, line);) {
        if (!line.empty() && line.find_first_not_of("0123456789") == std::string::npos) {
          display_ = ":" + line;
        }
      }
    }
  }
  bool works() const { return !display_.empty(); }
  // An xterm of this title in which the command runs.
  void open(const std::string& title, const std::vector<std::string>& command) {
    std::vector<std::string> argv{"xterm", "-T", title, "-display", display_, "-e"};
    argv.insert(argv.end(), command.begin(), command.end());
    terminals_.push_back(std::make_unique<Process>(argv, dir_.path() + "/" + title));
  }
  bool focus(const std::string& title) const {
    return run({"env", "DISPLAY=" + display_, "xdotool", "search", "--name", "^" + title + "$",
                "windowfocus"})
               .status == 0;
  }

 private:
  TempDir dir_;
  Process server_;
  std::string display_;
  std::vector<std::unique_ptr<Process>> terminals_;
};

bool is_installed(const std::string& program) {
  return run({"sh", "-c", "command -v " + program}).status == 0;
}

TEST_P(Forgery, AnswersOfXterm) {
  if (!is_installed("Xvfb") || !is_installed("xterm") || !is_installed("xdotool")) {
    GTEST_SKIP() << "no Xvfb, xterm and xdotool here";
  }
  Screen screen;
  ASSERT_TRUE(screen.works());
  const auto start = [&](const std::string& who, const std::string& question) {
    const std::string program = file_of(who, "ask", kAsk);
    screen.open(who, server_.client(account(who), {"-o", "RemoteCommand=" + program + " '" +
                                                             question + "' 1 1"}));
  };
  // Position, attributes, colour, mode, setting, size.
  start("xasked", R"(\r\n\r\n\x1b[6n\x1b[c\x1b[>c\x1b]11;?\x07\x1b[?2026$p\x1bP$qm\x1b\\\x1b[18t)");
  start("xfocus", R"(\x1b[?1004h)");
  expect_watched({"xasked", "xfocus"});
  for (int i = 0; i < 7; ++i) {
    EXPECT_TRUE(screen.focus(i % 2 == 0 ? "xfocus" : "xasked"));
    std::this_thread::sleep_for(1s);
  }
  for (const char* who : {"xasked", "xfocus"}) {
    EXPECT_TRUE(hears(who, 12)) << who << " was answered nothing, so nothing is proven";
  }
  if (sampled()) return expect({}, {"xasked", "xfocus"});
  expect({"xasked", "xfocus"}, {});
}

// What a process calls itself decides nothing: neither the name that it gave itself, nor its
// argv[0], nor the path of its executable.
TEST_P(Forgery, Pretence) {
  constexpr const char* kNamed =
      "exec -a '{argv0}' python3 -c 'import ctypes, time\n"
      "ctypes.CDLL(None).prctl(15, b\"{name}\", 0, 0, 0)\n"
      "print(\"ready> \", flush=True); time.sleep(1000)'";
  const auto named = [&](std::string argv0, std::string name) {
    std::string command = kNamed;
    command.replace(command.find("{argv0}"), 7, argv0);
    command.replace(command.find("{name}"), 6, name);
    return command;
  };
  constexpr const char* kShell = " -c \"echo \\\"ready> \\\"; while :; do sleep 1; done\"";
  const std::map<std::string, std::string> people{
      {"sshdname", named("sshd: sshdname [priv]", "sshd")},
      {"tmuxname", named("tmux: server", "tmux: server")},
      {"login", std::string("cp /bin/bash ~/login; exec ~/login") + kShell},
      {"agetty", std::string("cp /bin/bash ~/agetty; exec ~/agetty") + kShell},
      // Under the very path of an sshd, in namespaces of one's own.
      {"mounted", std::string("cp /bin/bash ~/sh; exec unshare -Urm sh -c 'mount --bind ~/sh "
                              "/usr/sbin/sshd && exec /usr/sbin/sshd") +
                      kShell + "'"},
  };
  std::set<std::string> all;
  for (const auto& [who, command] : people) {
    log_in(who, {"-o", "RemoteCommand=" + command});
    all.insert(who);
  }
  expect_watched({all.begin(), all.end()});
  std::this_thread::sleep_for(5s);
  expect(all, {});
  expect_ended(all);
}

// The shell gives its terminal up and goes on using it by its descriptors; others come and go as
// leaders there, each a fresh session.
TEST_P(Forgery, ATerminalGivenUp) {
  constexpr const char* kGiveUp = R"(#!/usr/bin/python3
import fcntl, os, signal, sys, termios, time
signal.signal(signal.SIGHUP, signal.SIG_IGN)
name = os.ttyname(0)
print('ready> ', flush=True)
time.sleep(2)
fcntl.ioctl(0, termios.TIOCNOTTY)
while sys.argv[1] == 'relay':
    child = os.fork()
    if child == 0:
        os.setsid()
        fcntl.ioctl(os.open(name, os.O_RDWR), termios.TIOCSCTTY, 0)
        time.sleep(2)
        os._exit(0)
    os.waitpid(child, 0)
time.sleep(1000)
)";
  for (const char* who : {"alone", "relay"}) {
    log_in(who, {"-o", std::string("RemoteCommand=exec ") + file_of(who, "give-up", kGiveUp) + " " +
                           who});
  }
  std::this_thread::sleep_for(5s);
  enforce(6s);
  for (const char* who : {"alone", "relay"}) {
    EXPECT_TRUE(session(who).terminal().ends_within(100s)) << who << "\n" << monitor_.log();
  }
}

// Somebody opens ptys, and begins sessions on them, until there is no room for the others'.
TEST_P(Forgery, AFloodOfPtys) {
  constexpr const char* kFlood = R"(#!/usr/bin/python3
import ctypes, fcntl, os, resource, signal, termios, time
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
ptys = [os.openpty() for _ in range(1000)]
for master, slave in ptys[:100]:
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        signal.pause()
for master, slave in ptys:
    os.write(master, b'x')
print('flooded', flush=True)
while True:
    for master, slave in ptys[:100]:
        os.write(master, b'x')
    time.sleep(1)
)";
  log_in("before");
  log_in("flooder").command(file_of("flooder", "flood", kFlood));
  ASSERT_TRUE(session("flooder").terminal().wait_for("flooded", 60s))
      << session("flooder").terminal().output();
  log_in("after");
  expect_watched({"before", "flooder", "after"});  // and no inner terminal
  expect_all_active_after({{"before", "x"}, {"after", "x"}});
  std::this_thread::sleep_for(5s);
  expect({"before", "after", "flooder"}, {});
  expect_ended({"before", "after", "flooder"});
}

// A network of the test's own, in which TCP asks an idle peer every second whether it is there.
struct OwnNetwork {
  OwnNetwork() {
    works = ::unshare(CLONE_NEWNET) == 0 && run({"ip", "link", "set", "lo", "up"}).status == 0;
    for (const char* name : {"time", "intvl"}) {
      std::ofstream("/proc/sys/net/ipv4/tcp_keepalive_" + std::string(name)) << 1;
    }
  }
  // How often TCP asked (/proc/net/netstat: a line of names, then one of numbers).
  static long asked() {
    std::ifstream file("/proc/thread-self/net/netstat");
    std::string names;
    std::string numbers;
    while (std::getline(file, names) && std::getline(file, numbers)) {
      std::istringstream name(names);
      std::istringstream number(numbers);
      for (std::string n, v; name >> n && number >> v;) {
        if (n == "TCPKeepAlive") return std::stol(v);
      }
    }
    return -1;
  }
  bool works = false;
};

class KeepAlives : public OwnNetwork, public Forgery {
 protected:
  KeepAlives() : Forgery("TCPKeepAlive yes\nClientAliveInterval 3\nClientAliveCountMax 1000\n") {}
};
INSTANTIATE_TEST_SUITE_P(Backends, KeepAlives, testing::ValuesIn(backends()), backend_name);

TEST_P(KeepAlives, OfBothSidesAndOfTcp) {
  ASSERT_TRUE(works);
  log_in("server", {"-o", "TCPKeepAlive=yes"});
  log_in("client", {"-o", "ServerAliveInterval=1"});
  expect_watched({"server", "client"});
  const long before = asked();
  std::this_thread::sleep_for(7s);
  EXPECT_GT(asked(), before + 2);
  expect({"server", "client"}, {});
  expect_ended({"server", "client"});
}

}  // namespace
}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// Users who mean no good, through the whole daemon: names that would drive a terminal or forge a
// line, files that would hang or fill whoever reads them, clients that never finish their request.
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/procfs.h"
#include "base/unique_fd.h"
#include "e2e/e2e.h"
#include "support/loopback.h"
#include "support/silent_fs.h"

namespace idlewarden::test {
namespace {
namespace fs = std::filesystem;

using Json = MonitorProcess::Json;

// Where the first byte stands that has no business in a text for people: control characters (but
// the newline), DEL, C1, what is no UTF-8, marks that turn the direction of writing.
std::optional<std::size_t> harmful(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto at = [&](std::size_t k) { return static_cast<unsigned char>(text[i + k]); };
    const unsigned char c = at(0);
    const std::size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if ((c < 0x20 && c != '\n') || c == 0x7f || (c >= 0x80 && c < 0xc2) || c > 0xf4) return i;
    if (i + length > text.size()) return i;
    for (std::size_t k = 1; k < length; ++k) {
      if ((at(k) & 0xc0) != 0x80) return i;
    }
    if (c == 0xc2 && at(1) < 0xa0) return i;
    const bool general = length == 3 && c == 0xe2;
    if (general && at(1) == 0x80 && (at(2) == 0x8e || at(2) == 0x8f)) return i;
    if (general && at(1) == 0x80 && at(2) >= 0xa8 && at(2) <= 0xae) return i;
    if (general && at(1) == 0x81 && at(2) >= 0xa6 && at(2) <= 0xa9) return i;
    i += length;
  }
  return std::nullopt;
}

void expect_harmless(const std::string& door, const std::string& text) {
  if (const auto at = harmful(text)) {
    ADD_FAILURE() << door << ", byte " << *at << ": "
                  << testing::PrintToString(text.substr(*at > 60 ? *at - 60 : 0, 120));
  }
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_FALSE(line.starts_with("FORGED")) << door << ": a line of its own: " << line;
  }
}

std::string read(const std::string& file) {
  std::ostringstream out;
  out << std::ifstream(file, std::ios::binary).rdbuf();
  return out.str();
}

class Hostile : public Scaled {
 protected:
  static constexpr const char* kPolicy =
      "mode = \"enforce\"\nwarn = \"2s\"\ngrace = \"2s\"\n[metrics]\nper_session = true\n";

  Hostile() : Scaled("") {}

  // A file of the account's own.
  void own(const std::string& path, const std::string& content) const {
    write_host_file(path, content);
    give(path);
  }
  void give(const std::string& path) const {
    struct stat home {};
    ASSERT_EQ(::stat(account.home.c_str(), &home), 0);
    ASSERT_EQ(::lchown(path.c_str(), home.st_uid, home.st_gid), 0) << path;
  }
  // From now on NSS calls the account's uid something else, at home elsewhere.
  void rename(const std::string& name, const std::string& home) const {
    struct stat st {};
    ASSERT_EQ(::stat(account.home.c_str(), &st), 0);
    const std::string id = std::to_string(st.st_uid);
    write_host_file("/etc/passwd", name + ":x:" + id + ":" + id + "::" + home + ":/bin/bash\n" +
                                       read("/etc/passwd"));
  }
  static std::string asked(std::vector<std::string> arguments, const MonitorProcess& monitor) {
    arguments.insert(arguments.begin(), binary());
    arguments.insert(arguments.end(), {"--socket", monitor.socket()});
    const Finished answer = run(arguments);
    EXPECT_EQ(answer.status, 0) << answer.output;
    return answer.output;
  }
  static std::string get(const std::string& target, const MonitorProcess& monitor) {
    const Finished answer = run({"curl", "-sS", "--fail", "--max-time", "10", "--unix-socket",
                                 monitor.socket(), "http://localhost" + target});
    EXPECT_EQ(answer.status, 0) << target << ": " << answer.output;
    return answer.output;
  }
};
// Where the input is seen makes no difference to this.
INSTANTIATE_TEST_SUITE_P(Backends, Hostile, testing::Values(backends().front()), backend_name);

TEST_P(Hostile, NoNameReachesAnyDoorAsItIs) {
  const std::string name = "ev\x1b]0;owned\a\x1b[2J\xff\xe2\x80\xae<b>\"\\";
  const std::string home = "/home/h\x1b[1m\"<i>\x9b";
  own(home + "/.bash_profile", emulated() ? "TMOUT=90\n" : "TMOUT=12\n");
  give(home);
  const std::string program = account.home + "/a\nFORGED\x1b[2J<b>";  // comm has 15 bytes
  fs::copy_file("/bin/sleep", program);
  fs::permissions(program, fs::perms(0755));
  rename(name, home);
  const TempDir dir;
  MonitorOptions options = watching(kPolicy);
  options.state_dir = dir.path() + "/state";
  MonitorProcess monitor(options);
  MonitorOptions in_json = watching("mode = \"audit\"\n");
  in_json.more = {"--json"};
  MonitorProcess logs_json(in_json);

  SshLogin login(server, account);
  login.command("exec ~/a* 100");
  ASSERT_FALSE(monitor.wait_event("session_started", 20s).is_null()) << monitor.log();
  Json session;
  for (int i = 0; i < 100; ++i) {
    session = monitor.sessions()["sessions"][0];
    if (session["foreground"].get<std::string>().starts_with("a")) break;
    std::this_thread::sleep_for(50ms);
  }
  EXPECT_EQ(session["user"], "ev\\x1b]0;owned\\x07\\x1b[2J\\xff\\u{202e}<b>\"\\\\");
  EXPECT_EQ(session["foreground"], "a\\x0aFORGED\\x1b[2J<b>");
  EXPECT_EQ(session["decided_by"], "tmout");
  const std::string id = session["id"];

  std::map<std::string, std::string> doors;
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"sessions"},
                                             {"sessions", "--json"},
                                             {"events"},
                                             {"events", "--json"},
                                             {"explain", "--session", id},
                                             {"explain", "--session", id, "--json"},
                                             {"whatif"},
                                             {"whatif", "--json"}}) {
    std::string door;
    for (const std::string& word : command) door += word + " ";
    doors[door] = asked(command, monitor);
  }
  for (const char* target :
       {"/metrics", "/v1/sessions", "/v1/sessions.txt", "/v1/status", "/v1/events",
        "/v1/events?format=text", "/v1/idle-gaps", "/v1/idle-gaps.txt"}) {
    doors[target] = get(target, monitor);
  }
  EXPECT_NE(doors["/metrics"].find("owned"), std::string::npos) << "per session, so it is there";
  {
    PtyProcess top({binary(), "top", "--socket", monitor.socket()}, {{"TERM", "xterm-256color"}});
    EXPECT_TRUE(top.wait_for("ev\\x1b", 10s)) << testing::PrintToString(top.output());
    EXPECT_EQ(top.output().find("\x1b]0;owned"), std::string::npos);
    EXPECT_EQ(top.output().find("\xff"), std::string::npos);
    EXPECT_EQ(top.output().find("\nFORGED"), std::string::npos);
  }
  const auto ended = monitor.wait_event("terminated", 40s);
  ASSERT_FALSE(ended.is_null()) << monitor.log();
  // What the daemon wrote to the person's own terminal.
  ASSERT_TRUE(login.terminal().wait_end(10s));
  const std::string screen = login.terminal().output();
  EXPECT_NE(screen.find("*** ev\\x1b]0;owned"), std::string::npos) << screen;
  EXPECT_EQ(screen.find("\x1b]0;owned"), std::string::npos);
  EXPECT_NE(screen.find("TMOUT at /home/h\\x1b[1m"), std::string::npos) << screen;
  EXPECT_EQ(screen.find("/h\x1b[1m"), std::string::npos);

  doors["the log"] = monitor.log();
  doors["the log in JSON"] = logs_json.log();
  std::string events;
  for (const Json& event : monitor.events()) events += event.dump() + "\n";
  doors["the events file"] = events;
  doors["events after the end"] = asked({"events"}, monitor);
  monitor.process().stop();
  doors["idle-gaps.json"] = read(options.state_dir + "/idle-gaps.json");
  EXPECT_FALSE(doors["idle-gaps.json"].empty());
  EXPECT_NE(doors["the log in JSON"].find("owned"), std::string::npos) << doors["the log in JSON"];
  for (const auto& [door, text] : doors) expect_harmless(door, text);
}

// The daemon must answer, and end others on time, whatever stands in these homes.
TEST_P(Hostile, NoFileOfAUserHoldsItUp) {
  fs::create_directories("/run/silent");
  const SilentFs silent("/run/silent");
  const std::string secret = "/root-only";
  write_host_file("/run" + secret, "TMOUT=9\n");
  fs::permissions("/run" + secret, fs::perms(0600));
  const auto home_of = [&](const std::string& who) {
    const Account other = add_account(who);
    server.authorize(other);
    return other;
  };
  std::vector<Account> all;
  const auto with = [&](const std::string& who, auto&& prepare) {
    all.push_back(home_of(who));
    prepare(all.back().home);
  };
  const auto profile = [](const std::string& home) { return home + "/.bash_profile"; };
  // The shell never reads it; whoever cannot tell has to.
  const auto undecided = [](const std::string& file) {
    return "PS1='ready> '\nif grep -q nothing /dev/null; then . " + file + "; fi\n";
  };
  with("iwfifo", [&](const std::string& home) {
    EXPECT_EQ(::mkfifo((home + "/.bash_login").c_str(), 0666), 0);
    write_host_file(profile(home), undecided("~/.bash_login"));
  });
  with("iwhuge", [&](const std::string& home) {
    write_host_file(profile(home), "PS1='ready> '\nreturn\n" + std::string(20 << 20, '#'));
  });
  with("iwround", [&](const std::string& home) {
    write_host_file(profile(home),
                    "PS1='ready> '\n[ x$SEEN = x ] && SEEN=1 && . ~/.bash_profile\n");
  });
  with("iwlink", [&](const std::string& home) {
    write_host_file(profile(home), "PS1='ready> '\n. ~/secret 2>/dev/null\n");
    fs::create_symlink("/run" + secret, home + "/secret");
  });
  with("iwzero", [&](const std::string& home) {
    write_host_file(profile(home), undecided("~/zero"));
    fs::create_symlink("/dev/zero", home + "/zero");
  });
  if (silent.why_not().empty()) {
    with("iwslow", [&](const std::string& home) {
      write_host_file(profile(home), undecided("/run/silent/profile"));
    });
  }
  MonitorProcess monitor(
      watching("mode = \"enforce\"\nwarn = \"0s\"\n[[rule]]\nname = \"plain\"\nmatch = { users = "
               "[\"iwalice\"] }\nlimit = \"6s\"\n"));
  std::vector<std::unique_ptr<SshLogin>> logins;
  SshLogin plain(server, account);
  for (const Account& one : all) logins.push_back(std::make_unique<SshLogin>(server, one));
  for (const Account& one : all) {
    const auto found = monitor.wait_event(
        "session_started", 20s, [&](const Json& event) { return event["user"] == one.name; });
    EXPECT_FALSE(found.is_null()) << one.name << "\n" << monitor.log();
  }
  EXPECT_TRUE(plain.terminal().wait_end(30s)) << monitor.log();
  const auto ended = monitor.wait_event("terminated", 5s);
  ASSERT_FALSE(ended.is_null());
  // A home that does not answer costs a second, once.
  EXPECT_LE(ended["lateness_seconds"].get<double>(), seconds(lateness_allowed()) + 1);
  const Json shown = monitor.sessions();
  std::size_t left = 0;
  for (const Json& session : shown["sessions"]) {
    if (session["state"] == "ended") continue;  // until the next scan
    ++left;
    if (session["user"] == "iwslow") {
      const std::string why = asked({"explain", "--session", session["id"], "--json"}, monitor);
      EXPECT_NE(why.find("does not answer"), std::string::npos) << why;
    }
    EXPECT_TRUE(session["limit_seconds"].is_null()) << "nothing there limits it: " << session;
  }
  EXPECT_EQ(left, all.size());
  const std::string memory = read("/proc/" + std::to_string(monitor.process().pid()) + "/status");
  const auto rss = memory.find("VmRSS:");
  ASSERT_NE(rss, std::string::npos);
  EXPECT_LT(std::stol(memory.substr(rss + 6)), 200'000) << "kB; nothing of 20 MB is kept";
  if (!silent.why_not().empty()) GTEST_SKIP() << "all but the slow home: " << silent.why_not();
}

// A host program of a user's own, here one that the administrator has named, that hangs in the
// middle of execve(2): the kernel closes a file for it on a file system that does not answer.
// Whoever asks for its sockets, in newer kernels for anything of it, would hang with it.
TEST_P(Hostile, NoProcessThatHangsInExecHoldsItUp) {
  fs::create_directories("/run/silent");
  SilentFs silent("/run/silent");
  if (!silent.why_not().empty()) GTEST_SKIP() << silent.why_not();
  const std::string python = fs::canonical("/usr/bin/python3");
  const Account bob = add_account("iwbob");
  const Account idle = add_account("iwidle");
  server.authorize(bob);
  server.authorize(idle);
  own(bob.home + "/hang.py",
      "import fcntl, os, pty, socket, sys, termios, time\n"
      "ours, theirs = pty.openpty()\n"
      "if os.fork() == 0:\n"
      "    os.setsid()\n"
      "    fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)\n"
      "    os.execv('/bin/sleep', ['sleep', '1000'])\n"
      "held = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
      "for fd in ours, held.fileno(): os.set_inheritable(fd, True)\n"
      "silent = os.open('/run/silent/opened', os.O_RDONLY | os.O_CLOEXEC)\n"
      "print('it', 'hangs', flush=True)\n"
      "os.execv('" +
          python + "', ['python3', '-c', 'print(\"it does\" + \" not\")'])\n");
  SshLogin hung(server, bob);
  hung.command(python + " ~/hang.py " + std::to_string(server.port()));
  ASSERT_TRUE(hung.terminal().wait_for("it hangs", 20s)) << hung.terminal().output();
  std::this_thread::sleep_for(1s);
  ASSERT_EQ(hung.terminal().output().find("it does not"), std::string::npos);
  MonitorProcess monitor(watching(
      "mode = \"enforce\"\nwarn = \"0s\"\n[sessions]\nhosts = [\"" + python +
      "\"]\n[[rule]]\nname = \"plain\"\nmatch = { users = [\"iwidle\"] }\nlimit = \"6s\"\n"));
  SshLogin plain(server, idle);
  EXPECT_TRUE(plain.terminal().wait_end(30s)) << monitor.log();
  const auto ended = monitor.wait_event("terminated", 5s);
  // So that whoever hangs with it does not stay.
  silent.go_after(0ms);
  ASSERT_FALSE(ended.is_null()) << monitor.log();
  EXPECT_EQ(ended["user"], idle.name);
  EXPECT_LE(ended["lateness_seconds"].get<double>(), seconds(lateness_allowed()) + 1);
  EXPECT_NE(monitor.log().find("does not answer"), std::string::npos) << monitor.log();
}

std::size_t count_in(const std::string& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

// A slow-loris: more clients than there may be, each with a byte at a time, for longer than a head
// may take, and never whole.
TEST_P(Hostile, ClientsThatNeverFinishKeepNobodyOut) {
  MonitorOptions options = watching("mode = \"audit\"\n");
  options.metrics_listen = "127.0.0.1:0";
  MonitorProcess monitor(options);
  const std::string log = monitor.log();
  const auto at = log.find("http://127.0.0.1:");
  ASSERT_NE(at, std::string::npos) << log;
  const int port = std::stoi(log.substr(at + 17));
  const std::string process = "/proc/" + std::to_string(monitor.process().pid());
  std::vector<UniqueFd> loris;
  std::size_t threads = 0;
  std::size_t descriptors = 0;
  const std::string request = "GET /metrics HTTP/1.1\r\nX-Slow: ";
  for (std::size_t round = 0; round < 40; ++round) {
    for (int i = 0; i < 10; ++i) loris.push_back(connect_loopback(port));
    for (const UniqueFd& client : loris) {
      ::send(client.get(), &request[round % request.size()], 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    if (round % 10 == 5) {
      const Finished scrape = run({"curl", "-sS", "--fail", "--max-time", "5", "--retry", "3",
                                   "http://127.0.0.1:" + std::to_string(port) + "/metrics"});
      EXPECT_EQ(scrape.status, 0) << scrape.output;
      EXPECT_NE(monitor.metrics().find("idlewarden_sessions"), std::string::npos);
      threads = std::max(threads, count_in(process + "/task"));
      descriptors = std::max(descriptors, count_in(process + "/fd"));
    }
    std::this_thread::sleep_for(100ms);
  }
  EXPECT_LE(threads, 40U);
  EXPECT_LE(descriptors, 120U);
  // A head that has no end is refused.
  const UniqueFd big = connect_loopback(port);
  const std::string head(64 << 10, 'x');
  ::send(big.get(), head.data(), head.size(), MSG_NOSIGNAL);
  std::string all;
  char answer[64] = "";
  ssize_t got = 0;
  while ((got = ::recv(big.get(), answer, sizeof answer, 0)) > 0) {
    all.append(answer, static_cast<std::size_t>(got));
  }
  EXPECT_TRUE(got == 0 || errno == ECONNRESET) << "it is still open, errno " << errno;
  EXPECT_EQ(all.find("200"), std::string::npos) << all;
}

// Who may open what: the modes of all that the daemon makes, whatever the umask of whoever started
// it.
TEST_P(Hostile, WhatItMakesIsForRootAlone) {
  const TempDir state;
  MonitorOptions options = watching("mode = \"audit\"\n");
  options.state_dir = state.path() + "/kept";
  const mode_t before = ::umask(0);
  MonitorProcess monitor(options);
  ::umask(before);
  const auto mode_of = [](const std::string& path) {
    struct stat st {};
    EXPECT_EQ(::lstat(path.c_str(), &st), 0) << path;
    EXPECT_EQ(st.st_uid, 0U) << path;
    return st.st_mode & 07777;
  };
  EXPECT_EQ(mode_of(monitor.socket()), 0600U);
  EXPECT_EQ(mode_of(fs::path(monitor.endings()).parent_path()), 0700U);
  EXPECT_EQ(mode_of(options.state_dir), 0700U);
  // Not only because of the folder.
  fs::permissions(fs::path(monitor.socket()).parent_path(), fs::perms(0755));
  const Finished other = run({"setpriv", "--reuid=65534", "--clear-groups", binary(), "sessions",
                              "--socket", monitor.socket()});
  EXPECT_NE(other.status, 0);
  EXPECT_NE(other.output.find("ermission denied"), std::string::npos) << other.output;
  monitor.process().stop();
  EXPECT_EQ(mode_of(options.state_dir + "/idle-gaps.json"), 0600U);
}

}  // namespace
}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// The shells themselves judge: each is started as an interactive login shell on a root with the
// case's files, prints its TMOUT, and the reading of the same tree is held against it. The tree
// lives on a tmpfs of this process's own mount namespace; nothing of the machine's /etc is used.
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "limits/shell_interpreter.h"
#include "limits/shell_timeout.h"
#include "shell_oracle_cases.h"
#include "shell_oracle_login_cases.h"
#include "shell_oracle_scripts.h"
#include "shell_oracle_trees.h"

namespace idlewarden::test {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kUser = 1000;

// A small machine: the host's /usr read-only, an /etc of its own, two homes.
class Machine {
 public:
  // Empty: it stands; else why it cannot.
  std::string build() {
    if (::geteuid() != 0) return "needs root for a mount namespace";
    if (::unshare(CLONE_NEWNS) != 0) return fmt::format("unshare: {}", std::strerror(errno));
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "private /";
    std::string name = "/tmp/idlewarden-oracle-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) return "mkdtemp";
    root_ = name;
    if (::mount("none", root_.c_str(), "tmpfs", 0, "mode=755") != 0) return "tmpfs";
    for (const char* folder : {"usr", "dev", "dev/pts", "etc", "home", "root", "tmp"}) {
      fs::create_directory(root_ / folder);
    }
    const std::string usr = root_ / "usr";
    if (::mount("/usr", usr.c_str(), nullptr, MS_BIND, nullptr) != 0) return "bind /usr";
    if (::mount(nullptr, usr.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) != 0) {
      return "read-only /usr";
    }
    const std::string pts = root_ / "dev/pts";
    if (::mount("/dev/pts", pts.c_str(), nullptr, MS_BIND, nullptr) != 0) return "bind /dev/pts";
    for (const char* link : {"bin", "sbin", "lib", "lib64"}) {
      if (fs::exists(fs::path("/usr") / link)) {
        fs::create_symlink(fs::path("usr") / link, root_ / link);
      }
    }
    ::chmod((root_ / "tmp").c_str(), 01777);
    node("null", 1, 3);
    node("zero", 1, 5);
    node("tty", 5, 0);
    return {};
  }

  ~Machine() {
    if (root_.empty()) return;
    // The mounts end with this process; only the empty folder below them is removed.
    ::umount2(root_.c_str(), MNT_DETACH);
    ::rmdir(root_.c_str());
  }

  const fs::path& root() const { return root_; }

  void clear() const {
    for (const char* folder : {"etc", "home", "root"}) {
      fs::remove_all(root_ / folder);
      fs::create_directory(root_ / folder);
    }
    fs::create_directory(root_ / "home/u");
    write("/etc/passwd", "root:x:0:0::/root:/bin/bash\nu:x:1000:1000::/home/u:/bin/bash\n");
    write("/etc/group", "root:x:0:\nu:x:1000:\nstaff:x:50:u\ncontractors:x:2000:u\n");
  }

  void write(const std::string& path, std::string_view content) const {
    const fs::path full = root_ / path.substr(1);
    fs::create_directories(full.parent_path());
    std::ofstream(full, std::ios::binary) << content;
  }

  void give_home_to_user() const {
    const auto give = [](const fs::path& path) {
      EXPECT_EQ(::chown(path.c_str(), kUser, kUser), 0) << path;
    };
    give(root_ / "home/u");
    for (const auto& entry : fs::recursive_directory_iterator(root_ / "home/u")) give(entry);
  }

 private:
  void node(const std::string& name, unsigned major, unsigned minor) const {
    const std::string path = root_ / "dev" / name;
    ::mknod(path.c_str(), S_IFCHR | 0666, makedev(major, minor));
    ::chmod(path.c_str(), 0666);
  }

  fs::path root_;
};

struct Login {
  std::string shell;  // "bash"
  bool as_user = false;
  bool local = false;

  std::string path() const { return "/bin/" + shell; }
  std::string home() const { return as_user ? "/home/u" : "/root"; }
  uid_t uid() const { return as_user ? kUser : 0; }
  std::string name() const { return as_user ? "u" : "root"; }
  std::vector<std::string> groups() const {
    if (!as_user) return {"root"};
    return {"u", "contractors", "staff"};
  }
};

[[noreturn]] void become(const Machine& machine, const Login& login) {
  const uid_t uid = login.uid();
  const std::vector<gid_t> others =
      login.as_user ? std::vector<gid_t>{2000, 50} : std::vector<gid_t>();
  if (::chroot(machine.root().c_str()) != 0 || ::chdir(login.home().c_str()) != 0 ||
      ::setgroups(others.size(), others.data()) != 0 || ::setgid(uid) != 0 || ::setuid(uid) != 0) {
    ::_exit(126);
  }
  const std::string name = login.name();
  std::vector<std::string> environment = {"HOME=" + login.home(), "SHELL=" + login.path(),
                                          "USER=" + name,         "LOGNAME=" + name,
                                          "PATH=/usr/bin:/bin",   "TERM=dumb",
                                          "MAIL=/var/mail/x"};
  if (!login.local) {
    environment.insert(environment.end(),
                       {"SSH_CONNECTION=::1 1 ::1 2", "SSH_CLIENT=::1 1 2", "SSH_TTY=/dev/pts/0"});
  }
  std::vector<char*> pointers;
  for (std::string& text : environment) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  const std::string zeroth = "-" + login.shell;
  ::execle(login.path().c_str(), zeroth.c_str(), nullptr, pointers.data());
  ::_exit(127);
}

// The value that the shell has when it prompts; nullopt: it did not answer.
std::optional<std::string> ask(const Machine& machine, const Login& login) {
  int master = -1;
  const pid_t pid = ::forkpty(&master, nullptr, nullptr, nullptr);
  if (pid < 0) return std::nullopt;
  if (pid == 0) become(machine, login);
  const std::string question = login.shell == "tcsh"
                                   ? "if ($?autologout) echo ANS''WER'<'$autologout'>'\nif (! "
                                     "$?autologout) echo ANS''WER'<>'\nexit\n"
                                   : "echo ANS''WER\"<$TMOUT>\"\nexit\nexit\n";
  std::string output;
  std::optional<std::string> answer;
  // Some shells throw away what was typed before they prompted: asked again until answered.
  for (int round = 0; round < 100 && !answer; ++round) {
    pollfd poll_fd{.fd = master, .events = POLLIN, .revents = 0};
    const bool silent = ::poll(&poll_fd, 1, 100) == 0;
    if (silent || round == 0) {
      if (::write(master, question.data(), question.size()) < 0) break;
      continue;
    }
    char buffer[4096];
    const ssize_t n = ::read(master, buffer, sizeof buffer);
    if (n <= 0) break;
    output.append(buffer, static_cast<std::size_t>(n));
    const auto begin = output.find("ANSWER<");
    const auto end = begin == std::string::npos ? begin : output.find('>', begin);
    if (end != std::string::npos) answer = output.substr(begin + 7, end - begin - 7);
  }
  ::kill(pid, SIGKILL);
  ::close(master);
  ::waitpid(pid, nullptr, 0);
  if (!answer) std::cout << login.shell << " does not answer: " << printable(output, 500) << "\n";
  return answer;
}

std::string expanded(std::string_view tree, const Login& login) {
  std::string text(tree);
  for (const auto& [name, content] : kOracleTrees) {
    if (text.starts_with(name) && (text.size() == name.size() || text[name.size()] == '@')) {
      text = std::string(content) + text.substr(name.size());
      break;
    }
  }
  const auto replace = [&](const std::string& from, const std::string& to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
      text.replace(at, from.size(), to);
    }
  };
  replace("@PROFILE\n", login.shell == "zsh" ? "@/etc/zsh/zprofile\n" : "@/etc/profile\n");
  replace("@USER\n", "@" + login.home() + (login.shell == "zsh" ? "/.zprofile\n" : "/.profile\n"));
  return text;
}

// "@PATH\nCONTENT@PATH\nCONTENT": a file begins where a line (or the text) does with "@/".
void populate(const Machine& machine, std::string_view tree) {
  machine.clear();
  while (tree.starts_with("@/")) {
    const auto newline = tree.find('\n');
    const std::string path(tree.substr(1, newline - 1));
    tree.remove_prefix(newline + 1);
    std::size_t end = tree.starts_with("@/") ? 0 : tree.find("\n@/");
    end = end == 0 ? 0 : end == std::string_view::npos ? tree.size() : end + 1;
    machine.write(path, tree.substr(0, end));
    tree.remove_prefix(end);
  }
  // Without any file of its own zsh would put questions to the user.
  if (!fs::exists(machine.root() / "home/u/.zshrc")) machine.write("/home/u/.zshrc", "");
  machine.give_home_to_user();
}

std::optional<Seconds> seconds(const Login& login, const std::string& answer) {
  if (login.shell == "tcsh") {
    const auto minutes = std::atoi(answer.c_str());
    if (minutes <= 0 || std::to_string(minutes) != answer.substr(0, answer.find(' '))) return {};
    return Seconds(minutes * 60);
  }
  const shell::Dialect dialect = login.shell == "zsh"     ? shell::Dialect::zsh
                                 : login.shell == "ksh93" ? shell::Dialect::ksh93
                                 : login.shell == "mksh"  ? shell::Dialect::mksh
                                                          : shell::Dialect::bash;
  return shell::timeout_of(dialect, answer).limit;
}

std::string shown(const ShellTimeouts& timeouts) {
  std::string text;
  const auto show = [&](const char* title, const std::vector<LimitSource>& sources) {
    for (const LimitSource& source : sources) {
      text += fmt::format("  {} {}: {} [{}]{} {}\n", title, source.where.text(), source.text,
                          source.limit ? std::to_string(source.limit->count()) : "none",
                          source.conditional ? " conditional" : "", source.reason);
    }
  };
  show("in force", timeouts.in_force);
  show("overruled", timeouts.overruled);
  for (const Error& problem : timeouts.problems) text += "  problem " + problem.text() + "\n";
  return text;
}

struct Tally {
  int run = 0;
  int decided = 0;
  int wrong = 0;
};

struct Reading {
  ShellTimeouts timeouts;
  std::optional<Seconds> strictest;
  bool conditional = false;  // some of it
  bool undecided = false;    // a value or a file that nobody can know
};

Reading read(const Machine& machine, const Login& login) {
  Reading reading;
  reading.timeouts =
      shell_timeouts(Root(machine.root()),
                     {.uid = login.uid(),
                      .home = login.home(),
                      .shell = login.path(),
                      .name = login.name(),
                      .gid = login.uid(),
                      .groups = login.groups(),
                      .login = login.local ? idlewarden::Login::local : idlewarden::Login::ssh,
                      .address = login.local ? "" : "::1"});
  for (const LimitSource& source : reading.timeouts.in_force) {
    reading.conditional = reading.conditional || source.conditional;
    // TMOUT=0 is known, however it is reached.
    const bool known = source.limit || source.reason.contains("no limit");
    reading.undecided = reading.undecided || (source.conditional && !known);
    if (source.limit && (!reading.strictest || *source.limit < *reading.strictest)) {
      reading.strictest = source.limit;
    }
  }
  return reading;
}

bool not_looser(const Reading& reading, const std::optional<Seconds>& real) {
  return reading.undecided || !real || (reading.strictest && *reading.strictest <= *real);
}

void judge(const Machine& machine, const OracleCase& given, const Login& login, Tally& tally) {
  populate(machine, expanded(given.tree, login));
  const auto answer = ask(machine, login);
  ++tally.run;
  ASSERT_TRUE(answer) << given.tree;
  const std::optional<Seconds> real = seconds(login, *answer);
  const Reading ours = read(machine, login);
  bool right = false;
  switch (given.claim) {
    case Claim::decided: right = !ours.conditional && ours.strictest == real; break;
    case Claim::tightens:
      right = !ours.conditional && ours.strictest && (!real || *ours.strictest < *real);
      break;
    case Claim::not_looser: right = ours.conditional && not_looser(ours, real); break;
  }
  if (right) return;
  ++tally.wrong;
  ADD_FAILURE() << login.shell << (login.as_user ? " as a user" : "") << " has <" << *answer
                << ">, the claim was "
                << (given.claim == Claim::decided    ? "decided"
                    : given.claim == Claim::tightens ? "tightens"
                                                     : "not looser")
                << ", the reading is\n"
                << shown(ours.timeouts) << "of\n"
                << given.tree;
}

TEST(ShellOracle, EveryShellAgreesWithTheReadingOfItsFiles) {
  Machine machine;
  if (const std::string why = machine.build(); !why.empty()) GTEST_SKIP() << why;
  std::map<std::string, Tally> tallies;
  std::string missing;
  std::vector<OracleCase> cases(std::begin(kOracleCases), std::end(kOracleCases));
  cases.insert(cases.end(), std::begin(kOracleLoginCases), std::end(kOracleLoginCases));
  for (const OracleCase& given : cases) {
    const std::string names =
        std::string(given.shells) == "sh" ? "bash zsh ksh93 mksh" : given.shells;
    for (const std::string& name : split(names, ' ')) {
      const Login login{.shell = name, .as_user = given.as_user, .local = given.local};
      if (!fs::exists(login.path())) {
        if (!missing.contains(name)) missing += " " + name;
        continue;
      }
      judge(machine, given, login, tallies[name]);
    }
  }
  int run = 0;
  for (const auto& [name, tally] : tallies) {
    std::cout << fmt::format("{}: {} trees, {} disagreements\n", name, tally.run, tally.wrong);
    run += tally.run;
  }
  EXPECT_GT(run, 200);
  if (!missing.empty()) GTEST_SKIP() << "not installed, so not asked:" << missing;
}

// Scripts that nobody would write, to meet what nobody thought of.
TEST(ShellOracle, GeneratedScriptsAreReadAsTheShellsRunThem) {
  Machine machine;
  if (const std::string why = machine.build(); !why.empty()) GTEST_SKIP() << why;
  const char* const given = std::getenv("IDLEWARDEN_SEED");
  const char* const count = std::getenv("IDLEWARDEN_CASES");
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::atoi(given)) : 20261122;
  const int cases = count != nullptr ? std::atoi(count) : 120;
  std::map<std::string, Tally> tallies;
  for (const std::string name : {"bash", "zsh", "ksh93", "mksh"}) {
    const Login login{.shell = name};
    if (!fs::exists(login.path())) continue;
    ScriptWriter writer(seed);
    Tally& tally = tallies[name];
    for (int i = 0; i < cases; ++i) {
      const std::string script = writer.script();
      populate(machine, expanded("@PROFILE\n" + script, login));
      const auto answer = ask(machine, login);
      if (!answer) continue;
      const std::optional<Seconds> real = seconds(login, *answer);
      const Reading ours = read(machine, login);
      ++tally.run;
      if (!ours.conditional) ++tally.decided;
      if (ours.conditional ? not_looser(ours, real) : ours.strictest == real) continue;
      ++tally.wrong;
      ADD_FAILURE() << name << ", seed " << seed << ", case " << i << ": it has <" << *answer
                    << ">, the reading is\n"
                    << shown(ours.timeouts) << "of\n"
                    << script;
    }
  }
  for (const auto& [name, tally] : tallies) {
    std::cout << fmt::format("{}: {} scripts, {} decided, {} disagreements\n", name, tally.run,
                             tally.decided, tally.wrong);
    EXPECT_GT(tally.decided, tally.run / 10);
    // ksh93 hangs on a script now and then.
    EXPECT_GT(tally.run + tally.run / 20, cases);
  }
}

}  // namespace
}  // namespace idlewarden::test

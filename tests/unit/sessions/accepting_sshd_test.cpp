// SPDX-License-Identifier: Apache-2.0
#include "sessions/accepting_sshd.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "made_proc.h"

namespace idlewarden {
namespace {

using test::MadeProc;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

SshdArguments arguments_of(const std::vector<std::string>& argv, SshdTitle expected) {
  SshdArguments arguments;
  EXPECT_EQ(parse_sshd_command_line(argv, arguments), expected);
  return arguments;
}
SshdArguments listener(const std::string& argv) {
  return arguments_of({"sshd: " + argv + " [listener] 0 of 10-100 startups"}, SshdTitle::listener);
}

TEST(SshdCommandLine, TheTitleOfAListener) {
  EXPECT_EQ(listener("/usr/sbin/sshd -D"), SshdArguments());
  EXPECT_EQ(listener("/usr/sbin/sshd -D -f /etc/ssh/other").config_file, "/etc/ssh/other");
  EXPECT_EQ(listener("/usr/sbin/sshd -D -f/etc/ssh/other").config_file, "/etc/ssh/other");
  EXPECT_EQ(listener("/usr/sbin/sshd -Def /etc/ssh/other -p 22").config_file, "/etc/ssh/other");
  EXPECT_EQ(listener("/usr/sbin/sshd -f a -f b").config_file, "b");
  SshdArguments alpine;
  EXPECT_EQ(
      parse_sshd_command_line({"sshd.pam: /usr/sbin/sshd.pam -f x [listener] 0 of 10-100"}, alpine),
      SshdTitle::listener);
  EXPECT_EQ(alpine.config_file, "x");
  EXPECT_THAT(listener("/usr/sbin/sshd -o Port=22 -D -oUseDNS=no").options,
              ElementsAre("Port=22", "UseDNS=no"));
}

TEST(SshdCommandLine, BlanksInsideAnArgumentOfAListener) {
  const auto a = listener(
      "/usr/sbin/sshd -o ClientAliveInterval 5m -f /etc/my sshd/config -oAllowUsers = a  b -D");
  EXPECT_EQ(a.config_file, "/etc/my sshd/config");
  EXPECT_THAT(a.options, ElementsAre("ClientAliveInterval=5m", "AllowUsers=a  b"));
}

TEST(SshdCommandLine, ArgumentsAsTheyWereGiven) {
  const auto a = arguments_of({"/usr/sbin/sshd", "-D", "-d", "-f", "my config", "-o",
                               "PermitRootLogin yes", "-E", "-f", "-oX= y"},
                              SshdTitle::arguments);
  EXPECT_EQ(a.config_file, "my config");
  EXPECT_THAT(a.options, ElementsAre("PermitRootLogin=yes", "X=y"));
  EXPECT_EQ(arguments_of({"sshd", "-i"}, SshdTitle::arguments), SshdArguments());
  EXPECT_EQ(arguments_of({"sshd", "--", "-f", "x"}, SshdTitle::arguments), SshdArguments());
}

TEST(SshdCommandLine, TitlesOfAConnectionHaveNoArguments) {
  for (const char* title : {"sshd: alice [priv]", "sshd: alice@pts/3", "sshd-session: alice [priv]",
                            "sshd-session: alice@pts/0,pts/1", "sshd: -f x@notty", "sshd: "}) {
    EXPECT_EQ(arguments_of({title}, SshdTitle::other), SshdArguments()) << title;
  }
  EXPECT_EQ(arguments_of({}, SshdTitle::other), SshdArguments());
}

TEST(SshdCommandLine, OddOnesDoNotFail) {
  EXPECT_EQ(listener(""), SshdArguments());
  EXPECT_EQ(arguments_of({"sshd: [listener]"}, SshdTitle::listener), SshdArguments());
  EXPECT_EQ(arguments_of({""}, SshdTitle::arguments), SshdArguments());
  EXPECT_EQ(listener("/usr/sbin/sshd -f").config_file, "");
  EXPECT_THAT(listener("/usr/sbin/sshd -o").options, ElementsAre(""));
  EXPECT_EQ(listener("/usr/sbin/sshd - -- -f x"), SshdArguments());
}

constexpr pid_t kListener = 5'000'010;
constexpr pid_t kPrivileged = 5'000'011;
constexpr pid_t kHost = 5'000'012;

struct AcceptingSshdTest : ::testing::Test {
  AcceptingSshdTest() {
    proc.link(::getpid(), "ns/mnt", "mnt:[1]");
    proc.add({.pid = kHost, .executable = "/usr/sbin/sshd", .command_line = "sshd: alice@pts/0"});
    proc.add(
        {.pid = kPrivileged, .executable = "/usr/sbin/sshd", .command_line = "sshd: alice [priv]"});
    listen("sshd: /usr/sbin/sshd -D -f /etc/ssh/b -o X=1 [listener] 0 of 10-100 startups");
  }
  void listen(const std::string& command_line, const std::string& exe = "/usr/sbin/sshd") const {
    proc.add({.pid = kListener, .executable = exe, .command_line = command_line});
  }
  Result<AcceptingSshd> try_found() const {
    HostProcess host{kHost, 100, Kind::ssh, {}};
    for (const pid_t pid : {kHost, kPrivileged, kListener, test::kInit}) {
      if (auto exe = proc.procfs().executable(pid)) host.ancestry.push_back({pid, *exe});
    }
    return accepting_sshd(proc.procfs(), default_host_programs(), host, roots);
  }
  AcceptingSshd found() const {
    auto sshd = try_found();
    EXPECT_TRUE(sshd) << sshd.error().text();
    return sshd.value_or(AcceptingSshd());
  }
  MadeProc proc;
  mutable OthersRoots roots;
};

TEST_F(AcceptingSshdTest, OfTheListener) {
  EXPECT_EQ(found(), (AcceptingSshd{kListener, "/etc/ssh/b", {"X=1"}, "/", ""}));
}

TEST_F(AcceptingSshdTest, AListenerWithoutOptions) {
  listen(std::string("/usr/sbin/sshd\0-D\0", 18));
  EXPECT_EQ(found(), (AcceptingSshd{kListener, "/etc/ssh/sshd_config", {}, "/", ""}));
}

TEST_F(AcceptingSshdTest, ARelativeFileIsInTheListenersFolder) {
  listen("sshd: /usr/sbin/sshd -f b/c [listener] 0 of 10-100 startups");
  EXPECT_FALSE(try_found()) << "another file would be another limit";
  proc.link(kListener, "cwd", "/srv/sshd");
  EXPECT_EQ(found().config_file, "/srv/sshd/b/c");
  proc.link(kListener, "cwd", "/");
  EXPECT_EQ(found().config_file, "/b/c");
}

TEST_F(AcceptingSshdTest, AUsersOwnSshdDoesNotChooseTheLimit) {
  proc.add({.pid = kListener,
            .executable = "/usr/sbin/sshd",
            .command_line = "sshd: /usr/sbin/sshd -D -f /home/u/lax [listener] 0 of 10-100",
            .uid = 1000});
  proc.link(kListener, "ns/mnt", "mnt:[2]");
  AcceptingSshd defaults;
  defaults.listener = kListener;
  EXPECT_EQ(found(), defaults);
}

TEST_F(AcceptingSshdTest, StartedPerConnection) {
  proc.end(kListener);
  EXPECT_EQ(found(), AcceptingSshd());
}

TEST_F(AcceptingSshdTest, InAnotherMountNamespace) {
  proc.link(kListener, "ns/mnt", "mnt:[1]");
  EXPECT_EQ(found().root, "/");
  proc.link(kListener, "ns/mnt", "mnt:[2]");
  EXPECT_EQ(found().root, proc.path() + "/5000010/root");
}

TEST_F(AcceptingSshdTest, InAChroot) {
  proc.link(kListener, "ns/mnt", "mnt:[1]");
  proc.link(kListener, "root", "/srv/jail");
  EXPECT_EQ(found().root, proc.path() + "/5000010/root");
}

// SIGHUP changes neither pid nor start time, only what a new execution brings.
TEST_F(AcceptingSshdTest, TellsTheReadingsOfOneListenerApart) {
  EXPECT_EQ(found().reading, "") << "without auxv it cannot be told";
  proc.file(kListener, "auxv", "here");
  proc.link(kListener, "fd/0", "socket:[1]");
  proc.link(kListener, "fd/3", "/dev/null");
  proc.link(kListener, "fd/4", "socket:[70]");
  const std::string first = found().reading;
  EXPECT_TRUE(first.starts_with("5000010-100-")) << first;
  proc.link(kListener, "fd/9", "socket:[80]");  // of a connection
  EXPECT_EQ(found().reading, first);
  proc.file(kListener, "auxv", "there");
  const std::string second = found().reading;
  EXPECT_NE(second, first);
  proc.link(kListener, "fd/4", "socket:[71]");
  EXPECT_NE(found().reading, second);
}

}  // namespace
}  // namespace idlewarden

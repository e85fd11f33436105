// SPDX-License-Identifier: Apache-2.0
// What is said of a command line that means nothing, or not what it seems to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "command.h"
#include "report/listen.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Usage : public test::Program {
 protected:
  test::TempDir dir_;
};

TEST_F(Usage, TheVersionIsAnOptionToo) {
  EXPECT_EQ(run({"version"}), 0);
  const std::string version = out_;
  EXPECT_THAT(version, StartsWith("idlewarden "));
  EXPECT_EQ(run({"--version"}), 0);
  EXPECT_EQ(out_, version);
}

TEST_F(Usage, OfAnUnknownCommandTheNearestIsNamed) {
  EXPECT_EQ(run({"session"}), 2);
  EXPECT_EQ(err_, "idlewarden: there is no command \"session\" (did you mean \"sessions\"?)\n");
  EXPECT_EQ(run({"chekc-config", "--json"}), 2);
  EXPECT_THAT(err_, HasSubstr("did you mean \"check-config\"?"));
  EXPECT_EQ(run({"\x1b[2Jquux"}), 2);
  EXPECT_EQ(err_,
            "idlewarden: there is no command \"\\x1b[2Jquux\" (`idlewarden --help` names them)\n");
  EXPECT_EQ(run({}), 2);
  EXPECT_THAT(err_, HasSubstr("A subcommand is required"));
}

TEST_F(Usage, AnUnknownOptionIsNamed) {
  EXPECT_EQ(run({"--quux"}), 2);
  EXPECT_EQ(err_, "idlewarden: unknown option --quux (`idlewarden --help` names them)\n");
  EXPECT_EQ(run({"-V"}), 2);
  EXPECT_THAT(err_, StartsWith("idlewarden: unknown option -V ("));
  EXPECT_EQ(run({"sessions", "--quux=1"}), 2);
  EXPECT_EQ(err_, "idlewarden: unknown option --quux (`idlewarden sessions --help` names them)\n");
  EXPECT_EQ(run({"lint", "--jsn"}), 2);
  EXPECT_EQ(err_, "idlewarden: unknown option --jsn (did you mean --json?)\n");
  EXPECT_EQ(run({"version", "extra"}), 2);
  EXPECT_THAT(err_, HasSubstr("not expected: extra"));
}

TEST_F(Usage, OfANumberTheRangeIsSaid) {
  for (const char* pid : {"abc", "0", "-1", "1.5", "99999999999"}) {
    EXPECT_EQ(run({"run", "--only-host-pid", pid}), 2) << pid;
    EXPECT_THAT(err_, StartsWith("--only-host-pid: '" + std::string(pid) +
                                 "' is not a whole number from 1 on\n"));
  }
  EXPECT_EQ(run({"whatif", "--users", "x"}), 2);
  EXPECT_THAT(err_, HasSubstr("'x' is not a whole number from 0 on\n"));
  for (const char* port : {"99999", "0", "ssh"}) {
    EXPECT_EQ(run({"explain", "--user", "root", "--lport", port}), 2) << port;
    EXPECT_THAT(err_, HasSubstr("is not a whole number from 1 to 65535\n")) << port;
  }
  EXPECT_EQ(run({"explain", "--root", dir_.path(), "--user", "root", "--lport", "022"}), 0) << err_;
}

TEST_F(Usage, ATerminalMayBeNamedByItsFile) {
  dir_.file("etc/p.toml",
            "[[rule]]\nname = \"one\"\nmatch = { ttys = [\"pts/3\"] }\nlimit = \"7m\"\n");
  for (const char* tty : {"pts/3", "/dev/pts/3"}) {
    EXPECT_EQ(run({"explain", "--root", dir_.path(), "--config", "/etc/p.toml", "--user", "root",
                   "--tty", tty}),
              0);
    EXPECT_THAT(out_, StartsWith("Limit 7m ")) << tty;
  }
}

TEST_F(Usage, ASessionIsNamedByItsTerminalsFileTooAndNeverByNothing) {
  const std::string path = dir_.path() + "/socket";
  auto listener = listen_unix(path);
  ASSERT_TRUE(listener) << listener.error().text();
  std::string asked;
  std::thread daemon([&] {
    // The first connection only finds out whether anybody listens.
    for (int i = 0; i < 2; ++i) {
      pollfd somebody{.fd = listener->fd.get(), .events = POLLIN, .revents = 0};
      ::poll(&somebody, 1, 10'000);
      const UniqueFd client(::accept4(listener->fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
      char text[512];
      const ssize_t got = ::read(client.get(), text, sizeof text);
      if (got > 0) asked.assign(text, static_cast<std::size_t>(got));
    }
  });
  EXPECT_EQ(run({"explain", "--socket", path, "--session", "/dev/pts/2"}), 3);
  daemon.join();
  EXPECT_THAT(asked, StartsWith("GET /v1/sessions/pts%2F2?format=text HTTP/1.1\r\n"));
  for (const char* none : {"", "/dev/"}) {
    EXPECT_EQ(run({"explain", "--socket", path, "--session", none}), 2) << none;
    EXPECT_THAT(err_, StartsWith("--session: names no session\n"));
  }
}

TEST_F(Usage, WhatFollowsIsSaid) {
  EXPECT_EQ(run({"events", "--help"}), 0);
  EXPECT_THAT(out_, HasSubstr("what happens from now on"));
  EXPECT_THAT(out_, Not(HasSubstr("Go on")));
}

TEST_F(Usage, WhatIsNamedMustBeThere) {
  const std::string none = dir_.path() + "/none";
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"explain", "--user", "root", "--root", none}, {"check-config", "--root", none}}) {
    EXPECT_EQ(run(words), 2) << words[0];
    EXPECT_EQ(err_, "idlewarden: " + none + " is no folder\n");
    EXPECT_EQ(out_, "");
  }
  EXPECT_EQ(run({"explain", "--user", "root", "--root", dir_.path(), "--sshd-config", "/etc/none"}),
            2);
  EXPECT_THAT(err_, HasSubstr("No such file or directory"));
  EXPECT_THAT(err_, HasSubstr("/etc/none"));
  EXPECT_EQ(out_, "");
  dir_.file("etc/sshd", "");
  EXPECT_EQ(run({"explain", "--user", "root", "--root", dir_.path(), "--sshd-config", "/etc/sshd"}),
            0)
      << err_;
}

}  // namespace
}  // namespace idlewarden

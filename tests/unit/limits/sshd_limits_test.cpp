// SPDX-License-Identifier: Apache-2.0
// sshd_config from the file to the limit of a session.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "limits/sshd_config.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kFile = "/etc/ssh/sshd_config";

class SshdLimits : public ::testing::Test {
 protected:
  SshdConfig load(const std::string& content, const std::vector<std::string>& options = {}) {
    tree_.file(kFile, content);
    auto config = SshdConfig::load(Root(tree_.path()), kFile, options);
    EXPECT_TRUE(config) << config.error().text();
    return std::move(*config);
  }
  std::vector<LimitSource> limits(const std::string& content, Kind kind = Kind::ssh,
                                  const std::string& user = "alice",
                                  Channel channel = Channel::unknown) {
    SshdConnection connection;
    connection.user = user;
    return load(content).limits(connection, kind, Seconds(0), channel);
  }
  // Of the sources that say something.
  std::vector<Seconds> in_force(const std::string& content, Kind kind = Kind::ssh,
                                Channel channel = Channel::unknown) {
    std::vector<Seconds> found;
    for (const LimitSource& source : limits(content, kind, "alice", channel)) {
      if (source.limit) found.push_back(*source.limit);
    }
    return found;
  }

  test::TempDir tree_;
};

TEST_F(SshdLimits, OfTheUsualGuides) {
  EXPECT_THAT(in_force("ClientAliveInterval 30\nClientAliveCountMax 2\n"),
              ElementsAre(Seconds(60)));
  EXPECT_THAT(in_force("ClientAliveInterval 5m\nClientAliveCountMax 2\n"),
              ElementsAre(Seconds(600)));
  EXPECT_THAT(in_force("ClientAliveInterval 10m\nClientAliveCountMax 0\n"),
              ElementsAre(Seconds(600)));
}

TEST_F(SshdLimits, CarryTheirProvenance) {
  const auto sources =
      limits("# a comment\n\n  ClientAliveInterval 5m  # five\nclientalivecountmax=2\n");
  ASSERT_THAT(sources, SizeIs(2));
  EXPECT_EQ(sources[0].origin, Origin::sshd_config);
  EXPECT_EQ(sources[0].directive, "ClientAliveInterval");
  EXPECT_EQ(sources[0].where, (Where{kFile, 3, 3}));
  EXPECT_EQ(sources[0].text, "ClientAliveInterval 5m  # five");
  EXPECT_EQ(sources[0].limit, Seconds(600));
  EXPECT_EQ(sources[0].reason, "5m x 2");
  EXPECT_FALSE(sources[0].used);
  EXPECT_EQ(sources[1].directive, "ClientAliveCountMax");
  EXPECT_EQ(sources[1].limit, std::nullopt);
  EXPECT_EQ(sources[1].reason, "multiplies ClientAliveInterval of line 3");
}

TEST_F(SshdLimits, ClientAliveIsMultiplied) {
  const auto reason = [&](const std::string& content) { return limits(content).at(0).reason; };
  EXPECT_EQ(reason("ClientAliveInterval 1h30m\n"), "1h30m x 3");
  EXPECT_EQ(reason("ClientAliveInterval 10m\nClientAliveCountMax 0\n"),
            "10m as before OpenSSH 8.2");
  EXPECT_EQ(
      limits("ClientAliveInterval 10m\nClientAliveCountMax 0\n").at(1).reason,
      "before OpenSSH 8.2 it ended a session after ClientAliveInterval of line 1; since then it "
      "turns that off");
  EXPECT_EQ(reason("ClientAliveInterval 0\n"), "0 turns it off");
  EXPECT_THAT(in_force("ClientAliveInterval 0\nClientAliveCountMax 5\n"), IsEmpty());
  EXPECT_THAT(in_force("ClientAliveInterval 2147483647\nClientAliveCountMax 2147483647\n"),
              ElementsAre(Seconds(2147483647)));
  const auto alone = limits("ClientAliveCountMax 2\n");
  ASSERT_THAT(alone, SizeIs(1));
  EXPECT_EQ(alone[0].limit, std::nullopt);
  EXPECT_EQ(alone[0].reason, "says nothing without ClientAliveInterval");
}

TEST_F(SshdLimits, ClientAliveIsPutTogetherFromSeveralPlaces) {
  const std::string content = "ClientAliveInterval 5m\nMatch User alice\nClientAliveCountMax 2\n";
  EXPECT_EQ(limits(content).at(0).limit, Seconds(600));
  EXPECT_EQ(limits(content, Kind::ssh, "bob").at(0).limit, Seconds(900));
}

TEST_F(SshdLimits, LosersSayWhy) {
  tree_.file("/etc/ssh/late", "ClientAliveInterval 8\n");
  const auto sources = limits(
      "ClientAliveInterval 5\n"
      "ClientAliveInterval 6\n"
      "Include late\n"
      "Match User bob\n"
      "ClientAliveInterval 7\n");
  ASSERT_THAT(sources, SizeIs(4));
  EXPECT_EQ(sources[0].limit, Seconds(15));
  EXPECT_EQ(sources[1].reason, "line 1 came first");
  EXPECT_EQ(sources[2].reason, "/etc/ssh/sshd_config:1 came first");
  EXPECT_EQ(sources[3].reason, "Match User bob does not match");
  for (std::size_t i = 1; i < sources.size(); ++i) {
    EXPECT_EQ(sources[i].limit, std::nullopt);
    EXPECT_FALSE(sources[i].conditional);
  }
}

TEST_F(SshdLimits, AMatchingBlockOverrides) {
  const auto sources = limits(
      "ClientAliveInterval 5\n"
      "Match User alice\n"
      "ClientAliveInterval 6\n"
      "Match Group x,!y\n"
      "ClientAliveInterval 7\n"
      "Match User a*\n"
      "ClientAliveInterval 8\n");
  ASSERT_THAT(sources, SizeIs(4));
  EXPECT_EQ(sources[0].reason, "Match User alice (line 2) matches and overrides it");
  EXPECT_EQ(sources[1].limit, Seconds(18));
  EXPECT_EQ(sources[2].reason, "Match Group x,!y does not match");
  EXPECT_EQ(sources[3].reason, "line 3 came first");
}

TEST_F(SshdLimits, NoLimitThatABlockWhichIsNotDecidedMayLoosen) {
  const std::string head = "ClientAliveInterval 300\nClientAliveCountMax 2\n";
  EXPECT_THAT(in_force(head + "Match Host *.ops\nClientAliveInterval 0\n"), IsEmpty());
  EXPECT_THAT(in_force(head + "Match Host *.ops\nClientAliveInterval 400\n"), IsEmpty());
  EXPECT_THAT(in_force(head + "Match Host *.ops\nClientAliveCountMax 3\n"), IsEmpty());
  EXPECT_THAT(in_force(head + "Match Host *.ops\nClientAliveInterval 200\n"),
              ElementsAre(Seconds(600)));
  // The first block that matches wins.
  const std::string decided = "Match User alice\nClientAliveInterval 100\n";
  const std::string undecided = "Match Host *.ops\nClientAliveInterval 0\n";
  EXPECT_THAT(in_force(head + decided + undecided), ElementsAre(Seconds(200)));
  EXPECT_THAT(in_force(head + undecided + decided), IsEmpty());
  const auto sources = limits(head + undecided);
  EXPECT_TRUE(sources[0].conditional);
  EXPECT_THAT(sources[0].reason,
              HasSubstr("Match Host *.ops (line 3) is not decided and may loosen it"));

  // Less than the floor is a liveness probe, and so no limit.
  const SshdConfig config = load(head + "Match Host *.ops\nClientAliveInterval 15\n");
  EXPECT_NE(config.limits({}, Kind::ssh, Seconds(30))[0].limit, std::nullopt);
  EXPECT_EQ(config.limits({}, Kind::ssh, Seconds(31))[0].limit, std::nullopt);

  const std::string channel = "ChannelTimeout session:*=5m\n";
  EXPECT_THAT(in_force(channel + "Match Host *.ops\nChannelTimeout none\n"), IsEmpty());
  EXPECT_THAT(in_force(channel + "Match Host *.ops\nChannelTimeout session:*=6m\n"), IsEmpty());
  EXPECT_THAT(in_force(channel + "Match Host *.ops\nChannelTimeout session:*=4m\n"),
              ElementsAre(Seconds(300)));
}

TEST_F(SshdLimits, AMatchThatTheReleasesReadDifferentlyIsNotDecided) {
  const std::string head = "ClientAliveInterval 300\nClientAliveCountMax 2\n";
  const auto limit = [&](const std::string& match, const std::string& version = "") {
    SshdConnection connection;
    connection.user = "svc";
    connection.version = version;
    return load(head + match + "\nClientAliveInterval 0\n").limits(connection, Kind::ssh)[0].limit;
  };
  EXPECT_EQ(limit("Match User 'svc'"), std::nullopt);
  EXPECT_EQ(limit("Match User svc"), std::nullopt);
  EXPECT_EQ(limit("Match User 'svc'", "OpenSSH_9.8p1"), Seconds(600));
  EXPECT_EQ(limit("Match User 'root'"), Seconds(600)) << "neither way it is svc's";
  EXPECT_EQ(limit("Match User root"), Seconds(600));
  EXPECT_EQ(limit("Match User !'svc',*"), std::nullopt);
  // And no limit inside of it.
  const auto sources = limits("Match User 'svc'\nClientAliveInterval 300\n", Kind::ssh, "svc");
  ASSERT_THAT(sources, SizeIs(1));
  EXPECT_EQ(sources[0].limit, std::nullopt);
  EXPECT_TRUE(sources[0].conditional);
  EXPECT_EQ(sources[0].reason,
            "Match User 'svc' is not decided: OpenSSH reads it in another way since 9.9");
}

// ssh_remote_hostname() or ssh_remote_ipaddr() (auth2.c).
TEST_F(SshdLimits, WithoutUseDnsTheHostIsTheAddress) {
  const std::string block = "Match Host *.ops\nClientAliveInterval 0\n";
  const auto limit = [&](const std::string& head, const std::vector<std::string>& options = {}) {
    SshdConnection connection;
    connection.address = "10.0.0.7";
    return load(head + "ClientAliveInterval 200\n" + block, options)
        .limits(connection, Kind::ssh)[0]
        .limit;
  };
  EXPECT_EQ(limit(""), Seconds(600));
  EXPECT_EQ(limit("UseDNS no\n"), Seconds(600));
  EXPECT_EQ(limit("usedns yes\n"), std::nullopt);
  EXPECT_EQ(limit("", {"UseDNS=yes"}), std::nullopt);
}

TEST_F(SshdLimits, WhatIsNotDecidedIsConditional) {
  const auto sources = limits("Match Host *.example.com\nClientAliveInterval 5\n");
  ASSERT_THAT(sources, SizeIs(1));
  EXPECT_TRUE(sources[0].conditional);
  EXPECT_EQ(sources[0].limit, std::nullopt);
  EXPECT_EQ(sources[0].reason,
            "Match Host *.example.com is not decided: not all that it asks for is known");
}

TEST_F(SshdLimits, OptionsOfTheCommandLine) {
  const auto config = load("ClientAliveInterval 5\n", {"ClientAliveInterval=1m"});
  const auto sources = config.limits({}, Kind::ssh);
  ASSERT_THAT(sources, SizeIs(2));
  EXPECT_EQ(sources[0].where, (Where{"sshd -o", 0, 0}));
  EXPECT_EQ(sources[0].text, "ClientAliveInterval=1m");
  EXPECT_EQ(sources[0].limit, Seconds(180));
  EXPECT_EQ(sources[1].reason, "-o on the command line of sshd came first");
}

TEST_F(SshdLimits, AFileIncludedTwiceIsToldOfOnce) {
  tree_.file("/etc/ssh/common", "ClientAliveInterval 5\nClientAliveInterval 6\n");
  const auto sources = limits("Match User bob\nInclude common\nMatch User alice\nInclude common\n");
  ASSERT_THAT(sources, SizeIs(2));
  EXPECT_EQ(sources[0].reason, "Match User bob does not match");
  EXPECT_EQ(sources[1].limit, Seconds(15));
}

struct Channels {
  const char* line;
  std::vector<Seconds> shell;    // limits for a session with a pty
  std::vector<Seconds> command;  // and for one without, by what was asked for
  std::vector<Seconds> sftp;
  std::vector<Seconds> unknown;
};

TEST_F(SshdLimits, ChannelTimeoutForShellsAndForCommands) {
  using S = Seconds;
  for (const Channels& c : std::initializer_list<Channels>{
           {"session:shell=5m", {S(300)}, {}, {}, {}},
           {"session:command=5m", {}, {S(300)}, {}, {}},
           {"session:subsystem:sftp=5m", {}, {}, {S(300)}, {}},
           {"session:subsystem:netconf=5m", {}, {}, {}, {}},
           {"session:subsystem:*=5m", {}, {}, {S(300)}, {}},
           {"session:*=5m", {S(300)}, {S(300)}, {S(300)}, {S(300)}},
           {"session*=5m", {S(300)}, {S(300)}, {S(300)}, {S(300)}},
           {"*=5m", {S(300)}, {S(300)}, {S(300)}, {S(300)}},
           {"*:shell=5m", {S(300)}, {}, {}, {}},
           // Matches none of them, but it is what was meant.
           {"session=5m", {S(300)}, {S(300)}, {S(300)}, {S(300)}},
           {"global=5m", {S(300)}, {S(300)}, {S(300)}, {S(300)}},
           {"global=1h global=5m", {S(300)}, {S(300)}, {S(300)}, {S(300)}},  // the last one
           {"global=5m global=0", {}, {}, {}, {}},
           {"globa?=5m", {}, {}, {}, {}},
           {"none", {}, {}, {}, {}},
           {"direct-tcpip=5m x11-connection=1h", {}, {}, {}, {}},
           {"session:shell=0", {}, {}, {}, {}},
           // The first that fits.
           {"session:shell=0 session:*=5m", {}, {S(300)}, {S(300)}, {}},
           {"session:shell=0 *=10m", {}, {S(600)}, {S(600)}, {}},
           {"session:shell=0 session=5m", {}, {S(300)}, {S(300)}, {}},
           {"session:shell=0 global=5m", {S(300)}, {S(300)}, {S(300)}, {S(300)}},
           {"session:shell=1h session*=10m", {S(3600)}, {S(600)}, {S(600)}, {S(3600)}},
           {"session:shell=10m session:*=5m", {S(600)}, {S(300)}, {S(300)}, {S(600)}},
           {"session:shell=10m session=5m", {S(600)}, {S(300)}, {S(300)}, {S(600)}},
           {"session=5m session:shell=10m", {S(600)}, {S(300)}, {S(300)}, {S(600)}},
           {"session:command=10m session:subsystem:sftp=5m", {}, {S(600)}, {S(300)}, {}},
           {"session:command=5m session:subsystem:sftp=0", {}, {S(300)}, {}, {}},
           {"SESSION:SHELL=5m", {}, {}, {}, {}},
           {"\"session:shell=5m\" # quoted", {S(300)}, {}, {}, {}},
       }) {
    const std::string content = std::string("ChannelTimeout ") + c.line + "\n";
    EXPECT_EQ(in_force(content, Kind::ssh), c.shell) << c.line;
    EXPECT_EQ(in_force(content, Kind::ssh_nopty, Channel::shell), c.shell) << c.line;
    EXPECT_EQ(in_force(content, Kind::ssh_nopty, Channel::command), c.command) << c.line;
    EXPECT_EQ(in_force(content, Kind::ssh_nopty, Channel::sftp), c.sftp) << c.line;
    EXPECT_EQ(in_force(content, Kind::ssh_nopty), c.unknown) << c.line;
    EXPECT_THAT(in_force(content, Kind::ssh_nopty, Channel::none), IsEmpty()) << c.line;
  }
}

TEST_F(SshdLimits, ACommandMayBeASubsystemThatIsNotSftp) {
  const auto command = [&](const std::string& content) {
    return in_force(content + "ChannelTimeout session:command=5m session:subsystem:*=1h\n",
                    Kind::ssh_nopty, Channel::command);
  };
  const std::string sftp = "Subsystem sftp /usr/lib/openssh/sftp-server -l INFO\n";
  EXPECT_THAT(command(sftp), ElementsAre(Seconds(300)));
  EXPECT_THAT(command("Subsystem sftp internal-sftp\n"), ElementsAre(Seconds(300)));
  EXPECT_THAT(command(sftp + "Subsystem netconf /usr/bin/netconf\n"), ElementsAre(Seconds(3600)));
  EXPECT_THAT(command("Subsystem sftp /opt/with-quota sftp-server\n"), ElementsAre(Seconds(3600)));
  EXPECT_THAT(in_force("Subsystem netconf /usr/bin/netconf\nChannelTimeout session:command=5m\n",
                       Kind::ssh_nopty, Channel::command),
              IsEmpty());
}

TEST_F(SshdLimits, WhatSshdIgnoresOfChannelTimeoutIsSaid) {
  const auto reason = [&](const std::string& content) { return limits(content).at(0).reason; };
  EXPECT_EQ(reason("ChannelTimeout session:shell=5m\n"), "session:shell=5m");
  EXPECT_EQ(reason("ChannelTimeout session=5m\n"),
            "session=5m (sshd calls a shell session:shell, so it never applies this)");
  EXPECT_EQ(reason("Match all\nChannelTimeout session:*=5m\n"),
            "session:*=5m (inside Match sshd applies it only since 10.5)");
  EXPECT_EQ(reason("ChannelTimeout none\n"), "none turns it off");
  EXPECT_EQ(reason("ChannelTimeout session:shell=0s\n"), "session:shell=0s: 0 turns it off");
  EXPECT_EQ(reason("ChannelTimeout direct-tcpip=1h\n"), "it names no channel type of a shell");
  EXPECT_EQ(reason("ChannelTimeout # nothing\n"), "it names no channel type");
}

TEST_F(SshdLimits, WhyAChannelThatIsNotKnownHasNoLimitIsSaid) {
  auto sources = limits("ChannelTimeout session:command=5m global=1h\n", Kind::ssh_nopty);
  ASSERT_THAT(sources, SizeIs(2));
  EXPECT_EQ(sources[0].reason,
            "session:command=5m: sshd may call it session:shell, which has no limit");
  EXPECT_TRUE(sources[0].conditional);
  EXPECT_EQ(sources[1].limit, Seconds(3600));
  sources = limits("ChannelTimeout session:command=5m session=1h\n", Kind::ssh_nopty);
  ASSERT_THAT(sources, SizeIs(2));
  EXPECT_EQ(sources[0].reason,
            "session:command=5m: not the longest of those that it may be to sshd");
  EXPECT_EQ(sources[1].limit, Seconds(3600));
  sources = limits("ChannelTimeout *=5m\n", Kind::ssh_nopty, "alice", Channel::none);
  ASSERT_THAT(sources, SizeIs(1));
  EXPECT_EQ(sources[0].reason, "nothing runs on this connection that could time out");
}

TEST_F(SshdLimits, ChannelTimeoutPointsAtTheElement) {
  const auto sources = limits("ChannelTimeout direct-tcpip=1h session:shell=5m global=1h\n");
  ASSERT_THAT(sources, SizeIs(2));
  EXPECT_EQ(sources[0].where, (Where{kFile, 1, 32}));
  EXPECT_EQ(sources[1].where, (Where{kFile, 1, 49}));
}

TEST_F(SshdLimits, AreNoneForWhatSshdDoesNotHost) {
  for (const Kind kind : {Kind::console, Kind::serial, Kind::mosh, Kind::dropbear, Kind::telnet}) {
    EXPECT_THAT(limits("ClientAliveInterval 5\nChannelTimeout *=5m\n", kind), IsEmpty());
  }
}

}  // namespace
}  // namespace idlewarden

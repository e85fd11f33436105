// SPDX-License-Identifier: Apache-2.0
// Which value of sshd_config is in force for a connection, and what is refused. Every expectation
// here is what sshd -T -C says of the same file.
#include "limits/sshd_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kFile = "/etc/ssh/sshd_config";

class SshdConfigTest : public ::testing::Test {
 protected:
  Result<SshdConfig> load(const std::string& content, const std::vector<std::string>& options = {},
                          SshdGrammar grammar = SshdGrammar::any) {
    tree_.file(kFile, content);
    return SshdConfig::load(Root(tree_.path()), kFile, options, grammar);
  }
  SshdEffective resolve(const std::string& content, const SshdConnection& connection = alice(),
                        const std::vector<std::string>& options = {}) {
    const auto config = load(content, options);
    EXPECT_TRUE(config) << config.error().text();
    return config ? config->resolve(connection) : SshdEffective{};
  }
  long interval(const std::string& content, const SshdConnection& connection = alice()) {
    return resolve(content, connection).interval.count();
  }
  Error refusal(const std::string& content, const std::vector<std::string>& options = {}) {
    const auto config = load(content, options);
    EXPECT_FALSE(config) << content;
    return config ? Error{} : config.error();
  }

  static SshdConnection alice() {
    SshdConnection c;
    c.user = "alice";
    c.groups = {"staff", "users"};
    c.host = "Desk.Example.com";
    c.address = "10.1.2.3";
    c.local_address = "192.0.2.1";
    c.local_port = 22;
    return c;
  }

  test::TempDir tree_;
};

TEST_F(SshdConfigTest, DefaultsHoldWhereNothingIsSaid) {
  const SshdEffective effective = resolve("# nothing\nPermitRootLogin no\n");
  EXPECT_EQ(effective.interval, Seconds(0));
  EXPECT_EQ(effective.count_max, 3);
  EXPECT_FALSE(effective.client_alive_interval);
  EXPECT_FALSE(effective.channel_timeout);
  EXPECT_FALSE(effective.unused_timeout);
}

TEST_F(SshdConfigTest, TheFirstValueWins) {
  EXPECT_EQ(interval("ClientAliveInterval 5\nclientaliveinterval 6\n"), 5);
  const auto effective =
      resolve("ChannelTimeout session:*=5m x11-connection=1h\nChannelTimeout none\n");
  EXPECT_THAT(effective.channel_timeout->args, ElementsAre("session:*=5m", "x11-connection=1h"));
  EXPECT_EQ(effective.channel_timeout->where, (Where{kFile, 1, 1}));
}

TEST_F(SshdConfigTest, OptionsOfTheCommandLineComeFirst) {
  const auto effective = resolve("ClientAliveInterval 5\nMatch User alice\nClientAliveCountMax 8\n",
                                 alice(), {"ClientAliveInterval=7", "clientalivecountmax 9"});
  EXPECT_EQ(effective.interval, Seconds(7));
  EXPECT_EQ(effective.count_max, 8);  // but Match overrides even them
  EXPECT_EQ(effective.client_alive_interval->where.line, 0);
}

TEST_F(SshdConfigTest, UnusedConnectionTimeoutNoneDoesNotWaitItsTurn) {
  EXPECT_EQ(resolve("UnusedConnectionTimeout 30\n").unused_timeout, Seconds(30));
  EXPECT_EQ(resolve("UnusedConnectionTimeout 30\nUnusedConnectionTimeout 40\n").unused_timeout,
            Seconds(30));
  EXPECT_EQ(resolve("UnusedConnectionTimeout 30\nUnusedConnectionTimeout none\n").unused_timeout,
            std::nullopt);
  EXPECT_EQ(resolve("UnusedConnectionTimeout none\nUnusedConnectionTimeout 30\n").unused_timeout,
            std::nullopt);
  EXPECT_EQ(resolve("UnusedConnectionTimeout NONE\n").unused_timeout, std::nullopt);
  EXPECT_EQ(resolve("UnusedConnectionTimeout 0\n").unused_timeout, std::nullopt);
}

TEST_F(SshdConfigTest, EachCriterionOfMatchDecides) {
  struct Try {
    const char* match;
    bool matches;
  };
  for (const auto& [match, matches] : std::initializer_list<Try>{
           {"all", true},
           {"User alice", true},
           {"User=alice", true},
           {"user = alice", true},
           {"User \"alice\"", true},
           {"User ALICE", false},
           {"User a*,!alice", false},
           {"User !bob", false},
           {"User !bob,*", true},
           {"Group staff", true},
           {"Group nobody,us*s", true},
           {"Group *,!users", false},  // another group would do, but this one is excluded
           {"Host desk.example.COM", true},
           {"Host *.example.com", true},
           {"Host *.example.org", false},
           {"Address 10.0.0.0/8", true},
           {"Address 10.1.2.*", true},
           {"Address 10.0.0.0/8,!10.1.0.0/16", false},
           {"Address ::/0", false},
           {"LocalAddress 192.0.2.0/24", true},
           {"LocalAddress 192.0.2.2", false},
           {"LocalPort 22", true},
           {"LocalPort 2222", false},
           {"RDomain *", false},  // not known
           {"User alice Address 10.0.0.0/8", true},
           {"User alice Address 11.0.0.0/8", false},
           {"User=alice Group=staff LocalPort=22 # all three", true},
           {"Version OpenSSH_*", false},  // not known
           {"Invalid-User", false},
       }) {
    const std::string content =
        std::string("ClientAliveInterval 1\nMatch ") + match + "\nClientAliveInterval 2\n";
    EXPECT_EQ(interval(content), matches ? 2 : 1) << match;
  }
}

TEST_F(SshdConfigTest, WhatIsNotKnownOfTheConnectionDoesNotMatch) {
  for (const char* match :
       {"User *", "Group *", "Host *", "Address *", "LocalAddress *", "LocalPort 22"}) {
    const std::string content =
        std::string("ClientAliveInterval 1\nMatch ") + match + "\nClientAliveInterval 2\n";
    EXPECT_EQ(interval(content, SshdConnection{}), 1) << match;
  }
}

TEST_F(SshdConfigTest, NewerCriteriaDecideWhereTheyAreKnown) {
  SshdConnection connection = alice();
  connection.version = "OpenSSH_10.5p1";
  connection.invalid_user = true;
  connection.rdomain = "vrf1";
  for (const char* match : {"Version OpenSSH_10.*", "Invalid-User", "RDomain vrf*",
                            "version=OpenSSH_*,!OpenSSH_9.*", "invalid-user User alice"}) {
    const std::string content =
        std::string("ClientAliveInterval 1\nMatch ") + match + "\nClientAliveInterval 2\n";
    EXPECT_EQ(interval(content, connection), 2) << match;
  }
}

TEST_F(SshdConfigTest, MatchIsReadAsTheVersionDoes) {
  const std::string content = "ClientAliveInterval 1\nMatch User 'alice'\nClientAliveInterval 2\n";
  EXPECT_EQ(interval(content), 1);  // the quotes belong to the name
  SshdConnection connection = alice();
  connection.version = "OpenSSH_9.9p1";
  EXPECT_EQ(interval(content, connection), 2);
  connection.version = "OpenSSH_9.8p1";
  EXPECT_EQ(interval(content, connection), 1);
  // Only the newer way accepts this, so it is what is meant.
  EXPECT_EQ(interval("Match Group 'domain users',staff\nClientAliveInterval 2\n"), 2);
  EXPECT_FALSE(load("Match Group 'domain users'\n", {}, SshdGrammar::before_9_9));
  EXPECT_FALSE(load("Match User = alice\n", {}, SshdGrammar::since_9_9));
}

TEST_F(SshdConfigTest, TheFirstMatchingBlockWins) {
  EXPECT_EQ(
      interval("Match User bob\nClientAliveInterval 1\nMatch User alice\nClientAliveInterval 2\n"
               "Match Group staff\nClientAliveInterval 3\n"),
      2);
  EXPECT_EQ(interval("ClientAliveInterval 9\nMatch User bob\nClientAliveInterval 1\n"), 9);
}

TEST_F(SshdConfigTest, MatchAllIsOpenFromTheStart) {
  EXPECT_EQ(interval("Match User bob\nClientAliveInterval 1\nMatch all\nClientAliveInterval 3\n"),
            3);
  EXPECT_EQ(interval("Match all\nClientAliveInterval 3\nMatch User alice\nClientAliveInterval 2\n"),
            3);
}

TEST_F(SshdConfigTest, IncludesStandWhereTheyAreWritten) {
  tree_.file("/etc/ssh/sshd_config.d/20-b.conf", "ClientAliveInterval 20\n");
  tree_.file("/etc/ssh/sshd_config.d/10-a.conf", "ClientAliveInterval 10\nClientAliveCountMax 1\n");
  tree_.file("/etc/ssh/sshd_config.d/skipped", "ClientAliveInterval 30\n");
  EXPECT_EQ(interval("Include /etc/ssh/sshd_config.d/*.conf\nClientAliveInterval 5\n"), 10);
  EXPECT_EQ(interval("ClientAliveInterval 5\nInclude sshd_config.d/*.conf\n"), 5);
  EXPECT_EQ(interval("Include sshd_config.d/20-b.conf sshd_config.d/10-a.conf\n"), 20);
  EXPECT_EQ(interval("Include sshd_config.d/none*\nInclude sshd_config.d\nClientAliveInterval 5\n"),
            5);
}

TEST_F(SshdConfigTest, IncludesAreRelativeToEtcSshWhereverTheFileIs) {
  tree_.file("/srv/ssh/sshd_config", "Include part\n");
  tree_.file("/srv/ssh/part", "ClientAliveInterval 1\n");
  tree_.file("/etc/ssh/part", "ClientAliveInterval 2\n");
  const auto config = SshdConfig::load(Root(tree_.path()), "/srv/ssh/sshd_config");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->resolve(alice()).interval, Seconds(2));
  EXPECT_THAT(config->files(), ElementsAre("/srv/ssh/sshd_config", "/etc/ssh/part"));
  EXPECT_THAT(config->folders(), ElementsAre("/etc/ssh"));
}

TEST_F(SshdConfigTest, MatchInAnIncludeDoesNotLeak) {
  tree_.file("/etc/ssh/a", "Match User bob\nClientAliveInterval 1\n");
  EXPECT_EQ(interval("Include a\nClientAliveInterval 5\n"), 5);
  tree_.file("/etc/ssh/a", "Match User alice\nClientAliveInterval 1\n");
  EXPECT_EQ(interval("Include a\nClientAliveInterval 5\n"), 1);
}

TEST_F(SshdConfigTest, IncludeInAClosedBlockOpensNothing) {
  tree_.file("/etc/ssh/a", "ClientAliveInterval 1\nMatch all\nClientAliveCountMax 7\n");
  auto effective = resolve("Match User bob\nInclude a\n");
  EXPECT_EQ(effective.interval, Seconds(0));
  EXPECT_EQ(effective.count_max, 3);
  effective = resolve("Match User alice\nInclude a\n");
  EXPECT_EQ(effective.interval, Seconds(1));
  EXPECT_EQ(effective.count_max, 7);
}

TEST_F(SshdConfigTest, IncludesNestToSixteen) {
  for (int i = 1; i <= 16; ++i) {
    tree_.file("/etc/ssh/n" + std::to_string(i),
               i < 16 ? "Include n" + std::to_string(i + 1) + "\n" : "ClientAliveInterval 16\n");
  }
  EXPECT_EQ(interval("Include n1\n"), 16);
  tree_.file("/etc/ssh/n0", "Include n1\n");
  const Error error = refusal("Include n0\n");
  EXPECT_EQ(error.where, (Where{"/etc/ssh/n15", 1, 1}));
  EXPECT_THAT(error.what, HasSubstr("deeper than 16"));
}

TEST_F(SshdConfigTest, AFileThatIncludesItselfIsRefused) {
  EXPECT_THAT(refusal("Include sshd_config\n").what, HasSubstr("deeper than 16"));
  tree_.file("/etc/ssh/a", "Include b b b\n");
  tree_.file("/etc/ssh/b", "Include a a a\n");
  refusal("Include a\n");
}

TEST_F(SshdConfigTest, TooManyIncludesAreRefused) {
  for (int i = 0; i < 512; ++i) tree_.file("/etc/ssh/d/" + std::to_string(i), "# empty\n");
  EXPECT_THAT(refusal("Include d/*\n").what, HasSubstr("more than 512 files"));
  tree_.file("/etc/ssh/a", "Include d/0 d/0 d/0 d/0 d/0 d/0 d/0 d/0 d/0 d/0 d/0\n");
  std::string many;
  for (int i = 0; i < 100; ++i) many += "Include a\n";
  EXPECT_THAT(refusal(many).what, HasSubstr("more than 1024"));
  for (int i = 0; i < 9; ++i) {
    tree_.file("/etc/ssh/e/" + std::to_string(i), std::string(1 << 20, '#'));
  }
  EXPECT_THAT(refusal("Include e/*\n").what, HasSubstr("more than 8 MiB"));
  tree_.file("/etc/ssh/big", std::string((1 << 20) + 1, '#'));
  EXPECT_THAT(refusal("Include big\n").where.file, "/etc/ssh/big");
}

TEST_F(SshdConfigTest, NoFileAtAll) {
  EXPECT_TRUE(SshdConfig::load(Root(tree_.path()), "none"));
  EXPECT_TRUE(SshdConfig::load(Root(tree_.path()), "/dev/null", {"ClientAliveInterval 5"}));
  const auto missing = SshdConfig::load(Root(tree_.path()), kFile);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
  EXPECT_EQ(missing.error().where.file, kFile);
}

TEST_F(SshdConfigTest, OddLinesThatSshdAccepts) {
  EXPECT_EQ(interval("\"ClientAliveInterval\" '5m'\n"), 300);
  EXPECT_EQ(interval("ClientAliveInterval 5\"m\"\n"), 300);
  EXPECT_EQ(interval("=ClientAliveInterval 5\n"), 5);
  EXPECT_EQ(interval("\"ClientAliveInterval 5\n"),
            0);  // an open quote at the keyword: no line at all
  EXPECT_EQ(interval("ClientAliveInterval 5\f \f\n"), 5);
  EXPECT_EQ(interval("ChannelTimeout # nothing\nClientAliveInterval 5\n"), 5);
}

TEST_F(SshdConfigTest, RefusalsSayWhereAndWhatToWrite) {
  struct Try {
    const char* line;
    int column;
    const char* what;
  };
  for (const auto& [line, column, what] : std::initializer_list<Try>{
           {"ClientAliveInterval", 1, "nothing follows"},
           {"ClientAliveInterval # 5", 1, "has no value"},
           {"ClientAliveInterval \"\"", 1, "has no value"},
           {"ClientAliveInterval 5x", 21, "not a time"},
           {"ClientAliveInterval == 5", 22, "not a time"},
           {"  ClientAliveInterval 1.5", 23, "not a time"},
           {"ClientAliveInterval 5 6", 23, "extra argument \"6\""},
           {"ClientAliveInterval 5m \\", 24, "extra argument"},
           {"ClientAliveInterval '5", 1, "quote is not closed"},
           {"ClientAliveCountMax -1", 21, "not a number"},
           {"ClientAliveCountMax 2m", 21, "not a number"},
           {"UnusedConnectionTimeout none 5", 30, "extra argument"},
           {"UnusedConnectionTimeout never", 25, "not a time"},
           {"ChannelTimeout session", 16, "not type=time"},
           {"ChannelTimeout ==5m", 17, "not type=time"},
           {"ChannelTimeout session=", 16, "not type=time"},
           {"ChannelTimeout a=1 b=x", 20, "not type=time"},
           {"ChannelTimeout none a=1", 16, "must stand alone"},
           {"Include", 1, "nothing follows"},
           {"Include # x", 1, "names no file"},
           {"Include ''", 9, "empty path"},
           {"Match", 1, "nothing follows"},
           {"Match # x", 1, "no criterion"},
           {"Match User", 7, "nothing follows"},
           {"Match Usr bob", 7, "unknown criterion \"Usr\""},
           {"Match all User bob", 7, "cannot be combined"},
           {"Match User bob all", 16, "cannot be combined"},
           {"Match Address 10.0.0.1/8", 15, "does not fit"},
           {"Match LocalPort none-such", 17, "not a port"},
           {"Banner \"/etc/issue", 1, "quote is not closed"},
           {"ClientAliveIntervall 5", 1, "sshd knows no"},
       }) {
    const Error error = refusal(std::string("# first\n") + line + "\n");
    EXPECT_EQ(error.where.file, kFile) << line;
    EXPECT_EQ(error.where.line, 2) << line;
    EXPECT_EQ(error.where.column, column) << line << ": " << error.text();
    EXPECT_THAT(error.what, HasSubstr(what)) << line;
    EXPECT_FALSE(error.hint.empty()) << line;
  }
}

TEST_F(SshdConfigTest, RefusesInClosedBlocksToo) {
  refusal("Match User bob\nClientAliveInterval x\n");
  tree_.file("/etc/ssh/a", "Match Nonsense\n");
  EXPECT_EQ(refusal("Match User bob\nInclude a\n").where.file, "/etc/ssh/a");
}

TEST_F(SshdConfigTest, RefusesOptionsAsLines) {
  EXPECT_EQ(refusal("", {"ClientAliveInterval=x"}).where.file, "sshd -o");
  EXPECT_THAT(refusal("", {"Match all"}).what, HasSubstr("cannot be given with -o"));
  EXPECT_THAT(refusal("", {"include=x"}).what, HasSubstr("cannot be given with -o"));
  EXPECT_TRUE(load("", {"", " ", "# x", "Port=2222"}));
}

TEST_F(SshdConfigTest, KeywordsThatAreNotReadAreNotTakenForMisspelt) {
  for (const char* keyword :
       {"LoginGraceTime", "KeyRegenerationInterval", "TCPKeepAlive", "PermitUserEnvironment",
        "ChallengeResponseAuthentication", "PerSourceNetBlockSize", "RekeyLimit", "ClientSpecified",
        "MaxStartups", "UseDNS", "AllowTcpForwarding"}) {
    EXPECT_TRUE(load(std::string(keyword) + " 1\n")) << keyword;
  }
}

TEST_F(SshdConfigTest, WhatOthersWroteIsPrintable) {
  const Error error = refusal("ClientAliveInterval \x1b[2J\n");
  EXPECT_EQ(error.what.find('\x1b'), std::string::npos);
  const auto effective = resolve("ClientAliveInterval 5 # \x1b]0;x\x07\n");
  EXPECT_EQ(effective.client_alive_interval->text, "ClientAliveInterval 5 # \\x1b]0;x\\x07");
}

}  // namespace
}  // namespace idlewarden

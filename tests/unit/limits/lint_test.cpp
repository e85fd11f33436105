// SPDX-License-Identifier: Apache-2.0
#include "limits/lint.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>

#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kSshd = "etc/ssh/sshd_config";
constexpr const char* kPolicy = "etc/idlewarden/idlewarden.toml";
constexpr const char* kEnforced = "mode = \"enforce\"\n[[rule]]\nname = \"all\"\nlimit = \"10m\"\n";

class Lint : public testing::Test {
 protected:
  Lint() {
    accounts("/bin/bash");
    dir_.file("etc/profile", "for f in /etc/profile.d/*.sh; do . \"$f\"; done\n");
  }
  void accounts(const std::string& bobs_shell) {
    dir_.file("etc/passwd", "root:x:0:0::/root:/bin/bash\nbob:x:1000:1000::/home/bob:" +
                                bobs_shell + "\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n");
  }
  void tmout(const std::string& text) { dir_.file("etc/profile.d/tmout.sh", text); }
  // As the binary carries it, beside the releases whose bugs it knows.
  void openssh(const std::string& version) {
    const std::string banner = "OpenSSH_" + version;
    dir_.file("usr/sbin/sshd", std::string("\x7f"
                                           "ELF\0OpenSSH_7.4*\0",
                                           18) +
                                   banner + '\0');
  }
  std::vector<LintFinding> findings() { return lint(look_at_host(Root(dir_.path()), {})); }
  std::vector<LintFinding> sshd(const std::string& config) {
    dir_.file(kSshd, config);
    return findings();
  }
  static std::vector<std::string> ids(const std::vector<LintFinding>& findings) {
    std::vector<std::string> out;
    for (const LintFinding& finding : findings) out.push_back(finding.id);
    return out;
  }
  static const LintFinding* find(const std::vector<LintFinding>& findings, const std::string& id) {
    const auto found = std::ranges::find(findings, id, &LintFinding::id);
    return found == findings.end() ? nullptr : &*found;
  }
  // "" if there is no such finding.
  static std::string place(const std::vector<LintFinding>& findings, const std::string& id) {
    const LintFinding* const found = find(findings, id);
    return found == nullptr ? "" : found->where.text();
  }
  static std::string severity(const std::vector<LintFinding>& findings, const std::string& id) {
    const LintFinding* const found = find(findings, id);
    return found == nullptr ? "" : std::string(to_string(found->severity));
  }
  test::TempDir dir_;
};

TEST_F(Lint, NothingAtAllOnlyLacksLimits) {
  const auto found = findings();
  EXPECT_THAT(ids(found), ElementsAre("no-limit", "no-limit", "no-limit"));
  EXPECT_THAT(found[0].does, HasSubstr("root and bob"));
  EXPECT_EQ(found[2].severity, Severity::info);  // ssh without a terminal
  for (const LintFinding& finding : found) EXPECT_FALSE(finding.fix.empty());
}

TEST_F(Lint, APolicyThatEndsEverythingLeavesNothingToFind) {
  dir_.file(kPolicy, kEnforced);
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(Lint, ClientAliveNoticesDeadPeersOnly) {
  const auto found = sshd("# how-to\nClientAliveInterval 5m\nClientAliveCountMax 2\n");
  EXPECT_EQ(place(found, "client-alive-is-liveness"), "/etc/ssh/sshd_config:2:1");
  EXPECT_EQ(severity(found, "client-alive-is-liveness"), "warning");
  EXPECT_THAT(find(found, "client-alive-is-liveness")->fix, HasSubstr("10m"));
  EXPECT_EQ(find(found, "client-alive-below-floor"), nullptr);
  EXPECT_EQ(find(found, "client-alive-count-max-0"), nullptr);
  EXPECT_EQ(severity(found, "mode-audit"), "info");
}

TEST_F(Lint, WhereIdlewardenEnforcesAWeakSettingIsARemark) {
  dir_.file(kPolicy, kEnforced);
  const auto found = sshd("ClientAliveInterval 5m\nClientAliveCountMax 2\n");
  EXPECT_THAT(ids(found), ElementsAre("client-alive-is-liveness"));
  EXPECT_EQ(severity(found, "client-alive-is-liveness"), "info");
}

TEST_F(Lint, BelowTheFloorItIsAProbe) {
  const auto found = sshd("ClientAliveInterval 15\nClientAliveCountMax 3\n");
  EXPECT_EQ(severity(found, "client-alive-below-floor"), "info");
  EXPECT_EQ(find(found, "client-alive-is-liveness"), nullptr);
  EXPECT_EQ(find(found, "mode-audit"), nullptr);  // no limit comes of it
  EXPECT_THAT(ids(sshd("ClientAliveInterval 0\n")), Not(Contains("client-alive-below-floor")));
}

TEST_F(Lint, CountMaxZeroByRelease) {
  const std::string config = "ClientAliveInterval 10m\n  ClientAliveCountMax 0\n";
  auto found = sshd(config);
  EXPECT_EQ(place(found, "client-alive-count-max-0"), "/etc/ssh/sshd_config:2:3");
  EXPECT_EQ(severity(found, "client-alive-count-max-0"), "error");
  EXPECT_THAT(find(found, "client-alive-count-max-0")->does, HasSubstr("could not be found out"));
  openssh("8.1p1");
  found = sshd(config);
  EXPECT_EQ(severity(found, "client-alive-count-max-0"), "info");
  EXPECT_EQ(find(found, "client-alive-is-liveness"), nullptr);
  openssh("8.2p1");
  EXPECT_EQ(severity(sshd(config), "client-alive-count-max-0"), "error");
  found = sshd("ClientAliveCountMax 0\n");
  EXPECT_EQ(find(found, "client-alive-count-max-0"), nullptr);
  EXPECT_EQ(severity(found, "client-alive-count-max-alone"), "info");
}

TEST_F(Lint, ChannelTimeoutSessionMatchesNoShell) {
  auto found = sshd("ChannelTimeout agent-connection=1m session=5m\n");
  EXPECT_EQ(place(found, "channel-timeout-session"), "/etc/ssh/sshd_config:1:36");
  EXPECT_THAT(find(found, "channel-timeout-session")->fix, HasSubstr("session:*=5m"));
  EXPECT_EQ(find(found, "channel-timeout-counts-output"), nullptr);
  for (const char* good : {"session:shell=5m", "session:*=5m", "session*=5m", "*=5m", "none",
                           "session=0", "session:subsystem:netconf=5m", "global=5m"}) {
    found = sshd(std::string("ChannelTimeout ") + good + "\n");
    EXPECT_EQ(find(found, "channel-timeout-session"), nullptr) << good;
    EXPECT_EQ(find(found, "channel-timeout-unknown-type"), nullptr) << good;
  }
  EXPECT_EQ(severity(found, "channel-timeout-counts-output"), "warning");
  found = sshd("ChannelTimeout shell=5m\n");
  EXPECT_EQ(severity(found, "channel-timeout-unknown-type"), "error");
  // No pattern: it is looked for by its name.
  found = sshd("ChannelTimeout globa?=5m\n");
  EXPECT_EQ(severity(found, "channel-timeout-unknown-type"), "error");
  // The first that fits a shell lets it alone.
  found = sshd("ChannelTimeout session:shell=0 *=5m\n");
  EXPECT_EQ(find(found, "channel-timeout-counts-output"), nullptr);
}

TEST_F(Lint, ChannelTimeoutInMatchByRelease) {
  const std::string config = "Match User bob\n  ChannelTimeout session:*=5m\n";
  auto found = sshd(config);
  EXPECT_EQ(place(found, "channel-timeout-in-match"), "/etc/ssh/sshd_config:2:3");
  EXPECT_EQ(severity(found, "channel-timeout-in-match"), "warning");
  EXPECT_THAT(find(found, "channel-timeout-in-match")->does, HasSubstr("Perhaps"));
  openssh("9.9p2 Debian-1");
  EXPECT_EQ(severity(sshd(config), "channel-timeout-in-match"), "error");
  openssh("10.5p1");
  found = sshd(config);
  EXPECT_EQ(find(found, "channel-timeout-in-match"), nullptr);
  EXPECT_NE(find(found, "channel-timeout-counts-output"), nullptr);
  openssh("9.1p1");
  EXPECT_EQ(severity(sshd(config), "channel-timeout-too-old"), "error");
}

TEST_F(Lint, TheFirstValueWins) {
  dir_.file("etc/ssh/sshd_config.d/10-cloud.conf", "ClientAliveInterval 2h\n");
  auto found = sshd(
      "Include /etc/ssh/sshd_config.d/*.conf\nClientAliveInterval 5m\nMatch User bob\n"
      "ClientAliveInterval 1h\n");
  EXPECT_EQ(place(found, "sshd-line-ignored"), "/etc/ssh/sshd_config:2:1");
  EXPECT_THAT(find(found, "sshd-line-ignored")->does, HasSubstr("10-cloud.conf:1:1 came first"));
  EXPECT_EQ(std::ranges::count(ids(found), "sshd-line-ignored"), 1);
  EXPECT_EQ(std::ranges::count(ids(found), "client-alive-is-liveness"), 2);
  EXPECT_THAT(ids(sshd("ClientAliveInterval 5m\n")), Not(Contains("sshd-line-ignored")));
}

TEST_F(Lint, UnusedConnectionTimeout) {
  openssh("10.2p1");
  auto found = sshd("UnusedConnectionTimeout 30\nUnusedConnectionTimeout none\n");
  EXPECT_EQ(place(found, "unused-connection-none-wins"), "/etc/ssh/sshd_config:2:1");
  EXPECT_EQ(find(found, "unused-connection-is-not-idle"), nullptr);
  found = sshd("UnusedConnectionTimeout 30\nChannelTimeout session:*=5m\n");
  EXPECT_EQ(severity(found, "unused-connection-is-not-idle"), "info");
  EXPECT_EQ(severity(found, "unused-connection-early"), "warning");
  openssh("10.3p1");
  found = findings();
  EXPECT_EQ(find(found, "unused-connection-early"), nullptr);
}

TEST_F(Lint, AnSshdThatWouldNotStart) {
  auto found = sshd("ClientAliveInterval five\n");
  EXPECT_EQ(place(found, "sshd-config-refused"), "/etc/ssh/sshd_config:1:21");
  EXPECT_EQ(severity(found, "sshd-config-refused"), "error");
}

TEST_F(Lint, TmoutAsItShouldBe) {
  tmout("declare -xr TMOUT=600\n");
  const auto found = findings();
  EXPECT_EQ(place(found, "tmout-at-prompt-only"), "/etc/profile.d/tmout.sh:1:13");
  for (const LintFinding& finding : found) {
    EXPECT_THAT(finding.id, testing::AnyOf("tmout-at-prompt-only", "no-limit", "mode-audit"));
  }
}

TEST_F(Lint, TmoutThatUsersCanTakeBack) {
  tmout("TMOUT=600\n");
  auto found = findings();
  EXPECT_EQ(place(found, "tmout-not-readonly"), "/etc/profile.d/tmout.sh:1:1");
  EXPECT_EQ(place(found, "tmout-not-exported"), "/etc/profile.d/tmout.sh:1:1");
  EXPECT_EQ(find(found, "tmout-not-readonly")->fix, "declare -xr TMOUT=600");
  tmout("readonly TMOUT=600\n");
  found = findings();
  EXPECT_EQ(find(found, "tmout-not-readonly"), nullptr);
  EXPECT_NE(find(found, "tmout-not-exported"), nullptr);
  tmout("export TMOUT=600\n");
  found = findings();
  EXPECT_NE(find(found, "tmout-not-readonly"), nullptr);
  EXPECT_EQ(find(found, "tmout-not-exported"), nullptr);
}

TEST_F(Lint, TmoutThatIsNoneOrNotKnown) {
  tmout("TMOUT=5m\n");
  auto found = findings();
  EXPECT_EQ(place(found, "tmout-invalid"), "/etc/profile.d/tmout.sh:1:1");
  EXPECT_THAT(find(found, "tmout-invalid")->does, HasSubstr("write TMOUT=300"));
  tmout("readonly TMOUT=0\n");
  found = findings();
  EXPECT_EQ(severity(found, "tmout-off"), "warning");
  EXPECT_EQ(find(found, "tmout-invalid"), nullptr);
  tmout("export TMOUT=$(get-timeout)\n");
  found = findings();
  EXPECT_EQ(severity(found, "tmout-undecided"), "warning");
  tmout("if [ -n \"$SSH_TTY\" ]; then readonly TMOUT=600; export TMOUT; fi\n");
  found = findings();
  ASSERT_EQ(severity(found, "tmout-conditional"), "warning");
  EXPECT_THAT(find(found, "tmout-conditional")->fix, HasSubstr("TMOUT=600"));
  tmout("TMOUT=600\nTMOUT=900\n");
  EXPECT_EQ(place(findings(), "tmout-overruled"), "/etc/profile.d/tmout.sh:1:1");
}

TEST_F(Lint, TmoutForSomeShellsOnly) {
  tmout("declare -xr TMOUT=600\n");
  EXPECT_THAT(ids(findings()), Not(Contains("tmout-not-all-shells")));
  accounts("/usr/bin/fish");
  dir_.file("etc/shells", "# the shells\n/bin/bash\n/bin/dash\n/usr/bin/tcsh\n/usr/sbin/nologin\n");
  auto found = findings();
  EXPECT_THAT(find(found, "tmout-not-all-shells")->does, HasSubstr("fish (the shell of bob)"));
  EXPECT_EQ(severity(found, "tmout-not-in-offered-shells"), "info");
  EXPECT_THAT(find(found, "tmout-not-in-offered-shells")->does, HasSubstr("dash and tcsh"));
  accounts("/usr/bin/tcsh");
  found = findings();
  EXPECT_THAT(find(found, "tmout-not-all-shells")->fix, HasSubstr("set -r autologout=10"));
  dir_.file("etc/csh.login", "set -r autologout=10\n");
  found = findings();
  EXPECT_EQ(find(found, "tmout-not-all-shells"), nullptr);
  EXPECT_EQ(find(found, "tmout-not-readonly"), nullptr);
}

TEST_F(Lint, AUserWhoTakesTheLimitAway) {
  tmout("export TMOUT=600\n");
  const auto own = [&](const std::string& text) {
    const std::string file = dir_.file("home/bob/.profile", text);
    // Only files of bob or root are read.
    if (::geteuid() == 0) {
      EXPECT_EQ(::chown(file.c_str(), 1000, 1000), 0);
    }
  };
  if (::geteuid() != 0) {
    dir_.file("etc/passwd",
              "bob:x:" + std::to_string(::geteuid()) + ":1000::/home/bob:/bin/bash\n");
  }
  own("# mine\nunset TMOUT\n");
  auto found = findings();
  EXPECT_EQ(place(found, "tmout-user-loosens"), "/home/bob/.profile:2:7");
  EXPECT_EQ(severity(found, "tmout-user-loosens"), "warning");
  own("TMOUT=300\n");
  EXPECT_EQ(find(findings(), "tmout-user-loosens"), nullptr);
  tmout("declare -xr TMOUT=600\n");
  own("TMOUT=86400\n");
  found = findings();
  EXPECT_EQ(severity(found, "tmout-user-loosens"), "info");
  EXPECT_THAT(find(found, "tmout-user-loosens")->does, HasSubstr("refuses"));
}

TEST_F(Lint, Logind) {
  const auto logind = [&](const std::string& text) {
    dir_.file("etc/systemd/logind.conf", "[Login]\n" + text);
    return findings();
  };
  auto found = logind("StopIdleSessionSec=10min\n");
  EXPECT_EQ(place(found, "logind-file-time"), "/etc/systemd/logind.conf:2:1");
  EXPECT_EQ(find(found, "stop-idle-above-idle-action"), nullptr);
  found = logind("StopIdleSessionSec=2h\n");
  EXPECT_EQ(place(found, "stop-idle-above-idle-action"), "/etc/systemd/logind.conf:2:1");
  EXPECT_THAT(find(found, "stop-idle-above-idle-action")->does, HasSubstr("30m, the default"));
  dir_.file("etc/systemd/logind.conf.d/idle.conf", "[Login]\nIdleActionSec=3h\n");
  found = findings();
  EXPECT_EQ(find(found, "stop-idle-above-idle-action"), nullptr);
  dir_.file("etc/systemd/logind.conf.d/idle.conf", "[Login]\nIdleActionSec=infinity\n");
  EXPECT_EQ(find(findings(), "stop-idle-above-idle-action"), nullptr);
  dir_.file("etc/systemd/logind.conf.d/idle.conf", "[Login]\nStopIdleSessionSec=15min\n");
  found = findings();
  EXPECT_EQ(place(found, "logind-overruled"), "/etc/systemd/logind.conf:2:1");
  dir_.file("etc/systemd/logind.conf.d/idle.conf", "[Login]\n");
  found = logind("StopIdleSessionSec=soon\n");
  EXPECT_EQ(severity(found, "logind-invalid"), "error");
  EXPECT_EQ(find(found, "logind-overruled"), nullptr);
  found = logind("#StopIdleSessionSec=infinity\n");
  EXPECT_EQ(find(found, "logind-file-time"), nullptr);
}

TEST_F(Lint, SourcesThatContradictEachOther) {
  tmout("declare -xr TMOUT=900\n");
  auto found = sshd("ClientAliveInterval 10m\nClientAliveCountMax 1\n");
  EXPECT_EQ(place(found, "limits-contradict"), "/etc/profile.d/tmout.sh:1:13");
  EXPECT_THAT(find(found, "limits-contradict")->does, HasSubstr("sshd_config:1:1 says 10m"));
  tmout("declare -xr TMOUT=600\n");
  EXPECT_EQ(find(findings(), "limits-contradict"), nullptr);
  dir_.file(kPolicy, "[[rule]]\nlimit = \"15m\"\n");
  found = findings();
  EXPECT_EQ(find(found, "limits-contradict"), nullptr);
  EXPECT_EQ(severity(found, "rule-looser-than-host"), "warning");
}

TEST_F(Lint, ARuleByTheClientsName) {
  dir_.file(kPolicy,
            "mode = \"enforce\"\n[[rule]]\nname = \"kiosk\"\nmatch = { hosts = [\"*.kiosk\"] }\n"
            "limit = \"5m\"\n[[rule]]\nname = \"last\"\nlimit = \"10m\"\n");
  EXPECT_THAT(ids(findings()), ElementsAre("rule-never-matches"));
}

TEST_F(Lint, Rules) {
  dir_.file(kPolicy,
            "mode = \"enforce\"\n[[rule]]\nname = \"first\"\nmatch = { groups = [\"dev\"] }\n"
            "[[rule]]\nname = \"second\"\nmatch = { groups = [\"dev\"], kinds = [\"ssh\"] }\n"
            "limit = \"1h\"\n[[rule]]\nname = \"last\"\nlimit = \"10m\"\n");
  auto found = findings();
  EXPECT_THAT(ids(found), ElementsAre("rule-never-matches"));
  EXPECT_EQ(place(found, "rule-never-matches"), "/etc/idlewarden/idlewarden.toml:8:9");
  // Behind a rule for everybody the loader itself refuses it.
  dir_.file(kPolicy, "[[rule]]\nlimit = \"10m\"\n[[rule]]\nmatch = { users = [\"bob\"] }\n");
  found = findings();
  EXPECT_EQ(severity(found, "policy-refused"), "error");
  EXPECT_THAT(find(found, "policy-refused")->does, HasSubstr("can never match"));
  EXPECT_EQ(find(found, "mode-audit"), nullptr);
}

TEST_F(Lint, NamesThatNobodyHas) {
  dir_.file("etc/group", "root:x:0:\ndev:x:50:bob\n");
  dir_.file(kPolicy,
            "mode = \"enforce\"\n[[rule]]\nname = \"typo\"\nlimit = \"5m\"\n"
            "match.users = [\"bob\", \"bbo\", \"!alice\", \"svc-*\", \"1000\"]\n"
            "[[rule]]\nname = \"group\"\nlimit = \"6m\"\nmatch.groups = [\"dev\", \"devs\"]\n"
            "[[rule]]\nname = \"last\"\nlimit = \"10m\"\n");
  const auto found = findings();
  EXPECT_THAT(ids(found), ElementsAre("rule-unknown-user", "rule-unknown-group"));
  EXPECT_EQ(place(found, "rule-unknown-user"), "/etc/idlewarden/idlewarden.toml:4:9");
  EXPECT_EQ(severity(found, "rule-unknown-user"), "warning");
  EXPECT_EQ(find(found, "rule-unknown-user")->does,
            "Nothing for bbo and alice: rule \"typo\" asks for a user of that name, and this host "
            "has none.");
  EXPECT_THAT(find(found, "rule-unknown-group")->does, HasSubstr("Nothing for devs: "));
  // The tree's own files are not all that it goes by.
  dir_.file("etc/nsswitch.conf", "passwd:\t\tfiles sss # directory\ngroup: files systemd\n");
  EXPECT_THAT(ids(findings()), ElementsAre("rule-unknown-group"));
}

TEST_F(Lint, SecondsThatWereToBeMinutes) {
  dir_.file(kPolicy,
            "mode = \"enforce\"\n[[rule]]\nname = \"all\"\nlimit = 15\nmax_session = \"59s\"\n");
  auto found = findings();
  EXPECT_THAT(ids(found), ElementsAre("rule-limit-short", "rule-max-session-short"));
  EXPECT_EQ(place(found, "rule-limit-short"), "/etc/idlewarden/idlewarden.toml:4:9");
  EXPECT_EQ(found[0].severity, Severity::warning);
  EXPECT_EQ(found[0].does, "limit = 15 is 15 seconds.");
  EXPECT_EQ(found[0].fix, "Write \"15m\" for minutes.");
  EXPECT_EQ(found[1].does, "max_session = 59 is 59 seconds.");
  dir_.file(kPolicy,
            "mode = \"enforce\"\n[[rule]]\nname = \"all\"\nlimit = 60\nmax_session = \"1m\"\n");
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(Lint, ARuleForTheNightIsSeenByDay) {
  dir_.file(kPolicy,
            "mode = \"enforce\"\n[[rule]]\nname = \"night\"\nmatch = { hours = \"20:00-06:00\" }\n"
            "limit = \"derived\"\n[[rule]]\nname = \"day\"\nlimit = \"10m\"\n");
  EXPECT_THAT(ids(findings()), ElementsAre("no-limit", "no-limit", "no-limit"));
  dir_.file(kPolicy,
            "mode = \"enforce\"\n[[rule]]\nname = \"night\"\nmatch = { hours = \"20:00-06:00\" }\n"
            "limit = \"5m\"\n[[rule]]\nname = \"day\"\nlimit = \"10m\"\n");
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(Lint, TheGravestFirst) {
  const auto found = sshd("ClientAliveInterval 15\nChannelTimeout session=5m\n");
  EXPECT_TRUE(std::ranges::is_sorted(found, std::greater(), &LintFinding::severity));
  EXPECT_EQ(found.front().id, "channel-timeout-session");
}

}  // namespace
}  // namespace idlewarden

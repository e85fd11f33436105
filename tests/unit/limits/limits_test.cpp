// SPDX-License-Identifier: Apache-2.0
#include "limits/limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "limits/limits_host.h"
#include "support/far_tree.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using testing::Contains;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

constexpr const char* kSshd = "etc/ssh/sshd_config";
constexpr const char* kTmout = "etc/profile.d/tmout.sh";
constexpr const char* kProfile = "for f in /etc/profile.d/*.sh; do . \"$f\"; done\n";

class LimitsTest : public testing::Test {
 protected:
  Result<Limits> try_load(const std::string& policy = "") {
    policy_file_ = dir_.file("policy.toml", policy);
    return Limits::load(Root(dir_.path()), "/policy.toml");
  }
  Limits load(const std::string& policy = "") {
    auto limits = try_load(policy);
    EXPECT_TRUE(limits) << limits.error().text();
    return *std::move(limits);
  }
  void profile(const std::string& line) {
    dir_.file("etc/profile", kProfile);
    dir_.file(kTmout, line);
  }
  static Subject alice(Kind kind = Kind::ssh) {
    Subject subject;
    subject.user = "alice";
    subject.uid = 1000;
    subject.groups = {"users"};
    subject.home = "/home/alice";
    subject.shell = "/bin/bash";
    subject.kind = kind;
    subject.tty = "pts/3";
    subject.address = "10.0.0.7";
    return subject;
  }
  Verdict verdict(const std::string& policy = "", Kind kind = Kind::ssh) {
    return load(policy).resolve(alice(kind), WallTime{});
  }
  // The first source with this text in its reason.
  static const LimitSource* find(const Verdict& verdict, const std::string& reason) {
    for (const LimitSource& source : verdict.sources) {
      if (source.reason.find(reason) != std::string::npos) return &source;
    }
    return nullptr;
  }
  test::TempDir dir_;
  std::string policy_file_;
};

TEST_F(LimitsTest, NothingSaysAnything) {
  const Limits limits = load();
  const Verdict verdict = limits.resolve(alice(), WallTime{});
  EXPECT_FALSE(verdict.limit);
  EXPECT_FALSE(verdict.decided_by);
  EXPECT_FALSE(verdict.rule);
  EXPECT_EQ(verdict.used_source(), nullptr);
  EXPECT_EQ(verdict.mode, Mode::audit);
  EXPECT_EQ(verdict.grace, Seconds(5));
  EXPECT_THAT(verdict.messages.end, HasSubstr("{reason}"));
  EXPECT_THAT(limits.take_problems(), IsEmpty());  // a host without sshd is no fault
}

struct HowTo {
  const char* interval;
  const char* count_max;
  int seconds;
};

TEST_F(LimitsTest, ClientAliveAsTheAdministratorMeantIt) {
  for (const HowTo& how_to :
       {HowTo{"30", "2", 60}, HowTo{"5m", "2", 600}, HowTo{"10m", "0", 600}}) {
    dir_.file(kSshd, std::string("ClientAliveInterval ") + how_to.interval +
                         "\nClientAliveCountMax " + how_to.count_max + "\n");
    const Verdict got = verdict();
    EXPECT_EQ(got.limit, Seconds(how_to.seconds));
    EXPECT_EQ(got.decided_by, Origin::sshd_config);
    ASSERT_NE(got.used_source(), nullptr);
    EXPECT_EQ(got.used_source()->where.file, "/etc/ssh/sshd_config");
    EXPECT_EQ(got.used_source()->where.line, 1);
    EXPECT_EQ(got.used_source()->directive, "ClientAliveInterval");
  }
}

TEST_F(LimitsTest, TheStrictestDecidesAndTheOthersSayWhyNot) {
  profile("readonly TMOUT=300\n");
  EXPECT_EQ(verdict().limit, Seconds(300));
  EXPECT_EQ(verdict().decided_by, Origin::tmout);
  dir_.file(kSshd, "ClientAliveInterval 5m\nClientAliveCountMax 2\n");
  const Verdict tmout_wins = verdict();
  EXPECT_EQ(tmout_wins.limit, Seconds(300));
  EXPECT_EQ(tmout_wins.decided_by, Origin::tmout);
  EXPECT_EQ(tmout_wins.used_source()->where.file, "/etc/profile.d/tmout.sh");
  ASSERT_NE(find(tmout_wins, "300 s is stricter"), nullptr);
  EXPECT_EQ(find(tmout_wins, "300 s is stricter")->reason, "5m x 2; 300 s is stricter");
  profile("readonly TMOUT=900\n");
  const Verdict sshd_wins = verdict();
  EXPECT_EQ(sshd_wins.limit, Seconds(600));
  EXPECT_EQ(sshd_wins.decided_by, Origin::sshd_config);
  EXPECT_EQ(sshd_wins.used_source()->reason, "5m x 2");
  ASSERT_NE(find(sshd_wins, "600 s is stricter"), nullptr);
  EXPECT_EQ(find(sshd_wins, "600 s is stricter")->origin, Origin::tmout);
  EXPECT_EQ(find(sshd_wins, "600 s is stricter")->reason, "600 s is stricter");
  dir_.file("etc/systemd/logind.conf", "[Login]\nStopIdleSessionSec=5min\n");
  EXPECT_EQ(verdict().decided_by, Origin::logind);
  dir_.file("etc/systemd/logind.conf", "[Login]\nStopIdleSessionSec=10min\n");
  EXPECT_EQ(verdict().decided_by, Origin::sshd_config);
  EXPECT_NE(find(verdict(), "as strict as /etc/ssh/sshd_config:1"), nullptr);
}

TEST_F(LimitsTest, WhatIsOverruledIsShownAndNotUsed) {
  profile("TMOUT=60\nTMOUT=900\n");
  dir_.file("etc/systemd/logind.conf",
            "[Login]\nStopIdleSessionSec=50\nStopIdleSessionSec=20min\n");
  const Verdict got = verdict();
  EXPECT_EQ(got.limit, Seconds(900));
  for (const char* reason : {"60 s, overwritten by /etc/profile.d/tmout.sh:2",
                             "50 s, overwritten by /etc/systemd/logind.conf:3"}) {
    ASSERT_NE(find(got, reason), nullptr) << reason;
    EXPECT_FALSE(find(got, reason)->limit);
  }
  profile("if [ -e /etc/nope ]; then TMOUT=60; fi\n");
  EXPECT_EQ(verdict().limit, Seconds(1200));
}

TEST_F(LimitsTest, ALivenessProbeIsShownAndNotUsed) {
  dir_.file(kSshd, "ClientAliveInterval 15\nClientAliveCountMax 3\n");
  const Verdict probe = verdict();
  EXPECT_FALSE(probe.limit);
  EXPECT_FALSE(probe.decided_by);
  const LimitSource* const source = find(probe, "a liveness probe");
  ASSERT_NE(source, nullptr);
  EXPECT_EQ(source->limit, Seconds(45));
  EXPECT_FALSE(source->used);
  EXPECT_EQ(verdict("[derive]\nclient_alive_floor = \"45s\"\n").limit, Seconds(45));
}

TEST_F(LimitsTest, EachKindHasItsSources) {
  dir_.file(kSshd, "ClientAliveInterval 10m\nClientAliveCountMax 1\n");
  profile("TMOUT=500\n");
  dir_.file("etc/systemd/logind.conf", "[Login]\nStopIdleSessionSec=400\n");
  const auto origins = [&](Kind kind) {
    std::string names;
    for (const LimitSource& source : verdict("", kind).sources) {
      if (source.limit) names += std::string(to_string(source.origin)) + " ";
    }
    return names;
  };
  EXPECT_EQ(origins(Kind::ssh), "sshd_config tmout logind ");
  EXPECT_EQ(origins(Kind::ssh_nopty), "sshd_config ");
  EXPECT_EQ(origins(Kind::mosh), "tmout ");
  EXPECT_EQ(origins(Kind::dropbear), "tmout ");
  EXPECT_EQ(origins(Kind::telnet), "tmout logind ");
  EXPECT_EQ(origins(Kind::console), "tmout logind ");
  EXPECT_EQ(origins(Kind::serial), "tmout logind ");
}

TEST_F(LimitsTest, WhatAChannelWasAskedForAsChoosesItsTimeout) {
  dir_.file(kSshd, "ChannelTimeout session:command=5m session:subsystem:sftp=0\n");
  const Limits limits = load();
  Subject subject = alice(Kind::ssh_nopty);
  const auto limit_of = [&](Channel channel) {
    subject.channel = channel;
    return limits.resolve(subject, WallTime{}).limit;
  };
  EXPECT_EQ(limit_of(Channel::command), Seconds(300));
  EXPECT_EQ(limit_of(Channel::sftp), std::nullopt);
  EXPECT_EQ(limit_of(Channel::none), std::nullopt);
  EXPECT_EQ(limit_of(Channel::unknown), std::nullopt);
}

TEST_F(LimitsTest, SourcesCanBeSwitchedOff) {
  dir_.file(kSshd, "ClientAliveInterval 10m\n");
  profile("TMOUT=500\n");
  dir_.file("etc/systemd/logind.conf", "[Login]\nStopIdleSessionSec=400\n");
  EXPECT_EQ(verdict("[derive]\nlogind = false\n").limit, Seconds(500));
  EXPECT_EQ(verdict("[derive]\nlogind = false\ntmout = false\n").limit, Seconds(1800));
  EXPECT_THAT(verdict("[derive]\nlogind = false\ntmout = false\nsshd_config = false").sources,
              IsEmpty());
}

TEST_F(LimitsTest, TheFirstRuleThatMatchesDecides) {
  dir_.file(kSshd, "ClientAliveInterval 10m\nClientAliveCountMax 1\n");
  const Verdict got = verdict(R"(mode = "enforce"
[[rule]]
name = "bob"
match.users = ["bob"]
limit = "1m"
[[rule]]
name = "all"
limit = "15m"
action = "alert"
job_limit = "4h"
jobs = ["make"]
max_session = "12h"
kill_survivors = true
)");
  EXPECT_EQ(got.limit, Seconds(900));
  EXPECT_EQ(got.decided_by, Origin::rule);
  EXPECT_EQ(got.rule, "all");
  EXPECT_EQ(got.mode, Mode::enforce);
  EXPECT_EQ(got.action, Action::alert);
  EXPECT_EQ(got.job_limit, Seconds(14400));
  EXPECT_THAT(got.jobs, testing::ElementsAre("make"));
  EXPECT_EQ(got.max_session, Seconds(43200));
  EXPECT_TRUE(got.kill_survivors);
  ASSERT_NE(got.used_source(), nullptr);
  EXPECT_EQ(got.used_source()->where.line, 8);
  EXPECT_EQ(got.used_source()->text, "limit = \"15m\"");
  ASSERT_NE(find(got, "rule \"bob\" does not match: users"), nullptr);
  ASSERT_NE(find(got, "10m x 1; rule \"all\" decides"), nullptr);
}

TEST_F(LimitsTest, ARuleByTheClientsNameDecidesNothing) {
  dir_.file(kSshd,
            "UseDNS yes\nMatch Host kiosk.example.org\nClientAliveInterval 10m\n"
            "ClientAliveCountMax 1\n");
  const Limits limits =
      load("[[rule]]\nname = \"kiosk\"\nlimit = \"never\"\nmatch.hosts = [\"*.example.org\"]\n");
  Subject subject = alice();
  subject.host = "kiosk.example.org";
  const Verdict got = limits.resolve(subject, WallTime{});
  EXPECT_EQ(got.decided_by, Origin::sshd_config);  // its Match Host is another matter
  EXPECT_EQ(got.limit, Seconds(600));
  ASSERT_NE(find(got,
                 "rule \"kiosk\" does not match: it asks for the client's name, and no live "
                 "connection has one: use addresses"),
            nullptr);
}

TEST_F(LimitsTest, NoLimitWhileNobodyKnowsWhichRuleIsTheFirst) {
  Limits limits = load(
      "[[rule]]\nname = \"backup\"\nlimit = \"never\"\n"
      "match = { addresses = [\"10.0.0.0/8\"] }\n[[rule]]\nlimit = \"10m\"\n");
  Subject subject = alice();
  subject.address.clear();
  EXPECT_EQ(limits.resolve(subject, WallTime{}).limit, Seconds(600));
  subject.address_unknown = true;
  const Verdict got = limits.resolve(subject, WallTime{});
  EXPECT_EQ(got.limit, std::nullopt);
  ASSERT_NE(find(got,
                 "rule \"backup\" asks for the client's address, which is not known, so there "
                 "is no limit"),
            nullptr);
}

TEST_F(LimitsTest, NeverAndDerived) {
  dir_.file(kSshd, "ClientAliveInterval 10m\nClientAliveCountMax 1\n");
  const Verdict never = verdict("[[rule]]\nname = \"n\"\nlimit = \"never\"\n");
  EXPECT_FALSE(never.limit);
  EXPECT_EQ(never.decided_by, Origin::rule);
  EXPECT_EQ(never.used_source()->origin, Origin::rule);
  const Verdict derived = verdict("[[rule]]\nname = \"d\"\naction = \"alert\"\n");
  EXPECT_EQ(derived.limit, Seconds(600));
  EXPECT_EQ(derived.decided_by, Origin::sshd_config);
  EXPECT_EQ(derived.rule, "d");
  EXPECT_EQ(derived.action, Action::alert);
  EXPECT_NE(find(derived, "leaves it to what the host says"), nullptr);
}

TEST_F(LimitsTest, TheWarningIsNeverMoreThanHalf) {
  const auto warn = [&](const std::string& rule) {
    return verdict("warn = \"60s\"\n[[rule]]\n" + rule).warn;
  };
  EXPECT_EQ(warn("limit = \"10m\""), Seconds(60));
  EXPECT_EQ(warn("limit = \"10s\""), Seconds(5));
  EXPECT_EQ(warn("limit = \"1s\""), Seconds(0));
  EXPECT_EQ(warn("limit = \"10m\"\nmax_session = \"20s\""), Seconds(10));
  EXPECT_EQ(warn("limit = \"10m\"\njobs = [\"x\"]\njob_limit = \"30s\""), Seconds(15));
}

TEST_F(LimitsTest, ABrokenPolicyIsRefusedAndTheOldOneStays) {
  EXPECT_FALSE(try_load("mode = 1"));
  Limits limits = load("[[rule]]\nlimit = \"10m\"\n");
  dir_.file("policy.toml", "[[rule]]\nlimit = \"ten minutes\"\n");
  const auto reloaded = limits.reload();
  ASSERT_FALSE(reloaded);
  EXPECT_THAT(reloaded.error().text(), StartsWith("/policy.toml:2:9: rule: limit:"));
  EXPECT_EQ(limits.resolve(alice(), WallTime{}).limit, Seconds(600));
  dir_.file("policy.toml", "[[rule]]\nlimit = \"5m\"\n");
  ASSERT_TRUE(limits.reload());
  EXPECT_EQ(limits.resolve(alice(), WallTime{}).limit, Seconds(300));
}

TEST_F(LimitsTest, UseDnsThatIsTurnedOnInItsPlaceIsTakenOver) {
  const std::string rest =
      "ClientAliveInterval 10m\nClientAliveCountMax 1\nMatch Host *.ops\nClientAliveInterval 0\n";
  dir_.file(kSshd, "#UseDNS no\n" + rest);
  Limits limits = load("");
  Subject subject = alice();
  subject.host.clear();
  subject.address = "10.0.0.7";
  EXPECT_EQ(limits.resolve(subject, WallTime{}).limit, Seconds(600));
  dir_.file(kSshd, "UseDNS yes\n" + rest);
  ASSERT_TRUE(limits.reload());
  EXPECT_EQ(limits.resolve(subject, WallTime{}).limit, std::nullopt);
}

TEST_F(LimitsTest, APolicyThatVanishesStaysInForce) {
  const std::string file = dir_.file("etc/idlewarden/idlewarden.toml",
                                     "mode = \"enforce\"\n[[rule]]\nlimit = \"10m\"\n");
  const auto load_default = [&] { return Limits::load(Root(dir_.path()), kDefaultPolicyFile); };
  auto limits = load_default();
  ASSERT_TRUE(limits);
  std::filesystem::rename(file, file + ".old");
  const auto reloaded = limits->reload();
  ASSERT_FALSE(reloaded);
  EXPECT_THAT(reloaded.error().text(), HasSubstr("idlewarden.toml: is gone"));
  EXPECT_EQ(limits->policy().mode, Mode::enforce);
  EXPECT_EQ(limits->resolve(alice(), WallTime{}).limit, Seconds(600));
  EXPECT_EQ(load_default()->policy().mode, Mode::audit) << "at the start there need be none";
  std::filesystem::rename(file + ".old", file);
  EXPECT_TRUE(limits->reload());
}

TEST_F(LimitsTest, ABrokenDropInTakesNothingFromTheOthers) {
  dir_.file("etc/systemd/logind.conf", "[Login]\nStopIdleSessionSec=15min\n");
  const std::string broken = dir_.file("etc/systemd/logind.conf.d/99.conf", "[Login\n");
  Limits limits = load();
  EXPECT_EQ(limits.resolve(alice(), WallTime{}).limit, Seconds(900)) << "as with logind itself";
  EXPECT_THAT(limits.take_problems(), SizeIs(1));
  dir_.file("etc/systemd/logind.conf", "[Login]\nStopIdleSessionSec=30min\n");
  ASSERT_TRUE(limits.reload());
  EXPECT_EQ(limits.resolve(alice(), WallTime{}).limit, Seconds(900)) << "what was known is kept";
  std::filesystem::remove(broken);
  ASSERT_TRUE(limits.reload());
  EXPECT_EQ(limits.resolve(alice(), WallTime{}).limit, Seconds(1800));
}

TEST_F(LimitsTest, HostFilesAreReadAgainOnReloadOnly) {
  dir_.file(kSshd, "ClientAliveInterval 10m\nClientAliveCountMax 1\n");
  profile("TMOUT=900\n");
  dir_.file("etc/systemd/logind.conf", "[Login]\nStopIdleSessionSec=15min\n");
  Limits limits = load();
  EXPECT_EQ(limits.resolve(alice(), WallTime{}).limit, Seconds(600));
  dir_.file(kSshd, "ClientAliveInterval 5m\nClientAliveCountMax 1\n");
  EXPECT_EQ(limits.resolve(alice(), WallTime{}).limit, Seconds(600));
  ASSERT_TRUE(limits.reload());
  EXPECT_EQ(limits.resolve(alice(), WallTime{}).limit, Seconds(300));
  profile("TMOUT=200\n");
  ASSERT_TRUE(limits.reload());
  EXPECT_EQ(limits.resolve(alice(), WallTime{}).limit, Seconds(200));
  dir_.file("etc/systemd/logind.conf", "[Login]\nStopIdleSessionSec=100\n");
  ASSERT_TRUE(limits.reload());
  EXPECT_EQ(limits.resolve(alice(), WallTime{}).limit, Seconds(100));
}

TEST_F(LimitsTest, ABrokenSshdConfigKeepsTheLastGoodReading) {
  dir_.file(kSshd, "ClientAliveInterval 10m\nClientAliveCountMax 1\n");
  Limits limits = load();
  EXPECT_EQ(limits.resolve(alice(), WallTime{}).limit, Seconds(600));
  dir_.file(kSshd, "ClientAliveInterval ten\n");
  ASSERT_TRUE(limits.reload());
  EXPECT_THAT(limits.take_problems(), SizeIs(1));
  EXPECT_THAT(limits.take_problems(), IsEmpty());
  const Verdict kept = limits.resolve(alice(), WallTime{});
  EXPECT_EQ(kept.limit, Seconds(600));
  EXPECT_NE(find(kept, "the reading from before holds"), nullptr);
  std::filesystem::remove(dir_.path() + "/" + kSshd);  // it was there: now that is a problem
  ASSERT_TRUE(limits.reload());
  EXPECT_THAT(limits.take_problems(), SizeIs(1));
  EXPECT_EQ(limits.resolve(alice(), WallTime{}).limit, Seconds(600));
  dir_.file(kSshd, "# nothing\n");
  ASSERT_TRUE(limits.reload());
  EXPECT_THAT(limits.take_problems(), IsEmpty());
  EXPECT_FALSE(limits.resolve(alice(), WallTime{}).limit);
}

TEST_F(LimitsTest, WhatNeverCouldBeReadStandsAmongTheSources) {
  dir_.file(kSshd, "\nClientAliveInterval ten\n");
  profile("TMOUT=300\n");
  const Limits limits = load();
  const Verdict got = limits.resolve(alice(), WallTime{});
  EXPECT_EQ(got.decided_by, Origin::tmout);
  ASSERT_FALSE(got.sources.empty());
  const LimitSource& broken = got.sources.front();
  EXPECT_EQ(broken.origin, Origin::sshd_config);
  EXPECT_EQ(broken.where.line, 2);
  EXPECT_FALSE(broken.limit);
  EXPECT_FALSE(broken.reason.empty());
  EXPECT_THAT(limits.take_problems(), SizeIs(1));
}

TEST_F(LimitsTest, AnUnreadableShellFileKeepsWhatItSaid) {
  profile("TMOUT=300\n");
  Limits limits = load();
  EXPECT_EQ(limits.resolve(alice(), WallTime{}).limit, Seconds(300));
  std::filesystem::remove(dir_.path() + "/" + kTmout);
  std::filesystem::create_directory(dir_.path() + "/" + kTmout);
  ASSERT_TRUE(limits.reload());
  EXPECT_EQ(limits.resolve(alice(), WallTime{}).limit, Seconds(300));
  EXPECT_THAT(limits.take_problems(), SizeIs(1));
  std::filesystem::remove(dir_.path() + "/" + kTmout);
  ASSERT_TRUE(limits.reload());
  EXPECT_FALSE(limits.resolve(alice(), WallTime{}).limit);
}

TEST_F(LimitsTest, AShellFileThatIsFollowedInPartKeepsNothingFromBefore) {
  std::string deep = "{ {\n";
  for (int i = 0; i < 100; ++i) deep += ":\n";
  deep += "}";
  for (int i = 0; i < 99; ++i) deep += " && :";
  deep += "; }";
  for (int i = 0; i < 99; ++i) deep += " && :";
  dir_.file("etc/profile", "TMOUT=300\n" + deep + "\n");
  Limits limits = load();
  const auto sources = limits.resolve(alice(), WallTime{}).sources.size();
  EXPECT_GT(sources, 90U) << "each line that is not followed is one";
  for (std::size_t i = 0; i < 3; ++i) {
    dir_.file("etc/profile", "TMOUT=300\n" + deep + std::string(i, '\n'));
    ASSERT_TRUE(limits.reload());
    EXPECT_EQ(limits.resolve(alice(), WallTime{}).sources.size(), sources);
  }
  dir_.file("etc/profile", "TMOUT=600\n" + deep + "\n");
  ASSERT_TRUE(limits.reload());
  EXPECT_EQ(limits.resolve(alice(), WallTime{}).limit, Seconds(600));
}

TEST_F(LimitsTest, TheSshdsOfOneHostRuleTheirOwnSessions) {
  dir_.file(kSshd, "ClientAliveInterval 10m\nClientAliveCountMax 1\n");
  dir_.file("etc/ssh/other", "ClientAliveInterval 20m\nClientAliveCountMax 1\n");
  dir_.file("container/etc/ssh/sshd_config", "ClientAliveInterval 30m\nClientAliveCountMax 1\n");
  const Limits limits = load();
  Subject subject = alice();
  subject.sshd.config_file = "/etc/ssh/other";
  EXPECT_EQ(limits.resolve(subject, WallTime{}).limit, Seconds(1200));
  subject.sshd.options = {"ClientAliveInterval=5m"};
  EXPECT_EQ(limits.resolve(subject, WallTime{}).limit, Seconds(300));
  subject = alice();
  EXPECT_EQ(limits.resolve(subject, WallTime{}).limit, Seconds(600));
  subject.sshd.root = dir_.path() + "/container";
  EXPECT_EQ(limits.resolve(subject, WallTime{}).limit, Seconds(1800));
}

// A live session: of one sshd, which has read its files once or again.
Subject live(Subject subject, const std::string& session, const std::string& reading) {
  subject.session = session;
  subject.sshd.reading = reading;
  return subject;
}

TEST_F(LimitsTest, ASessionKeepsTheSshdConfigThatItWasAcceptedUnder) {
  dir_.file(kSshd, "ClientAliveInterval 10m\nClientAliveCountMax 1\n");
  Limits limits = load();
  const auto limit_of = [&](const std::string& session, const std::string& reading) {
    return limits.resolve(live(alice(), session, reading), WallTime{}).limit;
  };
  EXPECT_EQ(limit_of("old", "sshd-1"), Seconds(600));
  dir_.file(kSshd, "# tighter\nClientAliveInterval 5m\nClientAliveCountMax 1\n");
  ASSERT_TRUE(limits.reload());
  EXPECT_EQ(limit_of("old", "sshd-1"), Seconds(600));
  EXPECT_EQ(limit_of("between", "sshd-1"), Seconds(600)) << "sshd has not read it again";
  EXPECT_EQ(limits.resolve(alice(), WallTime{}).limit, Seconds(300)) << "the file as it is now";
  EXPECT_EQ(limit_of("new", "sshd-2"), Seconds(300));
  EXPECT_EQ(limit_of("old", "sshd-1"), Seconds(600));
  EXPECT_EQ(limit_of("unknown", ""), Seconds(300));

  const Verdict verdict = limits.resolve(live(alice(), "old", "sshd-1"), WallTime{});
  const LimitSource* used = verdict.used_source();
  ASSERT_NE(used, nullptr);
  EXPECT_EQ(used->text, "ClientAliveInterval 10m");
  EXPECT_NE(find(verdict, "the file has changed since"), nullptr);
  const LimitSource* now = find(verdict, "300 s, in the file now");
  ASSERT_NE(now, nullptr);
  EXPECT_FALSE(now->used);
  EXPECT_EQ(now->where.line, 2);
}

TEST_F(LimitsTest, AnSshdKeepsWhatItHasReadThoughNobodyLoggedInYet) {
  dir_.file(kSshd, "ClientAliveInterval 10m\nClientAliveCountMax 1\n");
  Limits limits = load();
  AcceptingSshd listener;
  listener.reading = "sshd-1";
  limits.learn(listener);
  dir_.file(kSshd, "ClientAliveInterval 5m\nClientAliveCountMax 1\n");
  ASSERT_TRUE(limits.reload());
  limits.learn(listener);
  EXPECT_EQ(limits.resolve(live(alice(), "one", "sshd-1"), WallTime{}).limit, Seconds(600));
  EXPECT_EQ(limits.resolve(live(alice(), "two", "sshd-2"), WallTime{}).limit, Seconds(300));
}

TEST_F(LimitsTest, OfAnSshdWhoseFileCannotBeUsedNothingIsLearned) {
  dir_.file(kSshd, "ClientAliveInterval five\n");
  Limits limits = load();
  AcceptingSshd listener;
  listener.reading = "sshd-1";
  limits.learn(listener);
  const std::uint64_t before = limits.readings();
  limits.learn(listener);
  EXPECT_EQ(limits.readings(), before);
  dir_.file(kSshd, "ClientAliveInterval 5m\nClientAliveCountMax 1\n");
  ASSERT_TRUE(limits.reload());
  EXPECT_EQ(limits.resolve(live(alice(), "one", "sshd-1"), WallTime{}).limit, Seconds(300));
}

TEST_F(LimitsTest, AnSshdThatRunsWithoutItsFileIsAProblem) {
  AcceptingSshd listener;
  Limits limits = load();
  EXPECT_FALSE(limits.resolve(alice(), WallTime{}).limit);
  EXPECT_THAT(limits.take_problems(), IsEmpty());  // no sshd here
  limits.resolve(live(alice(), "one", ""), WallTime{});
  EXPECT_THAT(limits.take_problems(), IsEmpty());  // which file it has is not known
  limits.resolve(live(alice(), "two", "sshd-1"), WallTime{});
  EXPECT_THAT(limits.take_problems(), SizeIs(1));
  ASSERT_TRUE(limits.reload());
  EXPECT_THAT(limits.take_problems(), SizeIs(1));  // and as long as it lasts
  listener.config_file = "/srv/sshd_config";       // sshd -f
  listener.reading = "sshd-2";
  limits.learn(listener);
  auto problems = limits.take_problems();
  ASSERT_THAT(problems, SizeIs(1));
  EXPECT_EQ(problems.front().where.file, "/srv/sshd_config");
  EXPECT_THAT(limits.files(), Contains(EndsWith("/srv/sshd_config")));
  dir_.file("srv/sshd_config", "ClientAliveInterval 5m\nClientAliveCountMax 1\n");
  dir_.file(kSshd, "");
  ASSERT_TRUE(limits.reload());
  EXPECT_THAT(limits.take_problems(), IsEmpty());
  // One that was mended before anybody asked is no problem any more.
  listener.config_file = "/srv/late_config";
  limits.learn(listener);
  dir_.file("srv/late_config", "");
  ASSERT_TRUE(limits.reload());
  EXPECT_THAT(limits.take_problems(), IsEmpty());
  // Of a container that has gone.
  listener.root = dir_.path() + "/gone";
  limits.learn(listener);
  EXPECT_THAT(limits.take_problems(), IsEmpty());
}

TEST_F(LimitsTest, WhatSshdReadAgainIsTakenBeforeItsChangeWasNoticed) {
  dir_.file(kSshd, "ClientAliveInterval 10m\nClientAliveCountMax 1\n");
  const Limits limits = load();
  limits.resolve(live(alice(), "old", "sshd-1"), WallTime{});
  dir_.file(kSshd, "ClientAliveInterval 5m\nClientAliveCountMax 1\n");
  EXPECT_EQ(limits.resolve(live(alice(), "new", "sshd-2"), WallTime{}).limit, Seconds(300));
  EXPECT_EQ(limits.resolve(live(alice(), "old", "sshd-1"), WallTime{}).limit, Seconds(600));
}

TEST_F(LimitsTest, ALineThatOnlyMovedIsShownWhereItIs) {
  dir_.file(kSshd, "ClientAliveInterval 10m\nClientAliveCountMax 1\n");
  Limits limits = load();
  const Subject subject = live(alice(), "one", "sshd-1");
  limits.resolve(subject, WallTime{});
  dir_.file(kSshd, "# a remark\n\nClientAliveInterval 10m\nClientAliveCountMax 1\n");
  ASSERT_TRUE(limits.reload());
  const Verdict verdict = limits.resolve(subject, WallTime{});
  ASSERT_NE(verdict.used_source(), nullptr);
  EXPECT_EQ(verdict.used_source()->where.line, 3);
  EXPECT_EQ(find(verdict, "the file has changed since"), nullptr);
}

TEST_F(LimitsTest, AShellKeepsTheTmoutOfItsLogin) {
  profile("TMOUT=900\n");
  Limits limits = load();
  const auto limit_of = [&](const std::string& session) {
    return limits.resolve(live(alice(), session, "sshd-1"), WallTime{}).limit;
  };
  EXPECT_EQ(limit_of("old"), Seconds(900));
  profile("TMOUT=300 # tighter\n");
  EXPECT_EQ(limit_of("old"), Seconds(900));
  EXPECT_EQ(limit_of("new"), Seconds(300)) << "a login reads the files as they are";
  ASSERT_TRUE(limits.reload());
  EXPECT_EQ(limit_of("old"), Seconds(900));
  EXPECT_NE(find(limits.resolve(live(alice(), "old", ""), WallTime{}), "300 s, in the file now"),
            nullptr);
  Session ended;
  limits.forget(ended);  // another one: nothing changes
  EXPECT_EQ(limit_of("old"), Seconds(900));
}

TEST_F(LimitsTest, TmoutOfSomeIsTheirsAlone) {
  const Limits limits = load();
  const auto limit_of = [&](const Subject& subject) {
    return limits.resolve(subject, WallTime{}).limit;
  };
  profile("case $USER in kiosk) TMOUT=300 ;; esac\nid -nG | grep -qw contractors && TMOUT=200\n");
  EXPECT_FALSE(limit_of(alice()));
  Subject kiosk = alice();
  kiosk.user = "kiosk";
  EXPECT_EQ(limit_of(kiosk), Seconds(300));
  // The same uid, and asked after the others.
  Subject contractor = live(alice(), "one", "sshd-1");
  contractor.groups.emplace_back("contractors");
  EXPECT_EQ(limit_of(contractor), Seconds(200));
  contractor.groups.pop_back();
  EXPECT_EQ(limit_of(contractor), Seconds(200)) << "as it was at login";
  EXPECT_FALSE(limit_of(live(alice(), "two", "sshd-1")));
  // One of whom nothing is known but a number may be any of them.
  Subject nobody = alice();
  nobody.user = "1000";
  nobody.groups = {"4294967295"};
  EXPECT_EQ(limit_of(nobody), Seconds(200));
}

TEST_F(LimitsTest, TmoutBySshIsNotThatOfTheConsole) {
  profile("[ -n \"$SSH_CONNECTION\" ] && TMOUT=300\n");
  const Limits limits = load();
  const auto source_of = [&](Kind kind) -> std::string {
    const Verdict verdict = limits.resolve(alice(kind), WallTime{});
    if (!verdict.limit) return "none";
    return verdict.used_source()->conditional ? "conditional" : "certain";
  };
  for (const Kind kind : {Kind::ssh, Kind::console, Kind::ssh}) {
    EXPECT_EQ(source_of(kind), kind == Kind::ssh ? "certain" : "none");
  }
  EXPECT_EQ(source_of(Kind::serial), "none");
  for (const Kind kind : {Kind::mosh, Kind::dropbear, Kind::telnet}) {
    EXPECT_EQ(source_of(kind), "conditional") << to_string(kind);
  }
}

TEST_F(LimitsTest, PolicyAndLogindHoldForRunningSessions) {
  dir_.file("etc/systemd/logind.conf", "[Login]\nStopIdleSessionSec=15min\n");
  Limits limits = load();
  const Subject subject = live(alice(), "one", "sshd-1");
  EXPECT_EQ(limits.resolve(subject, WallTime{}).limit, Seconds(900));
  dir_.file("etc/systemd/logind.conf", "[Login]\nStopIdleSessionSec=10min\n");
  ASSERT_TRUE(limits.reload());
  EXPECT_EQ(limits.resolve(subject, WallTime{}).limit, Seconds(600));
  dir_.file("policy.toml", "[[rule]]\nlimit = \"5m\"\n");
  ASSERT_TRUE(limits.reload());
  EXPECT_EQ(limits.resolve(subject, WallTime{}).limit, Seconds(300));
}

TEST_F(LimitsTest, ABrokenPolicyKeepsNothingElseFromBeingRead) {
  dir_.file(kSshd, "ClientAliveInterval 10m\nClientAliveCountMax 1\n");
  Limits limits = load();
  EXPECT_EQ(limits.resolve(alice(), WallTime{}).limit, Seconds(600));
  dir_.file("policies.d/bad.toml", "mode = 1\n");
  dir_.file(kSshd, "ClientAliveInterval 5m\nClientAliveCountMax 1\n");
  EXPECT_FALSE(limits.reload());
  EXPECT_EQ(limits.resolve(alice(), WallTime{}).limit, Seconds(300));
  EXPECT_THAT(limits.files(), Contains(dir_.path() + "/policies.d/bad.toml"));
}

TEST_F(LimitsTest, UsersOwnFilesAreNotWatched) {
  dir_.file("home/alice/.bash_profile", "TMOUT=60\n");
  Limits limits = load();
  const std::uint64_t before = limits.readings();
  limits.resolve(alice(), WallTime{});
  EXPECT_GT(limits.readings(), before);
  EXPECT_THAT(limits.files(), testing::Each(testing::Not(testing::HasSubstr("/home/alice/"))));
}

TEST_F(LimitsTest, WhatUsersOwnFilesNameIsNeitherWatchedNorComplainedOf) {
  dir_.file("home/alice/.bash_profile", ". /srv/folder\n. /srv/alice\n");
  dir_.file("srv/folder/x", "");
  dir_.file("srv/alice", "TMOUT=60\n");
  Limits limits = load();
  limits.resolve(alice(), WallTime{});
  EXPECT_THAT(limits.take_problems(), IsEmpty());
  EXPECT_THAT(limits.files(), testing::Each(testing::Not(testing::HasSubstr("/srv/"))));
}

TEST_F(LimitsTest, NamesEveryFileToWatch) {
  dir_.file(kSshd, "Include /etc/ssh/more.conf\n");
  dir_.file("etc/ssh/more.conf", "");
  const Limits limits = load();
  const std::string root = dir_.path();
  EXPECT_THAT(limits.files(), Contains(root + "/policy.toml"));
  EXPECT_THAT(limits.files(), Contains(root + "/policies.d"));
  limits.resolve(alice(), WallTime{});
  EXPECT_THAT(limits.files(), Contains(root + "/etc/ssh/sshd_config"));
  EXPECT_THAT(limits.files(), Contains(root + "/etc/ssh/more.conf"));
  EXPECT_THAT(limits.files(), Contains(root + "/etc/profile"));
  EXPECT_THAT(limits.files(), Contains(root + "/etc/systemd/logind.conf"));
}

TEST(RecentMapTest, ForgetsWhatWasNotAskedForLongest) {
  RecentMap<int, std::string> map(3);
  map[1] = "one";
  map[2] = "two";
  map[3] = "three";
  EXPECT_EQ(map[1], "one");
  map[4] = "four";  // 2 goes
  EXPECT_EQ(map[1], "one");
  EXPECT_EQ(map[3], "three");
  EXPECT_EQ(map[2], "");
  map.erase_if([](int key) { return key == 3; });
  int count = 0;
  map.for_each([&](int, const std::string&) { ++count; });
  EXPECT_EQ(count, 2);
}

// Of a container: what was known holds until it answers again.
TEST_F(LimitsTest, ATreeThatDoesNotAnswerHoldsNobodyUp) {
  test::FarTree far;
  if (!far.why_not().empty()) GTEST_SKIP() << far.why_not();
  far.file(kSshd, "ClientAliveInterval 5m\nClientAliveCountMax 1\n");
  dir_.file(kSshd, "ClientAliveInterval 15m\nClientAliveCountMax 1\n");
  Subject inside = alice();
  inside.sshd.root = far.root();
  Limits limits = load();
  EXPECT_EQ(limits.resolve(inside, WallTime{}).limit, Seconds(300));
  far.stall("etc");
  if (!far.why_not().empty()) GTEST_SKIP() << far.why_not();
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(limits.reload());
  EXPECT_EQ(limits.resolve(inside, WallTime{}).limit, Seconds(300));
  EXPECT_EQ(limits.resolve(alice(), WallTime{}).limit, Seconds(900));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, Seconds(5));
  const auto unread = limits.take_shortage();
  ASSERT_TRUE(unread);
  EXPECT_EQ(unread->code, ETIMEDOUT) << unread->text();
  EXPECT_THAT(limits.take_problems(), IsEmpty());
}

// What was read at login holds; what could not be read then may only be added.
TEST_F(LimitsTest, AHomeWhoseServerIsGoneSettlesNothing) {
  test::FarTree far;
  if (!far.why_not().empty()) GTEST_SKIP() << far.why_not();
  far.file("etc/profile", "TMOUT=3600\n");
  far.file("home/alice/.bash_profile", "TMOUT=600\n");
  Subject inside = alice();
  inside.sshd.root = far.root();
  Limits limits = load();
  const auto limit_of = [&](const std::string& session) {
    return limits.resolve(live(inside, session, ""), WallTime{}).limit;
  };
  far.break_off("home");
  if (!far.why_not().empty()) GTEST_SKIP() << far.why_not();
  EXPECT_EQ(limit_of("one"), Seconds(3600));
  far.recover();
  EXPECT_EQ(limit_of("one"), Seconds(600));
  far.file("home/alice/.bash_profile", "");
  far.break_off("home");
  EXPECT_EQ(limit_of("two"), Seconds(600)) << "the reading from before";
  far.file("etc/profile", "TMOUT=300\n");
  ASSERT_TRUE(limits.reload());
  EXPECT_EQ(limit_of("two"), Seconds(600)) << "as it was at login";
  EXPECT_EQ(limit_of("three"), Seconds(300));
  far.recover();
  ASSERT_TRUE(limits.reload());
  EXPECT_EQ(limit_of("one"), Seconds(600));
  EXPECT_EQ(limit_of("two"), Seconds(600));
}

// What the administrator's files ask about a home that hangs is neither answered nor settled.
TEST_F(LimitsTest, WhatIsAskedAboutAHomeThatHangsIsInDoubt) {
  test::FarTree far;
  if (!far.why_not().empty()) GTEST_SKIP() << far.why_not();
  far.file("etc/profile",
           "case \"$HOME\" in /home/*) ;; *) TMOUT=300 ;; esac\n"
           "[ -e \"$HOME/.no_tmout\" ] || TMOUT=900\n");
  far.file("home/alice/.no_tmout", "");
  far.file("home/alice/.bash_profile", "TMOUT=1200\n");
  Subject inside = alice();
  inside.sshd.root = far.root();
  Limits limits = load();
  const auto verdict_of = [&](const std::string& session) {
    return limits.resolve(live(inside, session, ""), WallTime{});
  };
  far.stall("home");
  if (!far.why_not().empty()) GTEST_SKIP() << far.why_not();
  const Verdict hung = verdict_of("one");
  EXPECT_EQ(hung.limit, std::nullopt) << "alice may be exempt";
  EXPECT_THAT(hung.sources,
              testing::Contains(testing::Field(
                  &LimitSource::reason, HasSubstr("900 s, no limit: a file in /home/alice"))));
  for (const std::string& file : limits.files()) {
    EXPECT_THAT(file, testing::Not(HasSubstr("/home/"))) << "whoever watches it would hang";
  }
  far.recover();
  // It is not asked again at once.
  const auto becomes = [&](const std::string& session, Seconds limit) {
    for (int i = 0; i < 60 && verdict_of(session).limit != limit; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
    return verdict_of(session).limit == limit;
  };
  EXPECT_TRUE(becomes("one", Seconds(1200)));
  far.file("etc/profile", "TMOUT=3600\n");
  far.file("home/alice/.bash_profile", "");
  EXPECT_EQ(verdict_of("one").limit, Seconds(1200)) << "as it was at login";

  // What was known before it hangs is of no login from then on.
  far.stall("home");
  if (!far.why_not().empty()) GTEST_SKIP() << far.why_not();
  EXPECT_EQ(verdict_of("two").limit, Seconds(3600));
  ASSERT_TRUE(limits.reload());
  const Verdict later = verdict_of("three");
  EXPECT_EQ(later.limit, Seconds(1200));
  ASSERT_NE(later.used_source(), nullptr);
  EXPECT_TRUE(later.used_source()->conditional);
  EXPECT_THAT(later.sources, testing::Contains(testing::Field(&LimitSource::limit, Seconds(3600))));
  far.recover();
  EXPECT_TRUE(becomes("two", Seconds(3600)));
  EXPECT_TRUE(becomes("three", Seconds(3600)));
  EXPECT_EQ(verdict_of("one").limit, Seconds(1200));

  // Nor are the host's files of a later day, whatever the home says when it answers.
  far.stall("home");
  if (!far.why_not().empty()) GTEST_SKIP() << far.why_not();
  EXPECT_EQ(verdict_of("four").limit, Seconds(3600));
  far.file("etc/profile", "TMOUT=300\n");
  far.recover();
  EXPECT_TRUE(becomes("five", Seconds(300)));
  EXPECT_EQ(verdict_of("four").limit, Seconds(3600));

  // Who turns out to be none of the exempt has the limit of the login.
  far.file("etc/profile", "[ -e \"$HOME/.exempt\" ] || TMOUT=900\n");
  ASSERT_TRUE(limits.reload());
  inside.home = "/home/./alice";  // that is known to nobody yet
  far.stall("home");
  if (!far.why_not().empty()) GTEST_SKIP() << far.why_not();
  EXPECT_EQ(verdict_of("six").limit, std::nullopt);
  far.recover();
  EXPECT_TRUE(becomes("six", Seconds(900)));
}

// The files of a later day are of no login while its home hangs, nor when it answers.
TEST_F(LimitsTest, WhatIsInDoubtAtALoginIsOfThatLoginAlone) {
  test::FarTree far;
  if (!far.why_not().empty()) GTEST_SKIP() << far.why_not();
  Subject inside = alice();
  inside.sshd.root = far.root();
  far.file("home/alice/.bash_profile", "");
  Limits limits = load();
  const auto limit_of = [&](const std::string& session) {
    return limits.resolve(live(inside, session, ""), WallTime{}).limit;
  };
  far.stall("home");
  if (!far.why_not().empty()) GTEST_SKIP() << far.why_not();
  far.file("etc/profile", "[ -e \"$HOME/.exempt\" ] || TMOUT=900\n");
  EXPECT_EQ(limit_of("doubtful"), std::nullopt);
  far.file("etc/profile", "TMOUT=300\nunset TMOUT\n");
  ASSERT_TRUE(limits.reload());
  EXPECT_EQ(limit_of("unset"), std::nullopt);
  // Whatever the condition comes to there is a limit.
  far.file("etc/profile", "TMOUT=600; [ -e \"$HOME/.short\" ] && TMOUT=60\n");
  ASSERT_TRUE(limits.reload());
  EXPECT_EQ(limit_of("either"), Seconds(600));
  far.file("etc/profile", "[ -e \"$HOME/.exempt\" ] || TMOUT=300\n");
  ASSERT_TRUE(limits.reload());
  const auto expect_as_at_login = [&] {
    EXPECT_EQ(limit_of("doubtful"), std::nullopt);
    EXPECT_EQ(limit_of("unset"), std::nullopt);
    EXPECT_EQ(limit_of("either"), Seconds(600));
  };
  expect_as_at_login();
  far.recover();
  for (int i = 0; i < 60 && limit_of("new") != Seconds(300); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  EXPECT_EQ(limit_of("new"), Seconds(300));
  expect_as_at_login();
}

// Who makes it slow on purpose gets little of the time.
TEST_F(LimitsTest, AHomeThatHungIsWaitedForLess) {
  test::FarTree far;
  if (!far.why_not().empty()) GTEST_SKIP() << far.why_not();
  far.file("etc/profile", "TMOUT=600\n");
  far.file("home/alice/.bash_profile", "TMOUT=300\n");
  Subject inside = alice();
  inside.sshd.root = far.root();
  Limits limits = load();
  const auto limit_of = [&](const std::string& session) {
    return limits.resolve(live(inside, session, ""), WallTime{}).limit;
  };
  EXPECT_EQ(limit_of("zero"), Seconds(300));
  far.file("home/alice/.bash_profile", "");
  const auto begin = std::chrono::steady_clock::now();
  std::chrono::steady_clock::duration longest{0};
  std::chrono::steady_clock::duration all{0};
  for (bool first = true; std::chrono::steady_clock::now() - begin < Seconds(16); first = false) {
    far.stall("home");
    if (!far.why_not().empty()) GTEST_SKIP() << far.why_not();
    const auto asked = std::chrono::steady_clock::now();
    EXPECT_EQ(limit_of("one"), Seconds(600)) << "what the host says alone";
    if (!first) longest = std::max(longest, std::chrono::steady_clock::now() - asked);
    all += std::chrono::steady_clock::now() - asked;
    far.recover();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_GT(longest, std::chrono::milliseconds(200)) << "it is asked again";
  EXPECT_LT(longest, std::chrono::milliseconds(800));
  EXPECT_LT(all, Seconds(5));
  EXPECT_EQ(limit_of("zero"), Seconds(300));
}

TEST_F(LimitsTest, AHomeMayBeSpeltInManyWays) {
  profile("TMOUT=3600; . /home/alice/tmout\n");
  dir_.file("home/alice/tmout", "TMOUT=0\n");
  dir_.file("home/alice/.bash_profile/x", "");  // a problem, and none of the host's
  for (const char* home : {"/home/alice", "/home/alice/", "/home/alice/./", "/home//alice"}) {
    const Limits limits = load();
    Subject subject = alice();
    subject.home = home;
    EXPECT_EQ(limits.resolve(subject, WallTime{}).limit, Seconds(3600)) << home;
    EXPECT_THAT(limits.take_problems(), IsEmpty()) << home;
    EXPECT_THAT(limits.files(), testing::Each(testing::Not(HasSubstr("alice")))) << home;
  }
}

// What an sshd has read that cannot be read now is not what was read before.
TEST_F(LimitsTest, WhatDoesNotAnswerSettlesNothing) {
  test::FarTree far;
  if (!far.why_not().empty()) GTEST_SKIP() << far.why_not();
  far.file(kSshd, "ClientAliveInterval 5m\nClientAliveCountMax 1\n");
  Subject inside = alice();
  inside.sshd.root = far.root();
  Limits limits = load();
  EXPECT_EQ(limits.resolve(live(inside, "one", "sshd-1"), WallTime{}).limit, Seconds(300));
  far.file(kSshd, "ClientAliveInterval 15m\nClientAliveCountMax 1\n");
  far.stall("etc");
  if (!far.why_not().empty()) GTEST_SKIP() << far.why_not();
  limits.resolve(live(inside, "two", "sshd-2"), WallTime{});
  EXPECT_TRUE(limits.take_shortage());
  far.recover();
  const auto two = [&] { return limits.resolve(live(inside, "two", "sshd-2"), WallTime{}).limit; };
  // It is not asked again at once.
  for (int i = 0; i < 60 && two() != Seconds(900); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  EXPECT_EQ(two(), Seconds(900));
  EXPECT_EQ(limits.resolve(live(inside, "one", "sshd-1"), WallTime{}).limit, Seconds(300));
}

}  // namespace
}  // namespace idlewarden

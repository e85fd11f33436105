// SPDX-License-Identifier: Apache-2.0
#include "limits/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "limits/policy_values.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Result<Policy> load(const std::string& text) {
  const test::TempDir dir;
  return load_policy(Root(dir.path()), dir.file("p.toml", text).substr(dir.path().size()));
}

std::string error_of(const std::string& text) {
  const auto policy = load(text);
  return policy ? "loaded" : policy.error().text();
}

TEST(Policy, EveryKeyOfTheDesign) {
  const auto policy = load(R"(
mode = "enforce"
warn = "2m"
grace = 7
activity = "input+output"
ignore_terminal_replies = false
max_terminations_per_minute = 6
messages = { warn = "w {user}\n", end = "e {limit}\r\n" }
[derive]
sshd_config = false
tmout = false
logind = false
client_alive_floor = "5s"
[kernel]
backend = "sampler"
[metrics]
listen = "[::1]:9999"
per_session = true
page = "token"
token_file = "/etc/idlewarden/token"
[sessions]
hosts = ["/opt/ssh/sshd"]
[hooks]
events = ["terminated", "held"]
timeout = "1m"
[[rule]]
name = "contractors"
match = { users = ["c-*"], groups = ["contractors"], addresses = ["10.0.0.0/8", "!10.1.0.0/16"], ttys = ["pts/*"], kinds = ["ssh", "ssh-nopty"], hours = "Mo-Fr 08:00-18:00" }
limit = "10m"
action = "alert"
job_limit = "4h"
jobs = ["rsync", "ansible-playbook"]
max_session = "12h"
kill_survivors = true
[[rule]]
limit = "never"
match.hours = ["Sa", "Su 08:00-10:00"]
[[rule]]
name = "rest"
)");
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_EQ(policy->mode, Mode::enforce);
  EXPECT_EQ(policy->warn, Seconds(120));
  EXPECT_EQ(policy->grace, Seconds(7));
  EXPECT_TRUE(policy->output_counts);
  EXPECT_FALSE(policy->ignore_terminal_replies);
  EXPECT_EQ(policy->max_terminations_per_minute, 6);
  EXPECT_EQ(policy->messages.warn, "w {user}\r\n");
  EXPECT_EQ(policy->messages.end, "e {limit}\r\n");
  EXPECT_FALSE(policy->derive_sshd_config || policy->derive_tmout || policy->derive_logind);
  EXPECT_EQ(policy->client_alive_floor, Seconds(5));
  EXPECT_EQ(policy->backend, Backend::sampler);
  EXPECT_EQ(policy->metrics_listen, "[::1]:9999");
  EXPECT_TRUE(policy->metrics_per_session);
  EXPECT_EQ(policy->metrics_page, StatusPage::token);
  EXPECT_EQ(policy->metrics_token_file, "/etc/idlewarden/token");
  EXPECT_THAT(policy->host_executables, ElementsAre("/opt/ssh/sshd"));
  EXPECT_THAT(policy->hooks.events, ElementsAre(EventType::terminated, EventType::held));
  EXPECT_EQ(policy->hooks.timeout, Seconds(60));
  ASSERT_EQ(policy->rules.size(), 3U);
  const Rule& rule = policy->rules[0];
  EXPECT_EQ(rule.name, "contractors");
  EXPECT_THAT(rule.match.users, ElementsAre("c-*"));
  EXPECT_THAT(rule.match.groups, ElementsAre("contractors"));
  EXPECT_THAT(rule.match.addresses, ElementsAre("10.0.0.0/8", "!10.1.0.0/16"));
  EXPECT_THAT(rule.match.ttys, ElementsAre("pts/*"));
  EXPECT_THAT(rule.match.kinds, ElementsAre(Kind::ssh, Kind::ssh_nopty));
  ASSERT_EQ(rule.match.hours.size(), 1U);
  EXPECT_EQ(rule.limit, RuleLimit(Seconds(600)));
  EXPECT_EQ(rule.action, Action::alert);
  EXPECT_EQ(rule.job_limit, Seconds(14400));
  EXPECT_THAT(rule.jobs, ElementsAre("rsync", "ansible-playboo"));  // as the kernel cuts it
  EXPECT_EQ(rule.max_session, Seconds(43200));
  EXPECT_TRUE(rule.kill_survivors);
  EXPECT_EQ(rule.where.line, 29);
  EXPECT_EQ(rule.text, "limit = \"10m\"");
  EXPECT_EQ(policy->rules[1].name, "rule 2");
  EXPECT_EQ(policy->rules[1].limit, RuleLimit(Never{}));
  EXPECT_EQ(policy->rules[1].match.hours.size(), 2U);
  EXPECT_EQ(policy->rules[2].limit, RuleLimit(Derived{}));
  EXPECT_EQ(policy->rules[2].where.line, 38);
  EXPECT_EQ(policy->rules[2].text, "[[rule]]");
}

TEST(Policy, AnEmptyFileIsTheDefaults) {
  const auto policy = load("");
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_EQ(policy->mode, Mode::audit);
  EXPECT_EQ(policy->warn, Seconds(60));
  EXPECT_EQ(policy->metrics_listen, "127.0.0.1:9477");
  EXPECT_EQ(policy->metrics_page, StatusPage::loopback);
  EXPECT_EQ(policy->metrics_token_file, "");
  EXPECT_FALSE(policy->backend);
  EXPECT_TRUE(policy->rules.empty());
  EXPECT_THAT(policy->messages.warn, HasSubstr("{left}"));
  for (const std::string& message : {policy->messages.warn, policy->messages.end}) {
    EXPECT_TRUE(check_message(message)) << message;
    EXPECT_EQ(with_crlf(message), message);
  }
}

TEST(Policy, ThePageIsShownToSomebodyOrToNobody) {
  for (const char* good : {"page = \"loopback\"", "page = \"off\"", "token_file = \"/t\"",
                           "page = \"token\"\ntoken_file = \"/t\""}) {
    EXPECT_TRUE(load("[metrics]\n" + std::string(good) + "\n")) << good;
  }
  EXPECT_EQ(
      error_of("[metrics]\npage = \"on\"\n"),
      "/p.toml:2:8: metrics: page: unknown value \"on\" (one of \"loopback\", \"token\", \"off\")");
  EXPECT_EQ(error_of("[metrics]\npage = \"token\"\n"),
            "/p.toml:2:8: [metrics] page = \"token\", but there is no token (add token_file = "
            "\"/etc/idlewarden/token\")");
  EXPECT_EQ(error_of("[metrics]\ntoken_file = \"token\"\n"),
            "/p.toml:2:14: metrics: token_file: \"token\" is not an absolute path (write "
            "\"/etc/idlewarden/token\")");
}

TEST(Policy, ErrorsNameThePlaceAndTheRemedy) {
  EXPECT_EQ(error_of("\ngracee = \"5s\"\n"),
            "/p.toml:2:1: unknown key \"gracee\" (did you mean \"grace\"?)");
  EXPECT_EQ(error_of("warn = \"5x\"\n"),
            "/p.toml:1:8: warn: \"5x\" is not a duration (write it as \"90\", \"5m\", \"1h30m\" or "
            "\"2d\")");
  EXPECT_EQ(error_of("[derive]\nmode = \"audit\"\n"),
            "/p.toml:2:1: derive: unknown key \"mode\" in [derive] (it belongs to the top of the "
            "file, above the first [table])");
  EXPECT_EQ(error_of("[[rule]]\nmatch = { user = [\"a\"] }\n"),
            "/p.toml:2:11: rule: match: unknown key \"user\" in match = { ... } (did you mean "
            "\"users\"?)");
  EXPECT_EQ(error_of("[[rule]]\nmatch.addresses = [\n \"10.0.0.0/8\",\n \"10.0.0.1/8\"]\n"),
            "/p.toml:4:2: rule: match: addresses: \"10.0.0.1/8\" has bits set behind its prefix "
            "(write \"10.0.0.0/8\")");
  EXPECT_EQ(error_of("[[rule]]\nlimit = \"0\"\n"),
            "/p.toml:2:9: rule: limit: no time at all (write \"never\" for no limit)");
  EXPECT_THAT(error_of("[[rule]]\nlimit = \"tomorrow\"\n"), HasSubstr("or \"never\", \"derived\""));
  EXPECT_EQ(error_of("mode = \"enforced\""),
            "/p.toml:1:8: mode: unknown value \"enforced\" (did you mean \"enforce\"?)");
  EXPECT_EQ(error_of("mode = \"x\""),
            "/p.toml:1:8: mode: unknown value \"x\" (one of \"audit\", \"enforce\")");
  EXPECT_EQ(error_of("mode = 1"),
            "/p.toml:1:8: mode: unknown value (one of \"audit\", \"enforce\")");
  EXPECT_EQ(error_of("warn = \"36500d\""),
            "/p.toml:1:8: warn: \"36500d\" is too long (at most 24855d)");
  EXPECT_THAT(error_of("warn = 99999999999"), HasSubstr("is too long (at most 24855d)"));
  EXPECT_THAT(error_of("mode = "), HasSubstr("/p.toml:1:"));
  EXPECT_THAT(error_of("a = 1\nmode = \"x\"\nb = 2\n"),
              HasSubstr("/p.toml:1:1: unknown key \"a\""));
}

TEST(Policy, ABareWordIsToldOfQuotes) {
  for (const auto& [text, word] : std::vector<std::pair<std::string, std::string>>{
           {"[[rule]]\nlimit=never", "never"},
           {"mode = audit\n", "audit"},
           {"warn = 5m", "5m"},
           {"[[rule]]\nlimit = derived # as sshd says", "derived"},
           {"[[rule]]\nmatch.users = [alice, bob]", "alice"},
           {"[[rule]]\nmatch = { users = [\"alice\", bob] }", "bob"},
           {"[metrics]\nlisten = 127.0.0.1:9477x", "127.0.0.1:9477x"}}) {
    EXPECT_THAT(error_of(text),
                HasSubstr("(strings stand between double quotes: \"" + word + "\")"))
        << text;
  }
  for (const char* text : {"mode = ", "[rule", "mode = \"audit", "warn = true x", "audit",
                           "mode = \"\\q\"", "a b = 1", "match = { users = [\"a\"] , kinds }"}) {
    EXPECT_THAT(error_of(text), Not(HasSubstr("double quotes"))) << text;
  }
}

TEST(Policy, AnEmptyListIsNotEverybody) {
  for (const auto& [key, what] : std::initializer_list<std::pair<const char*, const char*>>{
           {"users", "no user at all (leave it out for everybody)"},
           {"groups", "no group at all (leave it out for everybody)"},
           {"addresses", "no address at all (leave it out for everybody)"},
           {"hosts", "no host at all (leave it out for everybody)"},
           {"ttys", "no tty at all (leave it out for everybody)"},
           {"kinds", "no kind at all (leave it out for everybody)"},
           {"hours", "no hour at all (leave it out for any time)"}}) {
    const std::string error =
        error_of("[[rule]]\nlimit = 15\nmatch." + std::string(key) + " = []\n");
    EXPECT_THAT(error, HasSubstr(what));
    EXPECT_THAT(error, HasSubstr("p.toml:3:"));
  }
  EXPECT_THAT(error_of("[[control]]\nid = \"a\"\nsystems = []\nintent.idle_at_most = 1\n"),
              HasSubstr("no system at all (leave it out for every system)"));
  // Here an empty list says what it means.
  EXPECT_EQ(error_of("[[rule]]\nlimit = 15\njobs = []\n[sessions]\nhosts = []\n"), "loaded");
}

TEST(Policy, WhatCanNeverMatchIsRefused) {
  const auto with = [](const std::string& line) {
    return error_of("[[rule]]\nlimit = \"5m\"\n" + line + "\n");
  };
  EXPECT_THAT(with("match.ttys = [\"/dev/pts/*\"]"),
              HasSubstr("p.toml:3:15: rule: match: ttys: \"/dev/pts/*\" is no tty's name (write "
                        "\"pts/*\")"));
  EXPECT_THAT(with("match.ttys = [\"*\", \"!/dev/tty1\"]"), HasSubstr("write \"!tty1\""));
  EXPECT_THAT(with("match.ttys = [\"pts/1 pts/2\"]"), HasSubstr("has a blank in it"));
  EXPECT_THAT(with("match.hosts = [\"a b\"]"), HasSubstr("has a blank in it"));
  EXPECT_THAT(with("match.users = [\"alice \"]"), HasSubstr("has a blank at one end"));
  EXPECT_THAT(with("match.users = [\"*\", \"! alice\"]"), HasSubstr("has a blank at one end"));
  EXPECT_THAT(with("match.groups = [\"\\tstaff\"]"), HasSubstr("has a blank at one end"));
  EXPECT_EQ(with("match.groups = [\"domain users\"]"), "loaded");  // of an Active Directory
  const auto jobs = [&](const std::string& job) {
    return with("job_limit = \"1h\"\njobs = [\"" + job + "\"]");
  };
  EXPECT_THAT(jobs("python*"), HasSubstr("\"python*\" is a pattern (jobs are exact names"));
  EXPECT_THAT(jobs("pytho?"), HasSubstr("is a pattern"));
  EXPECT_THAT(jobs("!make"), HasSubstr("is a pattern"));
  EXPECT_THAT(jobs(" make"), HasSubstr("has a blank at one end"));
  EXPECT_EQ(jobs("tmux: server"), "loaded");
}

TEST(Policy, RefusesWrongTypesAndRanges) {
  for (const char* text : {
           "warn = true",
           "warn = -1",
           "warn = 1.5",
           "warn = []",
           "warn = 1979-05-27",
           "warn = ''",
           "grace = \"0s\"",
           "mode = 1",
           "activity = \"output\"",
           "ignore_terminal_replies = 1",
           "max_terminations_per_minute = 0",
           "max_terminations_per_minute = \"60\"",
           "max_terminations_per_minute = 100001",
           "messages = \"x\"",
           "messages = { warn = 1 }",
           "messages = { warn = \"{usr}\" }",
           "messages = { warn = \"\\u0000\" }",
           "derive = true",
           "[[derive]]",
           "[kernel]\nbackend = \"ebpf\"",
           "[metrics]\nlisten = \"9477\"",
           "[metrics]\nlisten = \"127.0.0.1:70000\"",
           "[metrics]\nlisten = \"example.org:1\"",
           "[sessions]\nhosts = \"/usr/sbin/sshd\"",
           "[sessions]\nhosts = [\"sshd\"]",
           "hooks = \"/bin/true\"",
           "[hooks]\non_event = [\"/bin/true\"]",
           "[hooks]\non_event = \"true\"",
           "[hooks]\non_event = \"\"",
           "[hooks]\nevents = \"terminated\"",
           "[hooks]\nevents = [\"ended\"]",
           "[hooks]\nevents = []",
           "[hooks]\ntimeout = \"0s\"",
           "[hooks]\ntimeout = \"301s\"",
           "rule = 1",
           "rule = [1]",
           "[rule]\nname = \"x\"",
           "[[rule]]\nname = \"\"",
           "[[rule]]\nmatch = []",
           "[[rule]]\nmatch = { users = \"x\" }",
           "[[rule]]\nmatch = { users = [1] }",
           "[[rule]]\nmatch = { users = [\"\"] }",
           "[[rule]]\nmatch = { users = [\"a,b\"] }",
           "[[rule]]\nmatch = { users = [\"!root\"] }",
           "[[rule]]\nmatch = { kinds = [\"tty\"] }",
           "[[rule]]\nmatch = { addresses = [\"10.0.0.0/33\"] }",
           "[[rule]]\nmatch = { addresses = [\"10.0.0\"] }",
           "[[rule]]\nmatch = { addresses = [\"example.*\"] }",
           "[[rule]]\nmatch = { addresses = [\"!10.0.0.0/8\"] }",
           "[[rule]]\nmatch = { addresses = [\"2001:db8::1/32\"] }",
           "[[rule]]\nmatch = { hours = \"Mo-Fr 8-18\" }",
           "[[rule]]\nmatch = { hours = 8 }",
           "[[rule]]\nmatch = { hours = [\"Mo\", \"Xx\"] }",
           "[[rule]]\naction = \"kill\"",
           "[[rule]]\njob_limit = \"1h\"",
           "[[rule]]\njobs = [\"make\"]",
           "[[rule]]\njobs = [\"/usr/bin/make\"]\njob_limit = \"1h\"",
           "[[rule]]\nmax_session = 0",
           "[[rule]]\nkill_survivors = \"no\"",
           "[[rule]]\nmatch = { addresses = [\"10.0.0.0/8\"], kinds = [\"console\"] }",
       }) {
    EXPECT_THAT(error_of(text), HasSubstr("/p.toml:")) << text;
  }
}

TEST(Policy, AcceptsWhatIsUsual) {
  for (const char* text :
       {"warn = \"0s\"", "warn = 90", "[metrics]\nlisten = \"none\"",
        "[metrics]\nlisten = \"[::1]:0\"", "[[rule]]\nmatch = { users = [\"*\", \"!root\"] }",
        "[[rule]]\nmatch = { addresses = [\"*\", \"!10.*\", \"2001:db8::/32\", \"::1\"] }",
        "messages = { warn = \"{} {a b} {\" }",
        "# a.b.c.d.e.f.g.h.i.j.k.l\nmessages = { warn = '...........', end = "
        "\"\"\"\n..........\"\"\" }",
        "[[rule]]\nmatch = { addresses = [\"10.0.0.1\", \"10.0.0.2\", \"10.0.0.3\"] }"}) {
    EXPECT_EQ(error_of(text), "loaded") << text;
  }
}

// The tree's owner counts as its root, so that this needs none.
TEST(Policy, AHookIsAProgramThatNobodyElseCanReplace) {
  const test::TempDir dir;
  dir.file("opt/notify", "#!/bin/sh\n", 0755);
  const auto with_hook = [&](const std::string& line) {
    dir.file("p.toml", "\n[hooks]\n" + line);
    const auto policy = load_policy(Root(dir.path()), "/p.toml");
    return policy ? "loaded " + policy->hooks.on_event : policy.error().text();
  };
  EXPECT_EQ(with_hook("on_event = \"/opt/notify\""), "loaded /opt/notify");
  EXPECT_EQ(with_hook("on_event = \"none\""), "loaded ");
  EXPECT_EQ(with_hook("on_event = \"/opt/missing\""),
            "/p.toml:3:12: hooks.on_event: cannot find /opt/missing: No such file or directory");
  EXPECT_EQ(with_hook("on_event = \"/opt\""),
            "/p.toml:3:12: hooks.on_event: /opt is not a regular file");
  std::filesystem::permissions(dir.path() + "/opt/notify", std::filesystem::perms(0775));
  EXPECT_EQ(with_hook("on_event = \"/opt/notify\""),
            "/p.toml:3:12: hooks.on_event: /opt/notify can be written by others than root "
            "(chmod go-w)");
  EXPECT_THAT(with_hook("events = [\"ended\"]"),
              HasSubstr("unknown event \"ended\" (session_star"));
}

TEST(Policy, RulesThatCannotBeReached) {
  EXPECT_THAT(error_of("[[rule]]\nname = \"all\"\n[[rule]]\nname = \"late\"\n"),
              HasSubstr("rule \"late\" can never match (rule \"all\" at /p.toml:1:"));
  EXPECT_THAT(error_of("[[rule]]\nmatch.users = [\"*\"]\n[[rule]]\n"), HasSubstr("never match"));
  EXPECT_THAT(error_of("[[rule]]\nname = \"a\"\nmatch.users = [\"x\"]\n[[rule]]\nname = \"a\"\n"),
              HasSubstr("a second rule is called \"a\""));
}

TEST(Policy, DropInsInLexicalOrder) {
  const test::TempDir dir;
  dir.file("etc/idlewarden/idlewarden.toml",
           "warn = \"10s\"\n[[rule]]\nname = \"main\"\n"
           "match.users = [\"m\"]\n");
  dir.file("etc/idlewarden/policies.d/20.toml", "warn = \"30s\"\n[[rule]]\nname = \"twenty\"\n");
  dir.file("etc/idlewarden/policies.d/10.toml",
           "warn = \"20s\"\ngrace = \"9s\"\n[[rule]]\nname = \"ten\"\nmatch.users = [\"t\"]\n");
  dir.file("etc/idlewarden/policies.d/30.toml.off", "this is not read");
  const auto policy = load_policy(Root(dir.path()), kDefaultPolicyFile);
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_EQ(policy->warn, Seconds(30));
  EXPECT_EQ(policy->grace, Seconds(9));
  ASSERT_EQ(policy->rules.size(), 3U);
  EXPECT_EQ(policy->rules[1].name, "ten");
  EXPECT_EQ(policy->rules[2].where.file, "/etc/idlewarden/policies.d/20.toml");
  EXPECT_THAT(policy->files,
              ElementsAre("/etc/idlewarden/idlewarden.toml", "/etc/idlewarden/policies.d/10.toml",
                          "/etc/idlewarden/policies.d/20.toml"));
}

TEST(Policy, OnlyTheDefaultFileMayBeMissing) {
  const test::TempDir dir;
  dir.file("etc/idlewarden/policies.d/a.toml", "mode = \"enforce\"");
  const auto policy = load_policy(Root(dir.path()), kDefaultPolicyFile);
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_EQ(policy->mode, Mode::enforce);
  const auto missing = load_policy(Root(dir.path()), "/other.toml");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
}

TEST(Policy, TheCommandLineWins) {
  const test::TempDir dir;
  dir.file("p.toml", "mode = \"audit\"\n[kernel]\nbackend = \"kprobe\"\n");
  const Root root(dir.path());
  const auto policy = load_policy(
      root, "/p.toml", {.mode = Mode::enforce, .metrics_listen = "none", .backend = "auto"});
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_EQ(policy->mode, Mode::enforce);
  EXPECT_FALSE(policy->metrics_listen);
  EXPECT_FALSE(policy->backend);
  EXPECT_FALSE(load_policy(root, "/p.toml", {.mode = {}, .metrics_listen = {}, .backend = "x"}));
  EXPECT_FALSE(load_policy(root, "/p.toml", {.mode = {}, .metrics_listen = "x", .backend = {}}));
}

// From the top of the source tree, where CTest runs this.
TEST(Policy, EachShippedPolicyLoadsAsItIs) {
  const auto shipped = [](const std::string& name) {
    const auto policy = load_policy(Root(), "policies/" + name);
    EXPECT_TRUE(policy) << policy.error().text();
    return policy.value_or(Policy{});
  };
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("policies")) {
    const Policy policy = shipped(entry.path().filename());
    EXPECT_EQ(policy.mode, Mode::audit) << entry.path() << " would end sessions unasked";
    ++count;
  }
  EXPECT_EQ(count, 6);
  EXPECT_TRUE(shipped("audit.toml").rules.empty());
  EXPECT_EQ(shipped("stig.toml").rules.at(0).limit, RuleLimit(Seconds(600)));
  EXPECT_EQ(shipped("cis.toml").rules.at(0).limit, RuleLimit(Seconds(900)));
  EXPECT_EQ(shipped("pci-dss.toml").rules.at(0).limit, RuleLimit(Seconds(900)));
  EXPECT_EQ(shipped("pci-dss.toml").rules.at(0).job_limit, Seconds(8 * 3600));
  EXPECT_EQ(shipped("bastion.toml").rules.size(), 3U);
  EXPECT_EQ(shipped("lab.toml").rules.size(), 3U);
}

std::string repeated(const std::string& piece, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += piece;
  return out;
}

TEST(Policy, HostileFilesAreErrorsAndNoCrash) {
  const std::string deep_key = "a" + repeated(".a", 100000);
  EXPECT_THAT(error_of(deep_key + " = 1"), HasSubstr("/p.toml:1: a key of more than 8 parts"));
  EXPECT_THAT(error_of("[" + deep_key + "]"), HasSubstr("more than 8 parts"));
  EXPECT_THAT(error_of("x = '''\n'''\n" + deep_key), HasSubstr("/p.toml:3: a key of more"));
  EXPECT_THAT(error_of("x = \"\\\"\" # \"\n" + deep_key), HasSubstr("/p.toml:2: a key of more"));
  EXPECT_THAT(error_of("x = [\"\"\"a\"\"\"\", {" + deep_key + "=1}]"),
              HasSubstr("/p.toml:1: a key of more"));
  EXPECT_THAT(error_of("a = " + repeated("[", 100000)), HasSubstr("/p.toml:1:"));
  EXPECT_THAT(error_of("a = " + repeated("{a=", 100000)), HasSubstr("/p.toml:1:"));
  const std::string level = "{a.b.c.d.e.f.g.h=[\n";
  EXPECT_THAT(error_of("a = " + repeated(level, 120) + repeated("]}", 120)),
              HasSubstr("unknown key \"a\""));
  EXPECT_THAT(error_of(std::string("mode = \"a\0b\"", 12)), HasSubstr("/p.toml:1:"));
  EXPECT_THAT(error_of("\xff\xfe\x00m"), HasSubstr("/p.toml:"));
  EXPECT_THAT(error_of("mode = \"\x1b[2J\""), HasSubstr("/p.toml:1:"));
  EXPECT_THAT(error_of("\"\\u001b[2J\" = 1"), HasSubstr("unknown key \"\\x1b[2J\""));
}

}  // namespace
}  // namespace idlewarden

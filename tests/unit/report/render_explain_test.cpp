// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "report/render.h"

namespace idlewarden {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Verdict designed() {
  Verdict verdict;
  verdict.limit = Seconds(600);
  verdict.decided_by = Origin::sshd_config;
  verdict.warn = Seconds(60);
  verdict.sources = {
      {.origin = Origin::sshd_config,
       .directive = "ClientAliveInterval",
       .where = {"/etc/ssh/sshd_config", 12, 1},
       .text = "ClientAliveInterval 5m",
       .limit = Seconds(600),
       .used = true,
       .reason = "5m x 2"},
      {.origin = Origin::tmout,
       .directive = "TMOUT",
       .where = {"/etc/profile.d/tmout.sh", 3},
       .text = "readonly TMOUT=900",
       .limit = Seconds(900),
       .reason = "600 s is stricter"},
  };
  return verdict;
}

TEST(ExplainJson, TheDesignedForm) {
  EXPECT_EQ(json::parse(explain_json(designed())), json::parse(R"(
{"limit_seconds": 600, "decided_by": "sshd_config", "mode": "audit", "action": "terminate",
 "rule": null,
 "sources": [
  {"source": "sshd_config", "directive": "ClientAliveInterval", "file": "/etc/ssh/sshd_config",
   "line": 12, "text": "ClientAliveInterval 5m", "limit_seconds": 600, "used": true,
   "reason": "5m x 2"},
  {"source": "tmout", "directive": "TMOUT", "file": "/etc/profile.d/tmout.sh", "line": 3,
   "text": "readonly TMOUT=900", "limit_seconds": 900, "used": false,
   "reason": "600 s is stricter"}]})"));
  EXPECT_THAT(explain_json(designed()),
              StartsWith("{\n  \"limit_seconds\": 600,\n  \"decided_by\""));
}

TEST(ExplainJson, ConditionalOnlyWhereTrueAndNullWhereUnknown) {
  Verdict verdict;
  verdict.rule = "quiet";
  verdict.action = Action::alert;
  verdict.mode = Mode::enforce;
  LimitSource undecided;
  undecided.origin = Origin::tmout;
  undecided.conditional = true;
  undecided.reason = "depends";
  verdict.sources.push_back(undecided);
  const json out = json::parse(explain_json(verdict));
  EXPECT_EQ(out["limit_seconds"], nullptr);
  EXPECT_EQ(out["decided_by"], nullptr);
  EXPECT_EQ(out["rule"], "quiet");
  EXPECT_EQ(out["action"], "alert");
  EXPECT_EQ(out["mode"], "enforce");
  EXPECT_EQ(out["sources"][0]["conditional"], true);
  EXPECT_EQ(out["sources"][0]["line"], nullptr);
  EXPECT_EQ(out["sources"][0]["file"], nullptr);
}

TEST(ExplainText, SaysTheLimitAndWhoDecidesFirst) {
  EXPECT_EQ(explain_text(designed()),
            R"(Limit 10m (600 s) without input, decided by sshd_config at /etc/ssh/sshd_config:12
Audit mode: the session is reported, never ended.

  SOURCE       WHERE                      SAYS                    LIMIT  WHY
* sshd_config  /etc/ssh/sshd_config:12    ClientAliveInterval 5m  10m    used: 5m x 2
  tmout        /etc/profile.d/tmout.sh:3  readonly TMOUT=900      15m    600 s is stricter)");
}

TEST(ExplainText, NoLimit) {
  EXPECT_EQ(explain_text(Verdict{}),
            "No limit: nothing here says how long this session may be idle");
  Verdict never;
  never.decided_by = Origin::rule;
  never.rule = "console";
  LimitSource source;
  source.origin = Origin::rule;
  source.where = {"/p.toml", 4};
  source.text = "limit = \"never\"";
  source.used = true;
  never.sources.push_back(source);
  EXPECT_THAT(explain_text(never),
              StartsWith("No limit, decided by rule \"console\" at /p.toml:4\n"));
}

TEST(ExplainText, AJobLimitReplacesNoLimit) {
  Verdict verdict;
  verdict.job_limit = Seconds(3600);
  verdict.jobs = {"make"};
  EXPECT_EQ(explain_text(verdict),
            "No limit: nothing here says how long this session may be idle\n"
            "The rule's job_limit does nothing here: there is no limit to replace.");
  verdict.max_session = Seconds(7200);
  EXPECT_THAT(explain_text(verdict), HasSubstr("\nAudit mode: the session is reported"));
}

TEST(ExplainText, FilesThatCouldNotBeReadAreNotTakenForNoLimit) {
  Verdict verdict;
  LimitSource source;
  source.origin = Origin::tmout;
  source.where = {"/root/.profile"};
  source.reason = "cannot open: Permission denied";
  verdict.sources.push_back(source);
  const std::string root = ::geteuid() == 0 ? "" : " (run it as root)";
  EXPECT_THAT(explain_text(verdict),
              StartsWith("No limit found, but 1 file could not be read" + root + "\n"));
  verdict.sources.push_back(source);
  EXPECT_THAT(explain_text(verdict),
              StartsWith("No limit found, but 2 files could not be read" + root + "\n"));
}

TEST(ExplainText, WhatFollows) {
  Verdict verdict = designed();
  verdict.mode = Mode::enforce;
  verdict.job_limit = Seconds(14400);
  verdict.jobs = {"rsync", "make"};
  verdict.max_session = Seconds(43200);
  verdict.output_counts = true;
  const std::string text = explain_text(verdict);
  EXPECT_THAT(text,
              HasSubstr("Enforce mode: the session is warned 1m before the end, then ended."));
  EXPECT_THAT(text, HasSubstr("While rsync or make runs in the foreground, 4h instead."));
  EXPECT_THAT(text, HasSubstr("The whole session lasts 12h at most, idle or not."));
  EXPECT_THAT(text, HasSubstr("Output counts as activity"));
  verdict.action = Action::alert;
  EXPECT_THAT(explain_text(verdict), HasSubstr("only asks for an alert"));
}

TEST(Explain, DisarmsWhatOthersWrote) {
  Verdict verdict = designed();
  verdict.rule = "\x1b[2Jrule";
  verdict.jobs = {"\x1b[3J"};
  verdict.job_limit = Seconds(1);
  verdict.sources[0].where.file = "/etc/\x1b[4Jfile";
  verdict.sources[0].text = "\x1b[5Jtext \xff";
  verdict.sources[1].reason = "\x1b[6Jreason";
  for (const std::string& out : {explain_text(verdict), explain_json(verdict)}) {
    EXPECT_THAT(out, Not(HasSubstr("\x1b")));
    EXPECT_THAT(out, HasSubstr("x1b[5Jtext"));
  }
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// The command as a person or a script runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "command.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class LintCommand : public test::Program {
 protected:
  LintCommand() { dir_.file("etc/passwd", "root:x:0:0::/root:/bin/bash\n"); }

  int run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"lint", "--root", dir_.path()});
    return Program::run(arguments);
  }
  test::TempDir dir_;
};

TEST_F(LintCommand, TellsAPersonWithin80Columns) {
  dir_.file("etc/ssh/sshd_config", "ClientAliveInterval 10m\nClientAliveCountMax 0\n");
  EXPECT_EQ(run({}), 1);
  EXPECT_THAT(out_, StartsWith("/etc/ssh/sshd_config:2:1: error: client-alive-count-max-0\n"
                               "  says     ClientAliveCountMax 0\n  does     Turns the check off"));
  EXPECT_THAT(out_, HasSubstr("\n1 error, 2 warnings; 1 remark\n"));
  for (const std::string& line : split(out_, '\n')) EXPECT_LE(line.size(), 80U) << line;
}

TEST_F(LintCommand, TellsAMachine) {
  dir_.file("etc/other_config", "ChannelTimeout session=5m\n");
  EXPECT_EQ(run({"--sshd-config", "/etc/other_config", "--json"}), 1);
  const json out = json::parse(out_);
  const json& first = out["findings"][0];
  EXPECT_EQ(first["id"], "channel-timeout-session");
  EXPECT_EQ(first["severity"], "error");
  EXPECT_EQ(first["file"], "/etc/other_config");
  EXPECT_EQ(first["line"], 1);
  EXPECT_EQ(first["column"], 16);
  EXPECT_EQ(first["text"], "ChannelTimeout session=5m");
  EXPECT_THAT(first["fix"].get<std::string>(), HasSubstr("session:shell=5m"));
  EXPECT_EQ(out["errors"], 1);
  EXPECT_EQ(out["openssh"], nullptr);
}

TEST_F(LintCommand, NothingFoundIsFine) {
  dir_.file("etc/p.toml", "mode = \"enforce\"\n[[rule]]\nlimit = \"10m\"\n");
  EXPECT_EQ(run({"--config", "/etc/p.toml"}), 0);
  EXPECT_EQ(out_, "Nothing found: what is set here does what it says\n");
}

TEST_F(LintCommand, HoldsAHostAgainstARequirement) {
  dir_.file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
  dir_.file("etc/p.toml", "[[rule]]\nname = \"all\"\nlimit = \"10m\"\n");
  EXPECT_EQ(run({"--config", "/etc/p.toml", "--against", "policies/stig.toml"}), 1);
  EXPECT_THAT(out_, StartsWith("SRG-OS-000163-GPOS-00072  NOT MET  A session ends"));
  EXPECT_THAT(out_, HasSubstr("audit mode"));
  EXPECT_THAT(out_, HasSubstr("Not applicable here, as it is for rhel 9: RHEL-09-255095"));
  EXPECT_THAT(out_, HasSubstr("0 of 1 controls met on debian 12: this host does not meet"));
  for (const std::string& line : split(out_, '\n')) EXPECT_LE(line.size(), 80U) << line;
  dir_.file("etc/p.toml", "mode = \"enforce\"\n[[rule]]\nname = \"all\"\nlimit = \"10m\"\n");
  EXPECT_EQ(run({"--config", "/etc/p.toml", "--against", "policies/stig.toml", "--json"}), 0);
  const json out = json::parse(out_);
  EXPECT_EQ(out["met"], true);
  EXPECT_EQ(out["system"], "debian 12");
  EXPECT_EQ(out["idlewarden"]["mode"], "enforce");
  const json& control = out["controls"][0];
  EXPECT_EQ(control["status"], "met");
  EXPECT_EQ(control["intent_met"], true);
  EXPECT_EQ(control["sessions"][0]["kind"], "ssh");
  EXPECT_EQ(control["sessions"][0]["ended_by"], "idlewarden");
  EXPECT_EQ(control["sessions"][0]["file"], "/etc/p.toml");
  EXPECT_EQ(control["sessions"][0]["limit_seconds"], 600);
  EXPECT_EQ(out["controls"][1]["status"], "not_applicable");
}

TEST_F(LintCommand, Usage) {
  EXPECT_EQ(run({"--against", "policies/lab.toml"}), 2);
  EXPECT_THAT(err_, HasSubstr("no [[control]]"));
  EXPECT_EQ(run({"--against", "/nowhere.toml"}), 2);
  EXPECT_EQ(run({"--wrong"}), 2);
  EXPECT_EQ(run({"--root", dir_.path() + "/none"}), 2);
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "limits/lint_controls.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kTenMinutes =
    "[[control]]\nid = \"C\"\nintent = { idle_at_most = \"10m\" }\n";

class Controls : public testing::Test {
 protected:
  Controls() {
    dir_.file("etc/passwd", "root:x:0:0::/root:/bin/bash\n");
    dir_.file("etc/profile", "for f in /etc/profile.d/*.sh; do . \"$f\"; done\n");
    dir_.file("etc/systemd/system.conf", "");
  }
  Compliance check(const std::string& controls) {
    const std::string file = asks_.file("asks.toml", controls);
    const auto loaded = load_controls(file);
    EXPECT_TRUE(loaded) << loaded.error().text();
    return check_controls(look_at_host(Root(dir_.path()), {}), file, *loaded);
  }
  ControlResult only(const std::string& controls) { return check(controls).results.at(0); }
  ControlStatus status(const std::string& wanted) {
    return only("[[control]]\nid = \"C\"\nrequires = { " + wanted + " }\n").status;
  }
  Error refused(const std::string& controls) {
    const auto loaded = load_controls(asks_.file("asks.toml", controls));
    EXPECT_FALSE(loaded);
    return loaded ? Error{} : loaded.error();
  }
  void policy(const std::string& text) { dir_.file("etc/idlewarden/idlewarden.toml", text); }

  test::TempDir dir_;
  test::TempDir asks_;
};

TEST_F(Controls, WhatTheFileMustSay) {
  EXPECT_THAT(refused("mode = \"audit\"\n").what, HasSubstr("no [[control]]"));
  EXPECT_THAT(refused("[[control]]\nid = \"C\"\n").what, HasSubstr("asks for nothing"));
  EXPECT_THAT(refused("[[control]]\nintent = { idle_at_most = \"10m\" }\n").what,
              HasSubstr("without an id"));
  EXPECT_THAT(refused("[[control]]\nid = \"C\"\nrequires = { seting = \"TMOUT\" }\n").hint,
              HasSubstr("setting"));
  EXPECT_THAT(refused("[[control]]\nid = \"C\"\nrequires = { setting = \"TMUOT\" }\n").hint,
              HasSubstr("\"TMOUT\""));
  EXPECT_THAT(refused("[[control]]\nid = \"C\"\nrequires = { setting = \"StopIdleSessionSec\", "
                      "readonly = true }\n")
                  .what,
              HasSubstr("only known of TMOUT"));
  EXPECT_EQ(refused("[[control]]\nid = \"C\"\nintent = { idle_at_most = \"x\" }\n").where.line, 3);
}

TEST_F(Controls, ClientAlive) {
  dir_.file("etc/ssh/sshd_config", "# nothing\n");
  EXPECT_EQ(status("setting = \"ClientAliveInterval\", at_most = \"10m\""), ControlStatus::not_met);
  EXPECT_EQ(status("setting = \"ClientAliveCountMax\", at_least = 1"), ControlStatus::met);
  EXPECT_EQ(status("setting = \"ClientAliveCountMax\", at_least = 1, at_most = 1"),
            ControlStatus::not_met);
  dir_.file("etc/ssh/sshd_config", "ClientAliveInterval 600\nClientAliveCountMax 1\n");
  EXPECT_EQ(status("setting = \"ClientAliveInterval\", at_most = \"10m\""), ControlStatus::met);
  EXPECT_EQ(status("setting = \"ClientAliveInterval\", at_most = \"5m\""), ControlStatus::not_met);
  EXPECT_EQ(status("setting = \"ClientAliveCountMax\", at_least = 1, at_most = 1"),
            ControlStatus::met);
  // A Match block can undo it.
  dir_.file("etc/ssh/sshd_config",
            "ClientAliveInterval 600\nMatch User backup\nClientAliveInterval 0\n");
  const ControlResult result = only(
      "[[control]]\nid = \"C\"\nrequires = { setting = \"ClientAliveInterval\", at_most = 600 }\n");
  EXPECT_EQ(result.status, ControlStatus::not_met);
  ASSERT_THAT(result.evidence, SizeIs(2));
  EXPECT_TRUE(result.evidence[0].good);
  EXPECT_EQ(result.evidence[1].where.line, 3);
  EXPECT_THAT(result.evidence[1].says, HasSubstr("Match User backup"));
}

TEST_F(Controls, Tmout) {
  const std::string wanted =
      "setting = \"TMOUT\", at_most = \"10m\", readonly = true, exported = true";
  EXPECT_EQ(status(wanted), ControlStatus::not_met);
  dir_.file("etc/profile.d/tmout.sh", "declare -xr TMOUT=600\n");
  EXPECT_EQ(status(wanted), ControlStatus::met);
  dir_.file("etc/profile.d/tmout.sh", "declare -xr TMOUT=900\n");
  EXPECT_EQ(status(wanted), ControlStatus::not_met);
  dir_.file("etc/profile.d/tmout.sh", "readonly TMOUT=600\n");
  EXPECT_EQ(status(wanted), ControlStatus::not_met);
  EXPECT_EQ(status("setting = \"TMOUT\", at_most = \"10m\""), ControlStatus::met);
  dir_.file("etc/passwd", "root:x:0:0::/root:/bin/bash\neve:x:1000:1000::/home/eve:/bin/dash\n");
  EXPECT_EQ(status("setting = \"TMOUT\", at_most = \"10m\""), ControlStatus::not_met);
}

TEST_F(Controls, StopIdleSessionSec) {
  const std::string wanted = "setting = \"StopIdleSessionSec\", at_most = \"10m\"";
  EXPECT_EQ(status(wanted), ControlStatus::not_met);
  dir_.file("etc/systemd/logind.conf", "[Login]\nStopIdleSessionSec=10min\n");
  EXPECT_EQ(status(wanted), ControlStatus::met);
  dir_.file("etc/systemd/logind.conf", "[Login]\nStopIdleSessionSec=infinity\n");
  EXPECT_EQ(status(wanted), ControlStatus::not_met);
}

TEST_F(Controls, OnlyIdlewardenInEnforceModeOrLogindEndsASession) {
  // All that the how-tos say, and one forgotten vim is for ever.
  dir_.file("etc/ssh/sshd_config",
            "ClientAliveInterval 600\nClientAliveCountMax 1\nChannelTimeout session:*=10m\n");
  dir_.file("etc/profile.d/tmout.sh", "declare -xr TMOUT=600\n");
  ControlResult result = only(kTenMinutes);
  EXPECT_EQ(result.status, ControlStatus::not_met);
  ASSERT_THAT(result.sessions, SizeIs(2));
  EXPECT_THAT(result.sessions[0].why, HasSubstr("audit mode"));
  EXPECT_EQ(result.sessions[0].limit, Seconds(600));
  policy("mode = \"enforce\"\n");
  result = only(kTenMinutes);
  EXPECT_EQ(result.status, ControlStatus::met);
  EXPECT_EQ(result.sessions[0].ended_by, "idlewarden");
  EXPECT_TRUE(result.intent_met);
}

TEST_F(Controls, WhatKeepsIdlewardenFromMeetingIt) {
  const auto why = [&](const std::string& text) {
    policy(text);
    const ControlResult result = only(kTenMinutes);
    EXPECT_EQ(result.status, ControlStatus::not_met) << text;
    return result.sessions.at(0).why;
  };
  EXPECT_THAT(why("mode = \"enforce\"\n"), HasSubstr("idle for ever"));
  EXPECT_THAT(why("[[rule]]\nlimit = \"10m\"\n"), HasSubstr("audit mode"));
  const std::string enforce = "mode = \"enforce\"\n";
  EXPECT_THAT(why(enforce + "[[rule]]\nlimit = \"15m\"\n"), HasSubstr("15m is too long"));
  EXPECT_THAT(why(enforce + "[[rule]]\nlimit = \"never\"\n"), HasSubstr("no limit"));
  EXPECT_THAT(why(enforce + "[[rule]]\nlimit = \"5m\"\naction = \"alert\"\n"), HasSubstr("alert"));
  EXPECT_THAT(why(enforce + "activity = \"input+output\"\n[[rule]]\nlimit = \"5m\"\n"),
              HasSubstr("prints"));
  EXPECT_THAT(why(enforce + "[[rule]]\nlimit = \"5m\"\njob_limit = \"4h\"\njobs = [\"make\"]\n"),
              HasSubstr("make"));
  EXPECT_THAT(
      why(enforce + "[[rule]]\nname = \"office\"\nmatch = { addresses = [\"10.0.0.0/8\"] }\n"
                    "limit = \"never\"\n[[rule]]\nlimit = \"5m\"\n"),
      HasSubstr("office"));
  EXPECT_THAT(why("mode = \"enfroce\"\n"), HasSubstr("cannot be read"));
  EXPECT_EQ(only("[[control]]\nid = \"C\"\nintent = { idle_at_most = \"10m\", "
                 "jobs_may_finish = true }\n")
                .status,
            ControlStatus::not_met);  // the policy is still the broken one
  policy(enforce + "[[rule]]\nlimit = \"5m\"\njob_limit = \"4h\"\njobs = [\"make\"]\n");
  EXPECT_EQ(only("[[control]]\nid = \"C\"\nintent = { idle_at_most = \"10m\", "
                 "jobs_may_finish = true }\n")
                .status,
            ControlStatus::met);
}

TEST_F(Controls, LogindCountsAndSaysHow) {
  dir_.file("etc/systemd/logind.conf", "[Login]\nStopIdleSessionSec=10min\n");
  const ControlResult result = only(kTenMinutes);
  EXPECT_EQ(result.status, ControlStatus::met);
  EXPECT_EQ(result.sessions[0].ended_by, "logind");
  EXPECT_THAT(result.sessions[0].why, HasSubstr("file time"));
}

TEST_F(Controls, TheLetterAndTheIntentAreToldApart) {
  dir_.file("etc/ssh/sshd_config", "ClientAliveInterval 600\nClientAliveCountMax 1\n");
  const ControlResult result = only(
      "[[control]]\nid = \"C\"\nrequires = { setting = \"ClientAliveInterval\", at_most = 600 }\n"
      "intent = { idle_at_most = \"10m\", kinds = [\"ssh\"] }\n");
  EXPECT_EQ(result.status, ControlStatus::met);
  EXPECT_FALSE(result.intent_met);
}

TEST_F(Controls, OtherSystems) {
  const std::string control =
      "[[control]]\nid = \"C\"\nsystems = [\"rhel 9\"]\nintent = { idle_at_most = \"10m\" }\n";
  EXPECT_EQ(only(control).status, ControlStatus::not_met);  // nobody knows what this is
  dir_.file("etc/os-release", "NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\n");
  const Compliance compliance = check(control);
  EXPECT_EQ(compliance.system, "debian 12");
  EXPECT_EQ(compliance.results[0].status, ControlStatus::not_applicable);
  EXPECT_FALSE(compliance.met());
  dir_.file("etc/os-release", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n");
  EXPECT_EQ(only(control).status, ControlStatus::not_met);
  dir_.file("etc/os-release", "ID=rhel\nVERSION_ID=\"10.1\"\n");
  EXPECT_EQ(only(control).status, ControlStatus::not_applicable);
}

TEST_F(Controls, ShippedPoliciesAskAndServe) {
  for (const char* name : {"stig", "cis", "pci-dss"}) {
    const std::string file = std::string("policies/") + name + ".toml";
    const auto controls = load_controls(file);
    ASSERT_TRUE(controls) << controls.error().text();
    const auto text = Root().read(policy_path(Root(), file));
    ASSERT_TRUE(text);
    std::string enforced = *text;
    enforced.replace(enforced.find("mode = \"audit\""), 14, "mode = \"enforce\"");
    policy(enforced);
    const Compliance compliance =
        check_controls(look_at_host(Root(dir_.path()), {}), file, *controls);
    for (const ControlResult& result : compliance.results) {
      EXPECT_TRUE(result.sessions.empty() || result.intent_met) << result.control.id;
    }
  }
}

}  // namespace
}  // namespace idlewarden

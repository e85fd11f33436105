// SPDX-License-Identifier: Apache-2.0
// The command as a person or a script runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "command.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using nlohmann::json;

class CheckConfig : public test::Program {
 protected:
  int run(const std::string& policy, std::vector<std::string> arguments = {}) {
    const std::string file = dir_.file("p.toml", policy).substr(dir_.path().size());
    arguments.insert(arguments.begin(), {"check-config", "--root", dir_.path(), file});
    return Program::run(arguments);
  }
  test::TempDir dir_;
};

TEST_F(CheckConfig, WarnsOfARuleByTheClientsName) {
  const std::string policy =
      "[[rule]]\nname = \"kiosk\"\nlimit = \"never\"\nmatch.hosts = [\"*.example.org\"]\n";
  EXPECT_EQ(run(policy), 0);
  EXPECT_EQ(err_,
            "idlewarden: warning: /p.toml:3:9: rule \"kiosk\" can never match: it asks for the "
            "client's name, and no live connection has one: use addresses\n");
  EXPECT_EQ(run(policy, {"--json"}), 0);
  EXPECT_EQ(json::parse(out_)["warnings"][0]["line"], 3);
  EXPECT_EQ(run("[[rule]]\nlimit = \"15m\"\n"), 0);
  EXPECT_EQ(err_, "");
}

TEST_F(CheckConfig, SaysTheLimitsAsItUnderstoodThem) {
  EXPECT_EQ(run("[[rule]]\nname = \"bots\"\nlimit = \"never\"\nmatch.users = [\"bot\"]\n"
                "[[rule]]\nname = \"jobs\"\nmatch.users = [\"build\"]\n"
                "[[rule]]\nname = \"all\"\nlimit = 15\n"),
            0);
  EXPECT_EQ(out_,
            "/p.toml: good, audit mode, 3 rules\nlimits: bots never, jobs derived, all 15s\n");
  EXPECT_EQ(run(""), 0);
  EXPECT_EQ(out_, "/p.toml: good, audit mode, 0 rules\n");
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "base/text.h"
#include "command.h"

namespace idlewarden {
namespace {

std::string help_of(std::vector<std::string> words) {
  words.emplace_back("--help");
  ::testing::internal::CaptureStdout();
  const int status = test::run_program(std::move(words));
  const std::string out = ::testing::internal::GetCapturedStdout();
  EXPECT_EQ(status, 0) << out;
  return out;
}

std::vector<std::string> subcommands() {
  const std::string help = help_of({});
  std::vector<std::string> names;
  bool inside = false;
  for (const std::string& line : split(help, '\n')) {
    if (line == "Subcommands:") inside = true;
    if (inside && line.empty()) return names;
    if (inside && line.starts_with("  ") && line[2] != ' ') {
      names.emplace_back(line.substr(2, line.find(' ', 2) - 2));
    }
  }
  return names;
}

TEST(Help, NamesEverySubcommand) {
  EXPECT_THAT(subcommands(), ::testing::IsSupersetOf({"run", "sessions", "top", "events", "explain",
                                                      "check-config", "doctor", "unload"}));
}

TEST(Help, FitsAnOldTerminalAndEverySubcommandSpeaksJson) {
  for (const std::string& line : split(help_of({}), '\n')) EXPECT_LE(line.size(), 80U) << line;
  for (const std::string& name : subcommands()) {
    const std::string help = help_of({name});
    EXPECT_THAT(help, ::testing::HasSubstr("\n  --json ")) << name;
    for (const std::string& line : split(help, '\n')) {
      EXPECT_LE(line.size(), 80U) << name << ": " << line;
    }
  }
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// What a limit would have done: of a running daemon, or of what the last one kept.
#include <fmt/format.h>

#include <cerrno>

#include "base/files.h"
#include "base/text.h"
#include "cli/commands.h"
#include "report/client.h"
#include "report/idle_gaps_file.h"
#include "report/what_if.h"

namespace idlewarden {
namespace {

struct WhatIfArguments {
  std::vector<std::string> limits;
  int users = kUsersShown;
  std::string socket = kDefaultSocket;
  std::string state_dir;  // empty: ask the daemon first
  bool json = false;
};

Result<std::string> from_file(const WhatIfArguments& arguments, const std::string& limits) {
  const std::string dir = arguments.state_dir.empty() ? kDefaultStateDir : arguments.state_dir;
  const std::string file = dir + "/" + kIdleGapsFile;
  const auto text = Root().read(file, {.max_bytes = kIdleGapsBytes, .owner = {}});
  if (!text) return std::unexpected(text.error());
  const auto kept = kept_gaps_from(*text);
  if (!kept) return fail_at({.file = file}, kept.error().what);
  const auto asked = what_if_limits(limits);
  if (!asked) return std::unexpected(asked.error());
  const WhatIf answer = what_if(kept->gaps, *asked);
  return arguments.json ? what_if_json(answer) + "\n"
                        : fmt::format("From {}; no daemon was asked.\n", printable(file, 1024)) +
                              what_if_text(answer, arguments.users);
}

int whatif(const WhatIfArguments& arguments) {
  const std::string limits = fmt::format("{}", fmt::join(arguments.limits, ","));
  if (const auto asked = what_if_limits(limits); !asked) return complain(asked.error(), kUsage);
  if (!arguments.state_dir.empty()) {
    const auto kept = from_file(arguments, limits);
    if (!kept) return complain(kept.error(), kUnreachable);
    fmt::print("{}", *kept);
    return kFine;
  }
  const auto answer = fetch_unix(
      arguments.socket, arguments.json ? fmt::format("/v1/idle-gaps?limits={}", limits)
                                       : fmt::format("/v1/idle-gaps.txt?limits={}&users={}", limits,
                                                     arguments.users));
  if (answer) {
    fmt::print("{}", *answer);
    return kFine;
  }
  // code: nobody listens there. What a daemon that does answer refuses is no reason to look into an
  // older file.
  const int code = answer.error().code;
  if (code != ENOENT && code != ECONNREFUSED) return complain(answer.error(), kUnreachable);
  const auto kept = from_file(arguments, limits);
  if (!kept) {
    complain(answer.error(), kUnreachable);
    return complain(kept.error(), kUnreachable);
  }
  fmt::print("{}", *kept);
  return kFine;
}

}  // namespace

void add_whatif(CLI::App& app, int& status) {
  auto arguments = std::make_shared<WhatIfArguments>();
  CLI::App* command = app.add_subcommand(
      "whatif", "How many sessions, and whose, other limits would have ended so far");
  command
      ->add_option("--limit", arguments->limits,
                   "Instead of 5m, 10m, 15m, 30m, 60m; repeatable. 5s at the least; a time that is "
                   "not counted is rounded down to one that is, and that is said")
      ->type_name("DURATION")
      ->delimiter(',');
  command->add_option("--users", arguments->users, "How many users to name")
      ->type_name("N")
      ->check(whole_number(0))
      ->capture_default_str();
  command->add_option("--socket", arguments->socket, "The daemon's socket")
      ->type_name("PATH")
      ->capture_default_str();
  command
      ->add_option("--state-dir", arguments->state_dir,
                   "Ask no daemon: read what one kept in this folder (" +
                       std::string(kDefaultStateDir) + " if there is no daemon)")
      ->type_name("DIR");
  command->add_flag("--json", arguments->json, "For machines");
  command->callback([arguments, &status] { status = whatif(*arguments); });
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// What a running daemon is asked: sessions, events.
#include <fmt/format.h>

#include "base/standard_streams.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "daemon/daemon.h"
#include "report/client.h"

namespace idlewarden {
namespace {

struct QueryArguments {
  std::string socket = kDefaultSocket;
  bool json = false;
  bool follow = false;
};

int sessions(const QueryArguments& arguments) {
  const std::string target =
      arguments.json ? "/v1/sessions"
                     : fmt::format("/v1/sessions.txt?width={}&charset={}", terminal_width(),
                                   terminal_charset() == Charset::ascii ? "ascii" : "utf8");
  const auto answer = fetch_unix(arguments.socket, target);
  if (!answer) return complain(answer.error(), kUnreachable);
  fmt::print("{}", *answer);
  return kFine;
}

int events(const QueryArguments& arguments) {
  const std::string path = fmt::format("/v1/events?follow={}&format={}", arguments.follow ? 1 : 0,
                                       arguments.json ? "json" : "text");
  Result<void> written;
  const auto ended = follow_unix(arguments.socket, path, [&](std::string_view line) {
    fmt::print("{}\n", line);
    written = flush_output();
    return written.has_value();
  });
  if (!written) return unwritten(written.error(), kFine);
  return ended ? kFine : complain(ended.error(), kUnreachable);
}

CLI::App* add_query(CLI::App& app, const char* name, const char* about, QueryArguments& arguments) {
  CLI::App* command = app.add_subcommand(name, about);
  command->add_option("--socket", arguments.socket, "The daemon's socket")
      ->type_name("PATH")
      ->capture_default_str();
  command->add_flag("--json", arguments.json, "For machines");
  return command;
}

}  // namespace

void add_sessions(CLI::App& app, int& status) {
  auto arguments = std::make_shared<QueryArguments>();
  CLI::App* command = add_query(
      app, "sessions", "The sessions: idle time, limit and where it comes from", *arguments);
  command->callback([arguments, &status] { status = sessions(*arguments); });
}

void add_events(CLI::App& app, int& status) {
  auto arguments = std::make_shared<QueryArguments>();
  CLI::App* command =
      add_query(app, "events", "The last 1,024 events, the newest last; with -f those from now on",
                *arguments);
  command->add_flag("-f,--follow", arguments->follow,
                    "Instead, what happens from now on, as it happens");
  command->callback([arguments, &status] { status = events(*arguments); });
}

}  // namespace idlewarden

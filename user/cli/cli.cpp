// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <limits>
#include <optional>
#include <system_error>

#include "base/standard_streams.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "daemon/version.h"

namespace idlewarden {

int complain(const Error& error, int status) {
  fmt::print(stderr, "idlewarden: {}\n", error.text());
  return status;
}

int unwritten(const Error& error, int status) {
  return error.code == EPIPE ? status : complain(error, kUnreachable);
}

namespace {

// What is no command and no option of the one that was given; nullopt: it is something else.
std::optional<Error> unknown_word(const CLI::App& app) {
  const std::vector<CLI::App*> given = app.get_subcommands();
  const bool of_command = !given.empty() && app.remaining().empty();
  const CLI::App& asked = of_command ? *given.front() : app;
  const std::vector<std::string> words = asked.remaining();
  if (words.empty() || (of_command && !words.front().starts_with('-'))) return std::nullopt;
  const std::string shown = printable(words.front(), 60);
  std::vector<std::string> known;
  if (words.front().starts_with('-')) {
    const std::string name = words.front().substr(0, words.front().find('='));
    for (const CLI::Option* option : asked.get_options()) known.push_back(option->get_name());
    const std::string meant = nearest(name, known);
    const std::string help = of_command ? "idlewarden " + asked.get_name() : "idlewarden";
    return Error{.what = "unknown option " + printable(name, 60),
                 .where = {},
                 .hint = meant.empty() ? "`" + help + " --help` names them"
                                       : fmt::format("did you mean {}?", meant)};
  }
  for (const CLI::App* command : app.get_subcommands({})) known.push_back(command->get_name());
  const std::string meant = nearest(words.front(), known);
  return Error{.what = fmt::format("there is no command \"{}\"", shown),
               .where = {},
               .hint = meant.empty() ? "`idlewarden --help` names them"
                                     : fmt::format("did you mean \"{}\"?", meant)};
}

int parse_and_run(CLI::App& app, const int& status, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    // --help arrives here as well, with status 0.
    const bool asked = e.get_exit_code() == 0;
    if (const auto unknown = unknown_word(app); unknown && !asked) {
      return complain(*unknown, kUsage);
    }
    return app.exit(e) == 0 ? kFine : kUsage;
  } catch (const std::system_error& e) {
    // fmt throws when stdio could not write what was more than its buffer.
    if (std::ferror(stdout) == 0) throw;
    std::clearerr(stdout);
    return unwritten(fail_errno(kUnwritten, e.code().value()).error(), status);
  }
  return status;
}

}  // namespace

CLI::Validator whole_number(int least, int most) {
  const auto check = [least, most](std::string& text) {
    int number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stop != end || number < least || number > most) {
      const std::string range = most == std::numeric_limits<int>::max()
                                    ? fmt::format("from {} on", least)
                                    : fmt::format("from {} to {}", least, most);
      return fmt::format("'{}' is not a whole number {}", printable(text, 60), range);
    }
    text = std::to_string(number);  // 010 is ten
    return std::string();
  };
  return {check, "", "whole number"};
}

int run_cli(int argc, char** argv) {
  CLI::App app(
      "Ends, or only reports, login sessions that nobody is using.\n"
      "The kernel says when a person last typed; sshd_config, TMOUT and the policy files say how "
      "long is too long.",
      "idlewarden");
  app.require_subcommand(1);
  app.set_version_flag("--version", fmt::format("idlewarden {}", version()),
                       "Print the version, as the command does");
  app.formatter(std::make_shared<Help>());  // the subcommands inherit it
  int status = kFine;
  add_run(app, status);
  add_sessions(app, status);
  add_top(app, status);
  add_events(app, status);
  add_whatif(app, status);
  add_explain(app, status);
  add_lint(app, status);
  add_check_config(app, status);
  add_doctor(app, status);
  add_unload(app, status);
  add_version(app, status);
  app.footer(
      "Exit status: 0 fine, 1 findings, a bad configuration or no such session, 2 usage, 3 no "
      "daemon that answers, none that can run here, or an output that cannot be written.");
  const int result = parse_and_run(app, status, argc, argv);
  const auto written = flush_output();
  return written ? result : unwritten(written.error(), result);
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include <fmt/format.h>

#include <cstdio>

#include "cli/commands.h"
#include "cli/help.h"

namespace idlewarden {

int complain(const Error& error, int status) {
  fmt::print(stderr, "idlewarden: {}\n", error.text());
  return status;
}

int run_cli(int argc, char** argv) {
  CLI::App app(
      "Ends, or only reports, login sessions that nobody is using.\n"
      "The kernel says when a person last typed; sshd_config, TMOUT and the policy files say how "
      "long is too long.",
      "idlewarden");
  app.require_subcommand(1);
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
      "daemon that answers, or none that can run here.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    // --help arrives here as well, with status 0.
    return app.exit(e) == 0 ? kFine : kUsage;
  }
  return status;
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include <fmt/format.h>

#include <cstdio>
#include <system_error>

#include "base/standard_streams.h"
#include "cli/commands.h"
#include "cli/help.h"

namespace idlewarden {

int complain(const Error& error, int status) {
  fmt::print(stderr, "idlewarden: {}\n", error.text());
  return status;
}

int unwritten(const Error& error, int status) {
  return error.code == EPIPE ? status : complain(error, kUnreachable);
}

namespace {

int parse_and_run(CLI::App& app, const int& status, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    // --help arrives here as well, with status 0.
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
      "daemon that answers, none that can run here, or an output that cannot be written.");
  const int result = parse_and_run(app, status, argc, argv);
  const auto written = flush_output();
  return written ? result : unwritten(written.error(), result);
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// One function per subcommand (or family of them): declares its options and what it does.
// `status` receives the exit status when the subcommand ran.
#pragma once

#include <CLI/CLI.hpp>
#include <limits>

#include "base/result.h"

namespace idlewarden {

enum ExitStatus { kFine = 0, kFindings = 1, kUsage = 2, kUnreachable = 3 };

void add_run(CLI::App& app, int& status);
void add_sessions(CLI::App& app, int& status);
void add_top(CLI::App& app, int& status);
void add_events(CLI::App& app, int& status);
void add_whatif(CLI::App& app, int& status);
void add_explain(CLI::App& app, int& status);
void add_lint(CLI::App& app, int& status);
void add_check_config(CLI::App& app, int& status);
void add_doctor(CLI::App& app, int& status);
void add_unload(CLI::App& app, int& status);
void add_version(CLI::App& app, int& status);

// Of an option; without a greatest one: "from 1 on".
CLI::Validator whole_number(int least, int most = std::numeric_limits<int>::max());

// Prints "idlewarden: ERROR" on stderr and returns `status`.
int complain(const Error& error, int status);
// The same of output that cannot be written (flush_output()): kUnreachable. That nobody reads a
// pipe any more is no fault: `status`.
int unwritten(const Error& error, int status);

}  // namespace idlewarden

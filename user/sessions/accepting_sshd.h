// SPDX-License-Identifier: Apache-2.0
// Which sshd let a session in, and what that sshd was told on its command line: two sshds with two
// configurations on one host each rule their own sessions.
#pragma once

#include <string>
#include <vector>

#include "base/procfs.h"
#include "sessions/host_process.h"
#include "sessions/session.h"

namespace idlewarden {

// `host` is of kind ssh. What cannot be read keeps its default; so does all but the pid where the
// sshd is not root's: whoever runs it would choose the limit of their own sessions. An error: which
// file it was told cannot be found out (its root does not answer, it has just ended).
Result<AcceptingSshd> accepting_sshd(const Procfs& procfs, const std::vector<HostProgram>& programs,
                                     const HostProcess& host, OthersRoots& roots);

// What sshd(8)'s own getopt(3) would make of a command line.
struct SshdArguments {
  std::string config_file;           // -f as it was written; empty: not given
  std::vector<std::string> options;  // -o, each as "Keyword=value"
  friend bool operator==(const SshdArguments&, const SshdArguments&) = default;
};
enum class SshdTitle {
  arguments,  // argv as it was started with
  listener,   // "sshd: ARGV joined by blanks [listener] 0 of 10-100 startups"
  other,      // of one connection: nothing of argv is left in it
};
// Blanks inside an argument are told from those between two: sshd has no operands, so what does
// not begin with '-' belongs to the value before it.
SshdTitle parse_sshd_command_line(const std::vector<std::string>& command_line,
                                  SshdArguments& arguments);

}  // namespace idlewarden

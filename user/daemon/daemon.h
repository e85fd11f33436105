// SPDX-License-Identifier: Apache-2.0
// `idlewarden run`: everything composed, on one thread and one event loop.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "limits/policy.h"
#include "report/client.h"
#include "report/idle_gaps_file.h"
#include "report/reporter.h"

namespace idlewarden {

inline constexpr const char* kDefaultPinDir = "/sys/fs/bpf/idlewarden/v1";

struct DaemonOptions {
  std::string config = kDefaultPolicyFile;
  PolicyOverrides overrides;
  std::string socket = kDefaultSocket;
  std::string pin_dir = kDefaultPinDir;      // empty: nothing is pinned
  std::string state_dir = kDefaultStateDir;  // empty: nothing is kept
  std::string events_file;
  LogFormat log_format = LogFormat::human;
  std::vector<pid_t> only_host_pids;
};

// What kept the daemon from starting: a policy that cannot be used, or a kernel or socket that
// cannot be had.
struct StartFailure {
  Error error;
  bool bad_configuration = false;
};

// Runs until SIGTERM or SIGINT. SIGHUP reads the policy again. Sessions are left alone at the end.
std::expected<void, StartFailure> run_daemon(const DaemonOptions& options);

}  // namespace idlewarden

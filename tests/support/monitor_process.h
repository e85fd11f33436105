// SPDX-License-Identifier: Apache-2.0
// The program under test, running as it does in production, bound to sessions of the test; where
// $IDLEWARDEN_UNIT is set, in the confinement of the shipped unit (support/confinement.h).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/syscall_gate.h"
#include "support/temp_dir.h"

namespace idlewarden::test {

struct MonitorOptions {
  std::string policy;  // the TOML; empty: no policy file at all
  std::string backend = "auto";
  std::vector<pid_t> only_host_pids;  // must not be empty: a test never looks at other sessions
  std::vector<std::string> more;      // further arguments of `run`
  std::map<std::string, std::string> environment = {};
  std::string pin_dir = "none";
  std::string state_dir = "none";
  std::vector<std::string> through = {};  // a program that is given the monitor's command line
  std::string metrics_listen = "none";
  SyscallGate::Guard guard = {};  // if given, its system calls pass a gate
};

// It ended, or was not ready in time.
struct NotStarted : std::runtime_error {
  NotStarted(const std::string& log, std::optional<int> wait_status)
      : std::runtime_error("the monitor did not start:\n" + log), status(wait_status) {}
  std::optional<int> status;  // as waitpid(2) gives it; nullopt: it runs
};

class MonitorProcess {
 public:
  explicit MonitorProcess(const MonitorOptions& options);  // returns when it is ready; NotStarted
  ~MonitorProcess();  // a failure, if a sanitizer has reported anything
  MonitorProcess(const MonitorProcess&) = delete;
  MonitorProcess& operator=(const MonitorProcess&) = delete;

  using Json = nlohmann::json;
  using Predicate = std::function<bool(const Json&)>;
  std::vector<Json> events() const;
  std::vector<Json> events(const std::string& type) const;
  // The first such event, waited for with patience; null on a timeout.
  Json wait_event(const std::string& type, std::chrono::milliseconds timeout,
                  const Predicate& predicate = {}) const;
  Json sessions() const;  // `idlewarden sessions --json`
  // Nobody holds its socket any more. True with ThreadSanitizer: there who hangs holds it
  // (base/patience.cpp).
  bool refuses() const;
  void write_policy(const std::string& toml) const;
  std::string metrics() const;  // GET /metrics through the socket
  std::string endings() const { return socket() + ".state/endings.json"; }
  std::string socket() const { return dir_.path() + "/socket"; }
  std::string log() const;
  Process& process() const { return *process_; }
  void kill();     // SIGKILL; waits until it is gone
  void restart();  // the same again, after its end; returns when it is ready

 private:
  void start();

  TempDir dir_;
  std::vector<std::string> argv_;
  std::vector<std::string> writable_;  // folders, where the daemon is confined
  std::map<std::string, std::string> environment_;
  SyscallGate::Guard guard_;
  std::unique_ptr<SyscallGate> gate_;  // outlives the process
  std::unique_ptr<Process> process_;
};

// build/idlewarden of this build, or $IDLEWARDEN_BINARY.
std::string binary();

}  // namespace idlewarden::test

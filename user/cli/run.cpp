// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands.h"
#include "daemon/daemon.h"

namespace idlewarden {
namespace {

struct RunArguments {
  DaemonOptions daemon;
  std::string mode;
  bool json = false;
};

int run(RunArguments& arguments) {
  DaemonOptions& options = arguments.daemon;
  if (!arguments.mode.empty()) {
    options.overrides.mode = arguments.mode == "enforce" ? Mode::enforce : Mode::audit;
  }
  if (options.pin_dir == "none") options.pin_dir.clear();
  if (options.state_dir == "none") options.state_dir.clear();
  if (arguments.json) options.log_format = LogFormat::json;
  const auto ran = run_daemon(options);
  if (ran) return kFine;
  return complain(ran.error().error, ran.error().bad_configuration ? kFindings : kUnreachable);
}

}  // namespace

void add_run(CLI::App& app, int& status) {
  auto arguments = std::make_shared<RunArguments>();
  DaemonOptions& options = arguments->daemon;
  CLI::App* command = app.add_subcommand("run", "Watch the sessions of this host (the service)");
  command->add_option("--config", options.config, "Policy file; policies.d beside it is read too")
      ->type_name("FILE")
      ->capture_default_str();
  command->add_option("--mode", arguments->mode, "Instead of the policy's mode")
      ->type_name("audit|enforce")
      ->check(CLI::IsMember({"audit", "enforce"}));
  command->add_option("--backend", options.overrides.backend, "How input is observed")
      ->type_name("auto|fentry|kprobe|sampler|tracepoint")
      ->check(CLI::IsMember({"auto", "fentry", "kprobe", "sampler", "tracepoint"}));
  command->add_option("--socket", options.socket, "Where the other subcommands reach it")
      ->type_name("PATH")
      ->capture_default_str();
  command
      ->add_option("--metrics-listen", options.overrides.metrics_listen,
                   "Where Prometheus finds the metrics, instead of the policy's")
      ->type_name("ADDR:PORT|none");
  command->add_option("--pin-dir", options.pin_dir, "Where kernel state outlives a restart")
      ->type_name("DIR|none")
      ->capture_default_str();
  command
      ->add_option("--state-dir", options.state_dir,
                   "Where the idle times that `whatif` counts outlive a restart")
      ->type_name("DIR|none")
      ->capture_default_str();
  command
      ->add_option("--events-file", options.events_file,
                   "Append every event to this file, a JSON line each")
      ->type_name("PATH");
  command
      ->add_option("--only-host-pid", options.only_host_pids,
                   "Look only at sessions reached through this sshd (or other host process); "
                   "repeatable")
      ->type_name("PID")
      ->check(whole_number(1));
  command->add_flag("--json", arguments->json, "Log in JSON lines");
  command->callback([arguments, &status] { status = run(*arguments); });
}

}  // namespace idlewarden

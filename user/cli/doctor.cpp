// SPDX-License-Identifier: Apache-2.0
// What this kernel can do for idlewarden, and what of it is loaded: doctor, unload, version.
#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "daemon/daemon.h"
#include "daemon/version.h"
#include "kernel/backends.h"

namespace idlewarden {
namespace {

// The one that `run` would take: tracepoint only works when it is asked for by name.
const Attempt* chosen(const std::vector<Attempt>& attempts) {
  for (const Backend backend : {Backend::fentry, Backend::kprobe, Backend::sampler}) {
    const auto found = std::ranges::find(attempts, backend, &Attempt::backend);
    if (found != attempts.end() && found->works) return &*found;
  }
  return nullptr;
}

void print_doctor(const std::vector<Attempt>& attempts, const Attempt* best) {
  utsname kernel{};
  ::uname(&kernel);
  fmt::print("idlewarden {} on Linux {} ({})\n\n", version(), kernel.release, kernel.machine);
  for (const Attempt& attempt : attempts) {
    const bool on_request = attempt.backend == Backend::tracepoint;
    fmt::print("  {:<11} {}\n", to_string(attempt.backend),
               !attempt.works     ? "refused"
               : &attempt == best ? "works, and auto takes it"
               : on_request       ? "works, used only when asked for (--backend tracepoint)"
                                  : "works");
    if (!attempt.reason.empty()) fmt::print("              {}\n", attempt.reason);
    if (!attempt.hint.empty()) fmt::print("              -> {}\n", attempt.hint);
  }
  if (best == nullptr) {
    fmt::print("\nNo backend works here: idlewarden cannot see input on this host.\n");
    return;
  }
  fmt::print("\nWhat {} cannot see:\n", to_string(best->backend));
  for (const std::string& spot : blind_spots(best->backend)) fmt::print("  - {}\n", spot);
}

void print_doctor_json(const std::vector<Attempt>& attempts, const Attempt* best) {
  nlohmann::ordered_json out;
  out["version"] = version();
  out["backend"] = nullptr;
  out["blind_spots"] = nlohmann::json::array();
  if (best != nullptr) {
    out["backend"] = to_string(best->backend);
    out["blind_spots"] = blind_spots(best->backend);
  }
  for (const Attempt& attempt : attempts) {
    out["attempts"].push_back({{"backend", to_string(attempt.backend)},
                               {"works", attempt.works},
                               {"reason", attempt.reason},
                               {"hint", attempt.hint}});
  }
  fmt::print("{}\n", out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

int unload_now(const std::string& pin_dir, bool json) {
  const auto removed = unload(pin_dir);
  if (!removed) return complain(removed.error(), kUnreachable);
  if (json) {
    fmt::print("{{\"removed_pins\": {}, \"daemon_runs\": {}}}\n", removed->pins,
               removed->daemon_runs);
    return kFine;
  }
  const std::string done = removed->pins == 0
                               ? fmt::format("nothing was pinned at {}", pin_dir)
                               : fmt::format("{} pins removed from {}", removed->pins, pin_dir);
  if (removed->daemon_runs) {
    fmt::print(
        "{}; a daemon is running: what it loaded stays in the kernel until it ends, and its next "
        "start begins every clock anew\n",
        done);
  } else if (removed->pins == 0) {
    fmt::print("{}\n", done);
  } else {
    fmt::print("{}: nothing of idlewarden stays in the kernel\n", done);
  }
  return kFine;
}

}  // namespace

void add_doctor(CLI::App& app, int& status) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command =
      app.add_subcommand("doctor", "Which way of seeing input works on this kernel, and why");
  command->add_flag("--json", *json, "For machines");
  command->callback([json, &status] {
    const std::vector<Attempt> attempts = try_all_backends();
    const Attempt* best = chosen(attempts);
    *json ? print_doctor_json(attempts, best) : print_doctor(attempts, best);
    status = best == nullptr ? kUnreachable : kFine;
  });
}

void add_unload(CLI::App& app, int& status) {
  struct Arguments {
    std::string pin_dir = kDefaultPinDir;
    bool json = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("unload", "Remove what stays in the kernel after the service has stopped");
  command->add_option("--pin-dir", arguments->pin_dir, "Where it is pinned")
      ->type_name("DIR")
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "For machines");
  command->callback(
      [arguments, &status] { status = unload_now(arguments->pin_dir, arguments->json); });
}

void add_version(CLI::App& app, int& status) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("version", "Print the version");
  command->add_flag("--json", *json, "For machines");
  command->callback([json, &status] {
    fmt::print("{}\n", *json ? fmt::format("{{\"version\": \"{}\"}}", version())
                             : fmt::format("idlewarden {}", version()));
    status = kFine;
  });
}

}  // namespace idlewarden

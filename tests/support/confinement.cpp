// SPDX-License-Identifier: Apache-2.0
#include "support/confinement.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <stdexcept>

namespace idlewarden::test {
namespace {

// Not the confinement: when and what it runs, and folders whose place the test's own take.
const std::set<std::string> kNotConfinement{"Type",
                                            "Sockets",
                                            "ExecStartPre",
                                            "ExecStart",
                                            "ExecReload",
                                            "Restart",
                                            "RestartSec",
                                            "WatchdogSec",
                                            "RuntimeDirectory",
                                            "RuntimeDirectoryMode",
                                            "RuntimeDirectoryPreserve",
                                            "StateDirectory",
                                            "StateDirectoryMode"};

}  // namespace

std::optional<std::string> confining_unit() {
  const char* const file = std::getenv("IDLEWARDEN_UNIT");
  if (file == nullptr) return std::nullopt;
  return file;
}

std::vector<std::string> confinement_in(const std::string& unit_file) {
  std::ifstream file(unit_file);
  if (!file) throw std::runtime_error("cannot read " + unit_file);
  std::vector<std::string> found;
  bool in_service = false;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    if (line.front() == '[') {
      in_service = line == "[Service]";
      continue;
    }
    const auto equals = line.find('=');
    if (equals == std::string::npos || line.back() == '\\') {
      throw std::runtime_error(unit_file + ": a line that the tests cannot take over: " + line);
    }
    if (in_service && !kNotConfinement.contains(line.substr(0, equals))) found.push_back(line);
  }
  if (found.empty()) throw std::runtime_error(unit_file + " confines nothing");
  return found;
}

std::string shared_place() {
  // Not below /tmp, which the unit has for itself, nor below what the private host lays over.
  return "/var/lib/idlewarden-test/" + std::to_string(::getpid());
}

ConfinedService::ConfinedService(const std::string& unit_file, const std::vector<std::string>& argv,
                                 const std::map<std::string, std::string>& environment,
                                 const std::vector<std::string>& writable) {
  static int count = 0;
  name_ = "idlewarden-test-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
  // systemd-run wants the machine's own /run.
  command_ = {"nsenter",        "--target=1", "--mount", "--",        "systemd-run",
              "--quiet",        "--wait",     "--pipe",  "--collect", "--service-type=exec",
              "--unit=" + name_};
  const auto property = [this](const std::string& word) {
    command_.insert(command_.end(), {"-p", word});
  };
  for (const std::string& word : confinement_in(unit_file)) property(word);
  for (const char* part : {"/run", "/home", "/etc"}) {
    property("BindReadOnlyPaths=" + shared_place() + part + ":" + part);
  }
  for (const std::string& path : writable) property("ReadWritePaths=" + path);
  for (const auto& [name, value] : environment)
    command_.push_back("--setenv=" + name + "=" + value);
  command_.insert(command_.end(), argv.begin(), argv.end());
}

std::optional<pid_t> ConfinedService::pid() const {
  std::ifstream procs("/sys/fs/cgroup/system.slice/" + name_ + ".service/cgroup.procs");
  pid_t pid = 0;
  if (!(procs >> pid) || pid <= 0) return std::nullopt;
  return pid;
}

}  // namespace idlewarden::test

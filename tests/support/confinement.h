// SPDX-License-Identifier: Apache-2.0
// The daemon under test as a service with the confinement of the shipped unit. Only on a machine
// that is the test's own (a virtual one) and has systemd: there $IDLEWARDEN_UNIT names the unit
// file, and every daemon that a test starts is run by it.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace idlewarden::test {

// The unit file; nothing if daemons are to be plain children of the test.
std::optional<std::string> confining_unit();

// What the unit says of how its process is confined, as the words `KEY=VALUE` of systemd.exec(5):
// all of [Service] but what says when and what it runs.
std::vector<std::string> confinement_in(const std::string& unit_file);

// A folder that PID 1 sees too, in which the private host keeps its /etc, /home and /run.
std::string shared_place();

// A service that runs `argv`; what its unit lets the daemon write, the test's folder `writable`
// takes the place of. It has the test's /etc, /home and /run.
class ConfinedService {
 public:
  ConfinedService(const std::string& unit_file, const std::vector<std::string>& argv,
                  const std::map<std::string, std::string>& environment,
                  const std::vector<std::string>& writable);

  // Starts it and waits for its end, whose exit status it takes for its own.
  const std::vector<std::string>& command() const noexcept { return command_; }
  std::optional<pid_t> pid() const;  // once it runs

 private:
  std::string name_;
  std::vector<std::string> command_;
};

}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// What is asked about a session whose end a killed daemon had begun.
#pragma once

#include <fstream>
#include <sstream>
#include <string>

#include "e2e/e2e.h"

namespace idlewarden::test {

// Whether the end of that leader's session stands in the book.
inline bool is_owed(const MonitorProcess& monitor, pid_t leader) {
  std::ostringstream text;
  text << std::ifstream(monitor.endings()).rdbuf();
  return text.str().find("\"pid\":" + std::to_string(leader) + ",") != std::string::npos;
}

}  // namespace idlewarden::test

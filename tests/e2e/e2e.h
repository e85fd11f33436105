// SPDX-License-Identifier: Apache-2.0
// What the end-to-end tests share.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "support/monitor_process.h"
#include "support/private_host.h"
#include "support/ssh.h"

namespace idlewarden::test {

// $IDLEWARDEN_BACKEND alone if it is set (a virtual machine's run), else those that a kernel
// without trampolines and kprobes has.
std::vector<std::string> backends();

// How late an end may be seen: a second, and one for the tests that run beside it; how late ends
// are on a quiet machine, scripts/bench says. How late it is on an emulated machine
// ($IDLEWARDEN_SLOW is set) tells nothing: there it is to come, and never early.
std::chrono::milliseconds lateness_allowed();

template <class Predicate>
bool wait_until(Predicate&& predicate, std::chrono::milliseconds timeout) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  while (!predicate()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

inline double seconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration<double>(d).count();
}

// A test with one backend, one account and the how-to's sshd settings scaled to seconds:
// 5 s x 2 = 10 s.
class Scaled : public testing::TestWithParam<std::string> {
 protected:
  static constexpr const char* kHowTo =
      "TCPKeepAlive yes\nClientAliveInterval 5\nClientAliveCountMax 2\n";
  static constexpr const char* kEnforce =
      "mode = \"enforce\"\nwarn = \"0s\"\n[derive]\nclient_alive_floor = \"0s\"\n";
  static constexpr const char* kAudit = "mode = \"audit\"\n[derive]\nclient_alive_floor = \"0s\"\n";

  explicit Scaled(const std::string& settings = kHowTo) : server(settings) {
    server.authorize(account);
  }

  MonitorOptions watching(const std::string& policy) const {
    return {.policy = policy, .backend = GetParam(), .only_host_pids = {server.pid()}, .more = {}};
  }

  Account account = add_account("iwalice");
  SshServer server;
};

inline std::string backend_name(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace idlewarden::test

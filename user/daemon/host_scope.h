// SPDX-License-Identifier: Apache-2.0
// The processes of --only-host-pid: whether they are there. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/procfs.h"
#include "base/result.h"

namespace idlewarden {

class HostScope {
 public:
  explicit HostScope(Procfs procfs) : procfs_(std::move(procfs)) {}

  // An error where one of them does not exist, or cannot be looked at.
  Result<void> begin(const std::vector<pid_t>& pids);
  // Those that were there and are not any more, as a sentence; empty: none. A pid that another
  // process has got since does not count.
  std::string gone();

 private:
  Procfs procfs_;
  std::map<pid_t, std::uint64_t> start_ticks_;  // of those that live
  std::vector<pid_t> gone_;
};

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// The sockets of another process, in whatever network namespace, each borrowed for a moment by
// pidfd_getfd(2). That needs PTRACE_MODE_ATTACH, and waits for a process in the middle of
// execve(2): whose user may let that hang is asked through Procfs::ask().
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>

#include "base/procfs.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace idlewarden {

// The process that started then (nullopt: whenever), and no other that has its pid now, which is
// ESRCH.
Result<UniqueFd> open_process(const Procfs& procfs, pid_t pid,
                              const std::optional<std::uint64_t>& start_ticks);

// Calls `with` with each socket of the process and the number that it has there.
Result<void> for_each_socket(const Procfs& procfs, pid_t pid,
                             const std::optional<std::uint64_t>& start_ticks,
                             const std::function<void(int, const UniqueFd&)>& with);

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// The system calls that a SyscallGate asks about, in words.
#pragma once

#include <linux/seccomp.h>

#include <optional>
#include <vector>

#include "support/syscall_gate.h"

namespace idlewarden::test {

std::vector<long> gated_syscalls();
// nullopt: nothing that could usefully fail (memory of the allocator).
std::optional<SyscallGate::Call> describe(pid_t thread, const seccomp_data& call);

}  // namespace idlewarden::test

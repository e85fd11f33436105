// SPDX-License-Identifier: Apache-2.0
// The proof that a backend works: a session of its own, a byte typed into it, and that byte seen.
#pragma once

#include "base/result.h"
#include "kernel/kernel_source.h"

namespace idlewarden {

// Leaves nothing behind: neither process nor pty nor record. Takes milliseconds; at most two
// seconds when the byte is not seen, which is an error.
Result<void> self_test(KernelSource& source);

}  // namespace idlewarden

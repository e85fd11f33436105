// SPDX-License-Identifier: Apache-2.0
// Descriptors 0, 1 and 2, which a program may be started without (`<&- >&- 2>&-`).
#pragma once

#include "base/result.h"

namespace idlewarden {

// Opens /dev/null on those that are closed, so that nothing else gets their numbers and is written
// to as if it were the output. Before anything else is opened. What is printed to a standard output
// that was closed fails with EBADF, as it would have; what is said on such a stderr is lost.
Result<void> open_standard_streams();

// Writes what was printed to stdout so far. Each failure is told once; code is EPIPE where nobody
// reads any more.
Result<void> flush_output();
inline constexpr const char* kUnwritten = "cannot write to standard output";

}  // namespace idlewarden

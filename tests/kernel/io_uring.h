// SPDX-License-Identifier: Apache-2.0
// One write through io_uring(7), without a library.
#pragma once

#include "base/result.h"

namespace idlewarden::test {

// Writes one byte to `fd`. Fails with the kernel's errno, also where io_uring is not to be had.
Result<void> write_by_io_uring(int fd, char byte);

}  // namespace idlewarden::test

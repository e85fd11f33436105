// SPDX-License-Identifier: Apache-2.0
#include "base/patience.h"

#include <linux/close_range.h>
#include <unistd.h>

namespace idlewarden {

void Patience::leave_descriptors() noexcept {
// ThreadSanitizer takes number 4 here for number 4 there, and would see races.
#ifndef __SANITIZE_THREAD__
  // Refused (ENOMEM): it keeps them, for as long as it hangs.
  (void)::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_UNSHARE);
#endif
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "base/patience.h"

#include <linux/close_range.h>
#include <unistd.h>

namespace idlewarden {

void Patience::leave_descriptors() noexcept {
  // Refused (ENOMEM): it keeps them, for as long as it hangs.
  (void)::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_UNSHARE);
}

}  // namespace idlewarden

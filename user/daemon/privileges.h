// SPDX-License-Identifier: Apache-2.0
// What the daemon may do, reduced to what it does (capabilities(7)).
#pragma once

#include "base/result.h"

namespace idlewarden {

// Gives up every capability but those named in the .cpp with their reasons, for good: they leave
// the bounding set too. To be called before any thread is started, because each thread has its own.
// A capability that is missing already is no error: whatever needs it says so when it fails.
Result<void> keep_only_needed_capabilities();

}  // namespace idlewarden

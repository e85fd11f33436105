// SPDX-License-Identifier: Apache-2.0
// The session table's rows as the kernel writes them, in the program's own types.
#pragma once

#include <idlewarden/abi.h>

#include "kernel/activity_source.h"
#include "kernel/input_sampler.h"

namespace idlewarden {

// `input` stays empty: whose it is depends on how the tty is watched.
Leader to_leader(const idlewarden_leader& row);
LineState line_state(const idlewarden_leader& row);

}  // namespace idlewarden

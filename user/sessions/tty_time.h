// SPDX-License-Identifier: Apache-2.0
// What a tty's file says of its use: the idle time of w(1) and who(1).
#pragma once

#include <sys/types.h>

#include <optional>

#include "base/clock.h"
#include "base/procfs.h"
#include "kernel/activity_source.h"

namespace idlewarden {

// When somebody last read from the tty (tty_update_time() in the kernel's tty_io.c), found through
// the descriptors of its leader; nullopt where that has none of it. It moves in steps of 8 s and
// its owner can set it (utimensat(2)): for reports, never for a decision.
std::optional<WallTime> tty_read_time(const Procfs& procfs, pid_t leader, const Tty& tty);

}  // namespace idlewarden

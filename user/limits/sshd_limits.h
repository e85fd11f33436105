// SPDX-License-Identifier: Apache-2.0
// What a walk through sshd_config means for how long a session may be idle, and why each line does
// or does not count.
#pragma once

#include <vector>

#include "limits/limit.h"
#include "limits/sshd_walk.h"

namespace idlewarden {

// SshdConfig::limits(); `kind` is ssh or ssh_nopty. In sshd's order of reading.
std::vector<LimitSource> sshd_limits(const SshdWalk& walk, Kind kind, Seconds floor);

}  // namespace idlewarden

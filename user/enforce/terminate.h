// SPDX-License-Identifier: Apache-2.0
// The real Terminator.
#pragma once

#include <memory>
#include <vector>

#include "base/procfs.h"
#include "enforce/terminator.h"
#include "sessions/session_table.h"

namespace idlewarden {

// `programs`: what brings people in. Where one of them runs besides a session's own, the session's
// survivors are spared.
std::unique_ptr<Terminator> system_terminator(
    Procfs procfs = Procfs(), std::vector<HostProgram> programs = default_host_programs());

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// The real Terminator.
#pragma once

#include <memory>

#include "base/procfs.h"
#include "enforce/terminator.h"

namespace idlewarden {

std::unique_ptr<Terminator> system_terminator(Procfs procfs = Procfs());

}  // namespace idlewarden

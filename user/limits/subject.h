// SPDX-License-Identifier: Apache-2.0
// The subject that a live session is. Asks NSS for the groups, so it may block as long as NSS does.
#pragma once

#include "limits/limit.h"

namespace idlewarden {

Subject subject_of(const Session& session);

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// The subject that a live session is.
#pragma once

#include <string>
#include <vector>

#include "limits/limit.h"

namespace idlewarden {

// `groups` are names, the primary one first.
Subject subject_of(const Session& session, std::vector<std::string> groups);

}  // namespace idlewarden

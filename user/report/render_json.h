// SPDX-License-Identifier: Apache-2.0
// Parts of the JSON that more than one answer is made of.
#pragma once

#include <nlohmann/json.hpp>

#include "report/snapshot.h"

namespace idlewarden {

nlohmann::ordered_json session_json(const Snapshot& snapshot, const SessionRow& row);
nlohmann::ordered_json verdict_json(const Verdict& verdict);

}  // namespace idlewarden

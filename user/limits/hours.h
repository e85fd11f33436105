// SPDX-License-Identifier: Apache-2.0
// The form of `hours` in a rule: days, a span of local time, or both.
#pragma once

#include <string_view>

#include "base/result.h"
#include "limits/policy.h"

namespace idlewarden {

// "Mo-Fr 08:00-18:00", "Mo,We,Fr 22:00-06:00", "Fr-Mo", "08:00-18:00". A day is the beginning of
// its English name, at least two letters; a range may run over the end of the week. A span that
// ends before it begins runs over midnight and belongs to the day on which it begins.
Result<Hours> parse_hours(std::string_view text);

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// Durations as sshd_config(5), TIME FORMATS, writes them: "90", "5m", "1h30m", "2d", "1w"; a
// sequence of number[sSmMhHdDwW], summed, a bare number is seconds and may stand only once.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace idlewarden {

// nullopt when it is not such a duration or is more than INT_MAX seconds, where sshd refuses too.
std::optional<Seconds> parse_duration(std::string_view text);

// The shortest such spelling: "10m", "1h30m", "45s", "0s".
std::string format_duration(Seconds d);

}  // namespace idlewarden

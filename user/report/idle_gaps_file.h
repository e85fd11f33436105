// SPDX-License-Identifier: Apache-2.0
// Idle gaps as the text that outlives the daemon: JSON with a version. What it holds of the boot
// clock (live sessions) means nothing after a reboot, so it names the boot.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "report/idle_gaps.h"

namespace idlewarden {

inline constexpr const char* kDefaultStateDir = "/var/lib/idlewarden";
inline constexpr const char* kIdleGapsFile = "idle-gaps.json";
// The bounds of IdleGaps come to 9 MB at the very most, nearly all of it 16,384 live sessions with
// the longest names. Usual are some tens of kB and 300 bytes for each live session. A larger file
// is not ours.
inline constexpr std::size_t kIdleGapsBytes = 16 << 20;

struct KeptGaps {
  std::string boot_id;  // /proc/sys/kernel/random/boot_id
  IdleGaps gaps;
};

std::string kept_gaps_text(const KeptGaps& kept);
// The error says what is wrong with it, in one sentence.
Result<KeptGaps> kept_gaps_from(std::string_view text);

}  // namespace idlewarden

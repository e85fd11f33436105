// SPDX-License-Identifier: Apache-2.0
// What a walk through sshd_config means for how long a session may be idle, and why each line does
// or does not count.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "limits/limit.h"
#include "limits/sshd_walk.h"

namespace idlewarden {

// What a session's channel is to ChannelTimeout.
struct SshdChannel {
  Kind kind = Kind::ssh;
  std::vector<std::string> types;  // what sshd may call it; none: there is no channel
};
SshdChannel sshd_channel(Kind kind, Channel channel, const std::vector<SshdSubsystem>& subsystems);

// Of the elements of a ChannelTimeout the one that sshd goes by for this type; null: none.
const SshdChannelTimeout* sshd_timeout_of(std::string_view type,
                                          const std::vector<SshdChannelTimeout>& timeouts);

// SshdConfig::limits(). In sshd's order of reading.
std::vector<LimitSource> sshd_limits(const SshdWalk& walk, const SshdChannel& channel,
                                     Seconds floor);

}  // namespace idlewarden

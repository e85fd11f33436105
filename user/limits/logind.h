// SPDX-License-Identifier: Apache-2.0
// StopIdleSessionSec in logind.conf(5) and its drop-ins, read as systemd's conf-parser.c does.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "limits/limit.h"

namespace idlewarden {

// A time span as systemd.time(7) writes it, in seconds unless it names a unit: "10min", "1h 30min",
// "600", "1.5h". nullopt when systemd would refuse it; "infinity" is Nanoseconds::max(), as is
// whatever is longer than that.
std::optional<Nanoseconds> parse_time_span(std::string_view text);

struct LogindTimes {
  // The assignment in force; its limit is empty for "infinity" and 0, which mean never.
  std::optional<LimitSource> stop_idle_session;
  std::vector<LimitSource> overruled;      // the other ones, each with the reason
  std::optional<LimitSource> idle_action;  // IdleActionSec, which logind takes 30 min for if unset
  std::vector<Error> problems;             // files that could not be read to their end
  std::vector<std::string> files;          // what was read, and the folders looked into
};

// The first logind.conf of /etc, /run, /usr/local/lib, /usr/lib (systemd/ in each), then
// logind.conf.d/*.conf of all four in the order of their names; of two with one name only the one
// in the earlier folder counts.
LogindTimes logind_times(const Root& root);

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// [[control]] of a policy file: what a standard asks of a host. `lint --against FILE` holds a host
// against it; it decides about no session.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "sessions/session.h"

namespace idlewarden {

// The settings that a control can ask for by name.
inline constexpr std::array<std::string_view, 4> kControlSettings{
    "ClientAliveInterval", "ClientAliveCountMax", "TMOUT", "StopIdleSessionSec"};

struct Control {
  std::string id;
  std::string title;
  std::vector<std::string> systems;  // "rhel 9", "ubuntu 22.04", of os-release(5); none: all

  // requires: the letter, as a scanner looks for it.
  std::string setting;                   // one of kControlSettings; empty: no setting is named
  std::optional<std::int64_t> at_least;  // seconds, or a count
  std::optional<std::int64_t> at_most;
  bool readonly = false;  // TMOUT only
  bool exported = false;

  // intent: what it is for. Every such session without input ends within this time.
  std::optional<Seconds> idle_at_most;
  std::vector<Kind> kinds{Kind::ssh, Kind::console};
  bool jobs_may_finish = false;  // job_limit may be longer

  Where where;
};

}  // namespace idlewarden

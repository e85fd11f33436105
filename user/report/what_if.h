// SPDX-License-Identifier: Apache-2.0
// "What if the limit were ...": the answer that idle gaps give, as data, JSON and text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "report/idle_gaps.h"

namespace idlewarden {

struct WhatIf {
  // Sessions that nothing spares, but for `groups`.
  struct Limit {
    Seconds asked{0};
    Seconds limit{0};  // the longest that is counted and is not longer: no session is missed by it
    std::uint64_t ended = 0;
    std::uint64_t warned = 0;
    std::uint64_t users = 0;               // that are known by name and had a session ended
    std::uint64_t sessions_of_others = 0;  // ended; of users beyond those
    std::uint64_t idle_now = 0;            // sessions that would be ended at once
  };
  struct Group {
    GapGroup group;
    std::uint64_t sessions = 0;
    Seconds time{0};
    std::vector<std::uint64_t> ended;   // by limit
    std::vector<std::uint64_t> warned;  // by limit
  };
  struct Hit {
    std::uint64_t sessions = 0;
    WallTime last{};
  };
  struct User {
    std::string name;
    std::vector<Hit> hits;  // by limit
  };
  struct IdleNow {
    SessionId id;
    Kind kind = Kind::ssh;
    std::string user;
    std::string tty;
    Nanoseconds idle{0};
  };

  WallTime since{};
  WallTime as_of{};  // the last look
  Nanoseconds watched{0};
  Nanoseconds not_watched{0};
  Nanoseconds mean_pause{0};
  Nanoseconds longest_pause{0};
  Seconds warn{0};
  std::uint64_t sessions = 0;
  std::uint64_t spared = 0;  // of them
  std::uint64_t live = 0;    // of them
  Seconds time{0};
  std::uint64_t ended_by_us = 0;
  std::uint64_t cut = 0;
  std::uint64_t unrecorded = 0;
  std::vector<Limit> limits;  // ascending
  std::vector<Group> groups;
  std::vector<User> users;        // the most often hit first
  std::vector<IdleNow> idle_now;  // by the shortest limit; the idlest first, kMostIdle at most
  // The same of those that were not watched for so long, by the file times of their terminals.
  std::vector<IdleNow> by_file_time;
  static constexpr std::size_t kMostIdle = 100;
};

// "5m,10m"; empty: 5, 10, 15, 30 and 60 minutes. Sorted, each once; at most 12. A limit below the
// shortest that is counted is an error.
Result<std::vector<Seconds>> what_if_limits(std::string_view text);

WhatIf what_if(const IdleGaps& gaps, const std::vector<Seconds>& limits);

std::string what_if_json(const WhatIf& what_if);
// For 80 columns, if the limits are not more than five. Names at most `users` of the users.
inline constexpr int kUsersShown = 10;
std::string what_if_text(const WhatIf& what_if, int users);

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// What people are shown of the sessions: made from the daemon's own snapshot, or from the JSON that
// it serves. Every text is printable.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "report/snapshot.h"

namespace idlewarden {

// An empty text: there is none.
struct SessionLine {
  std::string user;
  std::string tty;   // "pts/3", "pts/3 in web"
  std::string from;  // the client's address
  std::string state;
  std::string program;  // in the foreground
  std::string set_by;   // where the limit comes from
  Nanoseconds idle{0};
  std::optional<Seconds> limit;
  std::optional<Nanoseconds> left;  // until the end; less than 0 once it is past

  friend bool operator==(const SessionLine&, const SessionLine&) = default;
};

struct SessionsView {
  std::string time;  // of the data, RFC 3339
  std::string mode;
  std::string backend;
  std::vector<pid_t> only_host_pids;  // empty: all sessions are looked at
  std::vector<SessionLine> sessions;
  std::vector<std::string> degraded;  // sentences

  friend bool operator==(const SessionsView&, const SessionsView&) = default;
};

// "only logins through pid 4242"; empty where there is no such scope.
std::string scope_text(const std::vector<pid_t>& only_host_pids);

SessionsView view_of(const Snapshot& snapshot);
// Of sessions_json(). An error if it is anything else.
Result<SessionsView> parse_view(std::string_view json);

// What comes next stands first; sessions that nothing will end stand last, the idlest of them
// first.
bool more_urgent(const SessionLine& a, const SessionLine& b);

}  // namespace idlewarden

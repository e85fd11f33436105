// SPDX-License-Identifier: Apache-2.0
// Asking a running daemon over its unix socket. SIGPIPE is blocked for the calling thread during a
// call, in a callback too: whoever prints there to a pipe sees EPIPE and returns false.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace idlewarden {

inline constexpr const char* kDefaultSocket = "/run/idlewarden/idlewarden.sock";

// Any text as one part of a target.
std::string percent_encoded(std::string_view raw);

// GET `target` ("/v1/sessions.txt?width=80"): the body of a 200, which ends in a newline. Any other
// status is an error with the daemon's own words; of a 404 (no such session) the code is ESRCH. If
// nobody answers, code is the errno of connect(2) and the error says how to start the daemon.
Result<std::string> fetch_unix(const std::string& socket, const std::string& target);

// The same for lines and streams of lines: calls back for every line that is not empty, until the
// body is complete or the callback returns false. That the daemon stops in the middle or falls
// silent for 30 s is an error.
using LineHandler = std::function<bool(std::string_view line)>;
Result<void> follow_unix(const std::string& socket, const std::string& target,
                         const LineHandler& handler);

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// Values that both the policy files and the command line can give.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace idlewarden {

// "127.0.0.1:9477", "[::1]:9477", "127.0.0.1:0"; "none" gives nullopt.
Result<std::optional<std::string>> parse_listen(const std::string& text);

// Only the placeholders that Messages knows.
Result<void> check_message(const std::string& text);
// Line ends as a terminal in any mode wants them: every LF behind a CR.
std::string with_crlf(const std::string& text);

}  // namespace idlewarden

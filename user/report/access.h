// SPDX-License-Identifier: Apache-2.0
// Who may be told of people (the status page, its API, the series of single sessions), which the
// policy's [metrics] page and token_file say. On loopback whoever is there; a web page of somebody
// else's that a browser on this host has open is not: it names another host, RFC 9110 7.2 and "DNS
// rebinding". Everywhere else, and for what a proxy passes on, only who has the token.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "report/snapshot.h"

namespace idlewarden {

// What is known of one request.
struct Visitor {
  std::string local_address;  // of the connection: numeric; empty: none
  std::string peer_address;
  std::vector<std::string> hosts;  // its Host headers
  std::string authorization;       // its Authorization header
  std::string token;               // of its target: ?token=...
  bool proxied = false;            // it says that a proxy has passed it on
};

struct Refusal {
  int status = 403;  // RFC 9110
  std::string text;
};

// nullopt: may see it. That the policy shows the page to nobody is not asked here.
std::optional<Refusal> refusal(const Snapshot& snapshot, const Visitor& visitor);

// The token: the file without blanks around it; 16 to 256 characters that may stand in an URL. It
// is read anew for every request that presents one, so a new one holds at once.
Result<std::string> read_token(const std::string& file);
// As long for a wrong guess as for the right one.
bool equal_in_constant_time(std::string_view guess, std::string_view secret);

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// The status page: one HTML document that needs nothing else, shows everything without its script,
// and with it brings itself up to date every 2 s.
#pragma once

#include <string>
#include <vector>

#include "report/event.h"
#include "report/snapshot.h"

namespace idlewarden {

struct PageContext {
  std::string host;   // this host's name
  std::string nonce;  // of style and script, for page_policy()
  std::string query;  // "?token=...", for the links; empty: none
};

// `events` the oldest first; the last 20 are shown, and the 200 sessions that come next.
std::string status_page(const Snapshot& snapshot, const std::vector<Event>& events,
                        const PageContext& context);
// Its Content-Security-Policy: nothing from elsewhere, nothing to elsewhere, no frame around it.
std::string page_policy(const std::string& nonce);

}  // namespace idlewarden

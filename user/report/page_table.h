// SPDX-License-Identifier: Apache-2.0
// The sessions as the status page shows them. Every text is printable.
#pragma once

#include <string>
#include <vector>

#include "report/html.h"
#include "report/sessions_view.h"
#include "report/snapshot.h"

namespace idlewarden {

struct PageRow {
  SessionLine line;
  std::string kind;
  std::string reason;  // why its limit is what it is: "10m: ClientAliveInterval, 5m x 2"
};
using PageRows = std::vector<PageRow>;  // what comes next stands first

PageRows page_rows(const Snapshot& snapshot);
void add_session_table(Html& page, const PageRows& rows);

}  // namespace idlewarden

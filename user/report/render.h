// SPDX-License-Identifier: Apache-2.0
// Snapshots and verdicts as text: JSON for machines, tables for people, Prometheus for scrapes.
// Everything that somebody else chose goes through printable() here.
#pragma once

#include <string>

#include "limits/limit.h"
#include "report/columns.h"
#include "report/snapshot.h"

namespace idlewarden {

std::string sessions_json(const Snapshot& snapshot);
// The daemon itself: version, backend, mode, how many sessions, what is degraded.
std::string status_json(const Snapshot& snapshot);
// A table with a header line, sorted by time left, and a line that sums it up; `width` columns at
// most (0: no bound).
std::string sessions_table(const Snapshot& snapshot, int width, Charset charset = Charset::utf8);
std::string explain_json(const Verdict& verdict);
std::string explain_text(const Verdict& verdict);
std::string metrics_text(const Snapshot& snapshot);  // the exposition format, version 0.0.4

}  // namespace idlewarden

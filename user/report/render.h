// SPDX-License-Identifier: Apache-2.0
// Snapshots and verdicts as text: JSON for machines, tables for people, Prometheus for scrapes.
// Everything that somebody else chose goes through printable() here.
#pragma once

#include <string>

#include "base/result.h"
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
// A live session by its id, its leader's pid or its tty; an error says what may have been meant.
Result<const SessionRow*> find_session(const Snapshot& snapshot, const std::string& name);
// The same for it, with the session itself: "session" as sessions_json() has it.
std::string explain_session_json(const Snapshot& snapshot, const SessionRow& row);
std::string explain_session_text(const SessionRow& row);
// The exposition format, version 0.0.4. Without `name_people` also without the series per session.
std::string metrics_text(const Snapshot& snapshot, bool name_people = true);

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// What the code knows and the manual must name, a line each: every event, and every metric of an
// exposition in which each family has something to say. For tests/check/manual.
#include <fmt/format.h>

#include "base/text.h"
#include "report/render.h"
#include "unit/report/samples.h"

int main() {
  using namespace idlewarden;
  for (const EventInfo& info : all_events()) fmt::print("event {}\n", info.name);
  Snapshot snapshot = test::small_snapshot();
  snapshot.per_session_metrics = true;
  snapshot.degraded["some"] = "reason";
  constexpr std::string_view kType = "# TYPE ";
  for (const std::string& line : split(metrics_text(snapshot), '\n')) {
    if (!line.starts_with(kType)) continue;
    fmt::print("metric {}\n", split(line.substr(kType.size()), ' ').front());
  }
}

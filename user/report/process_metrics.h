// SPDX-License-Identifier: Apache-2.0
// The process_* metrics that every Prometheus client library has, of the calling process.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "base/clock.h"
#include "base/procfs.h"

namespace idlewarden {

// `wall` and `now` are the same moment. What cannot be read is left out.
std::vector<prometheus::MetricFamily> process_metrics(WallTime wall, BootTime now,
                                                      const Procfs& procfs = Procfs());

}  // namespace idlewarden

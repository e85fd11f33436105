// SPDX-License-Identifier: Apache-2.0
#include "report/snapshot.h"

#include <algorithm>

namespace idlewarden {

Histogram::Histogram(std::vector<double> upper_bounds)
    : bounds(std::move(upper_bounds)), counts(bounds.size() + 1) {}

void Histogram::observe(double value) {
  const auto bucket = std::ranges::lower_bound(bounds, value) - bounds.begin();
  ++counts[static_cast<std::size_t>(bucket)];
  sum += value;
}

}  // namespace idlewarden

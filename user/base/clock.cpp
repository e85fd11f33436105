// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <time.h>

namespace idlewarden {

BootTime SystemClock::now() const {
  timespec ts{};
  clock_gettime(CLOCK_BOOTTIME, &ts);
  return BootTime(std::chrono::seconds(ts.tv_sec) + Nanoseconds(ts.tv_nsec));
}

WallTime SystemClock::wall() const {
  return std::chrono::system_clock::now();
}

std::string rfc3339(WallTime t) {
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(t);
  const auto s = std::chrono::floor<Seconds>(ms);
  const std::time_t seconds = std::chrono::system_clock::to_time_t(s);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", utc, (ms - s).count());
}

}  // namespace idlewarden

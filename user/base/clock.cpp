// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <time.h>

#include "base/patience.h"

namespace idlewarden {
namespace {

Nanoseconds read(clockid_t clock) {
  timespec ts{};
  clock_gettime(clock, &ts);
  return Seconds(ts.tv_sec) + Nanoseconds(ts.tv_nsec);
}

}  // namespace

BootTime SystemClock::now() const {
  return BootTime(read(CLOCK_BOOTTIME));
}

Nanoseconds SystemClock::cpu() const {
  return read(CLOCK_THREAD_CPUTIME_ID) + cost_of_answers();
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

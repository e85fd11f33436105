// SPDX-License-Identifier: Apache-2.0
// Time. Everything that decides is CLOCK_BOOTTIME (clock_gettime(2)): it never steps, and it counts
// the time that the machine was suspended. It is what bpf_ktime_get_boot_ns() and a task's
// start_boottime are measured in, so kernel and user time can be subtracted. The wall clock is
// only ever shown to people, or compared with a policy's hours.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace idlewarden {

using Nanoseconds = std::chrono::nanoseconds;
using Seconds = std::chrono::seconds;

// Only a tag for the type system; ask a Clock for the time.
struct BootClock {
  using duration = Nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;
};
using BootTime = BootClock::time_point;
using WallTime = std::chrono::system_clock::time_point;

constexpr BootTime boot_time(std::uint64_t ns) {
  return BootTime(Nanoseconds(static_cast<std::int64_t>(ns)));
}
constexpr std::uint64_t to_ns(BootTime t) {
  return static_cast<std::uint64_t>(t.time_since_epoch().count());
}
constexpr double to_seconds(Nanoseconds d) {
  return static_cast<double>(d.count()) / 1e9;
}

class Clock {
 public:
  virtual ~Clock() = default;
  virtual BootTime now() const = 0;
  virtual WallTime wall() const = 0;
  // What the calling thread has cost until now, and the answers that it has had of other threads. A
  // clock that is only told the time knows no waiting.
  virtual Nanoseconds cpu() const { return now().time_since_epoch(); }
};

class SystemClock final : public Clock {
 public:
  BootTime now() const override;
  WallTime wall() const override;
  Nanoseconds cpu() const override;  // CLOCK_THREAD_CPUTIME_ID, and base/patience.h
};

// RFC 3339 with milliseconds, UTC: "2026-11-22T12:06:45.123Z".
std::string rfc3339(WallTime t);

}  // namespace idlewarden

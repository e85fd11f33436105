// SPDX-License-Identifier: Apache-2.0
// Notices that the daemon stood still: stopped, starved, or suspended with the whole machine, which
// CLOCK_BOOTTIME counts (clock_gettime(2)). Whatever it knew is old then, and keys, a reload, news
// of sessions may lie in queues that nobody has read yet, its own and the host processes'. So
// everything is read again, and for a moment nothing is decided.
#pragma once

#include "base/clock.h"

namespace idlewarden {

class Stall {
 public:
  // A turn later than this is a stall.
  static constexpr Nanoseconds kLate = Seconds(2);
  // No shortage of time explains a turn later than this: the machine slept.
  static constexpr Nanoseconds kAsleep = Seconds(10);
  // Time for what waited to be read: the daemon's queues need one turn of its loop, an sshd that
  // stood still with the machine a few milliseconds.
  static constexpr Nanoseconds kSettle = Seconds(2);

  // The next turn is due at this time at the latest.
  void expect(BootTime due) { due_ = due; }
  // At the beginning of a turn: whether it comes so late that all of it has to be read again. The
  // first turn is never late. Of turns that are late one after the other only the first, and each
  // after a sleep, is followed by a pause: a host that is always short of time still ends who is
  // idle.
  bool noticed(BootTime now) {
    const bool late = due_ != BootTime{} && now - due_ > kLate;
    if (late) lateness_ = now - due_;
    if (late && (!behind_ || lateness_ > kAsleep)) settled_at_ = now + kSettle;
    behind_ = late;
    return late;
  }
  Nanoseconds lateness() const { return lateness_; }  // of the last stall
  bool settling(BootTime now) const { return now < settled_at_; }

 private:
  BootTime due_{};
  BootTime settled_at_{};
  bool behind_ = false;
  Nanoseconds lateness_{0};
};

}  // namespace idlewarden

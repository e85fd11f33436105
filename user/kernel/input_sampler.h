// SPDX-License-Identifier: Apache-2.0
// Input without a hook: two scans of the same tty are compared. Every byte that a device delivers
// is put into a flip buffer of its port, and what the line discipline takes from there moves its
// read_head. On a pts the flip buffer alone decides, since TIOCSTI moves only read_head; on a
// console either does, since gpm's paste moves only read_head too. A read_head that went back (the
// tty was flushed) has moved as well.
//
// Where a hook records, what it recorded is told too: movement that it explains is not input again,
// but movement that it missed (kprobes switched off, io_uring under the tracepoint) still is: no
// single observer can make a typing user look idle. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>

#include "kernel/activity_source.h"

namespace idlewarden {

struct LineState {
  std::uint64_t read_head = 0;
  std::uint64_t flip = 0;
  std::uint32_t flip_used = 0;
  std::uint64_t recorded = 0;  // by a hook: inputs and replies
};

class InputSampler {
 public:
  // A scan: first every tty that it saw, then end_scan(), which forgets the ttys that are neither
  // seen nor watched. `now` is when the scan was made.
  // observe() says whether there was input on a watched tty.
  bool observe(const Tty& tty, const LineState& line, BootTime now);
  void end_scan(BootTime now);

  // Input since the last scan that saw the tty counts; without one, since the next.
  void watch(const Tty& tty);
  void unwatch(const Tty& tty) noexcept;
  bool watches(const Tty& tty) const;
  InputSeen input(const Tty& tty) const;

 private:
  struct Line {
    LineState last;
    BootTime at{};  // of the last scan that saw it; 0: none yet
    bool watched = false;
    InputSeen seen;
  };

  struct ByAddress {
    std::size_t operator()(const Tty& tty) const noexcept {
      return std::hash<std::uint64_t>()(tty.address);
    }
  };

  std::unordered_map<Tty, Line, ByAddress> lines_;
};

}  // namespace idlewarden

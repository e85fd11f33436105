// SPDX-License-Identifier: Apache-2.0
// "When": what the kernel says about session leaders, their ttys and the last input on each.
// Everything above this folder sees the kernel only through this header.
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace idlewarden {

// How input is observed, the best first.
enum class Backend { fentry, kprobe, tracepoint, sampler };
std::string_view to_string(Backend backend);
std::optional<Backend> backend_from(std::string_view name);

// A slave tty at one moment. The address is reused after the tty is gone, the number even sooner:
// only together with a leader and its start time is it an identity.
struct Tty {
  std::uint64_t address = 0;  // of the kernel's tty_struct
  std::uint32_t major = 0;    // of the driver: 136..143 pts, 4 tty and ttyS, 229 hvc, ...
  std::uint32_t minor = 0;
  std::uint32_t index = 0;  // of a pts: its number
  std::uint32_t devpts_dev =
      0;  // st_dev of the devpts mount that it belongs to, as stat(2) gives it

  bool is_pts() const noexcept { return major >= 136 && major <= 143; }
  friend auto operator<=>(const Tty&, const Tty&) = default;
};

// What is known of the input on a watched tty since it is watched.
struct InputSeen {
  std::optional<BootTime> last_input;   // with the sampler: when the scan that noticed it was made
  std::optional<BootTime> last_output;  // only if the source was asked to record output
  std::optional<BootTime> last_reply;   // the terminal answered by itself; not input
  std::uint64_t inputs = 0;
  std::uint64_t replies = 0;
  // Since when all of this is known; input before it was not seen. Kept over a restart as far as
  // the records are. A session that began before it is idle since then at most, unless it had
  // no_input_yet when it was found.
  std::optional<BootTime> since = std::nullopt;
};

// One session leader.
struct Leader {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t grandparent = 0;
  BootTime start{};
  uid_t uid = 0;
  std::optional<uid_t> loginuid;  // audit's; none where audit is off
  std::optional<std::uint32_t> audit_session;
  std::uint64_t cgroup_id = 0;
  pid_t foreground_pgrp = 0;  // of its tty; 0: none
  std::optional<Tty> tty;
  // No byte has reached the tty: a session of which this is true has never been typed in.
  bool no_input_yet = false;
};

// Not thread-safe: the daemon's loop owns it.
class ActivitySource {
 public:
  virtual ~ActivitySource() = default;

  virtual Backend backend() const noexcept = 0;
  // The session leaders of the host and the input on their ttys, in one read of the kernel.
  virtual Result<std::vector<Leader>> scan() = 0;
  // From now on input on this tty is recorded. Idempotent. Input before the call is unknown.
  virtual Result<void> watch(const Tty& tty) = 0;
  virtual void unwatch(const Tty& tty) noexcept = 0;
  // The newest that is known without a scan: with a hook, the record itself (no system call); with
  // the sampler, and for ttys that no hook sees, as of the last scan. Empty if not watched.
  virtual InputSeen input(const Tty& tty) const = 0;
  // Whether input() on this tty is only as new as the last scan.
  virtual bool needs_scan(const Tty& tty) const noexcept = 0;
};

}  // namespace idlewarden

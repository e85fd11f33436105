// SPDX-License-Identifier: Apache-2.0
// How long people really leave their sessions alone: what a limit would have done, had it been in
// force, is counted from here. A gap is a stretch of a session without input; it ends with input or
// with the session. Plain data: no clock, no file, no thread.
//
// A limit ends a session once, in the first gap that reaches it, so a session counts under a limit
// when its longest gap does. It is warned under a limit when a gap came as close to it as the
// warning, and ended with input, before any gap reached it. Both are counted for a fixed list of
// limits, so nothing has to be kept of the single gaps.
//
// Errors: a gap is taken for as long as the last look at which it still went on said. So it is
// never too long, and too short by at most one pause between two looks; by a second one with the
// sampler, which sees input only when it looks. The looks keep count of their pauses. While a
// foreground job has a job_limit instead of the limit, a gap does not grow.
//
// Bounds: at most kMaxGroups groups and kMaxUsers users in each of two tallies, and kMaxLive live
// sessions; what passes them is counted, without its name. The tallies hold 30 to 60 days: when the
// newer one has been fed for 30, it becomes the older one, whose counts go.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "enforce/warden.h"
#include "sessions/session.h"

namespace idlewarden {

inline constexpr std::array<Seconds, 51> kGapLimits = [] {
  using namespace std::chrono;
  return std::array<Seconds, 51>{
      5s,      10s,     15s,      20s,      30s,      45s,     1min,    2min,    3min,
      4min,    5min,    6min,     7min,     8min,     9min,    10min,   12min,   15min,
      20min,   25min,   30min,    35min,    40min,    45min,   50min,   55min,   60min,
      75min,   90min,   2h,       150min,   3h,       4h,      5h,      6h,      8h,
      10h,     12h,     16h,      20h,      24h,      36h,     days(2), days(3), days(4),
      days(5), days(7), days(10), days(14), days(21), days(30)};
}();
// How many of them a gap of this length reaches: 0 if not even the shortest.
std::size_t limits_reached(Nanoseconds gap);

// Why no idle limit would end the session, whatever it is set to.
enum class Spared { no, never, alert };
std::string_view to_string(Spared spared);

struct GapGroup {
  Kind kind = Kind::ssh;
  std::string rule;  // printable; empty: none matched
  Spared spared = Spared::no;
  friend auto operator<=>(const GapGroup&, const GapGroup&) = default;
};

struct GroupCounts {
  std::uint64_t sessions = 0;
  Seconds time{0};  // that they were seen to last; a nanosecond count of it would overflow
  std::array<std::uint64_t, kGapLimits.size() + 1> longest{};  // by the limits that it reached
  std::array<std::uint64_t, kGapLimits.size()> warned{};       // by limit
};

struct UserHit {
  std::uint32_t reached = 0;  // limits, by the longest gap of a session; never 0
  std::uint64_t sessions = 0;
  WallTime last{};  // the end of the last such gap
  friend bool operator==(const UserHit&, const UserHit&) = default;
};

// One session: live, or on its way into a tally.
struct GapSession {
  GapGroup group;    // as of the last look
  std::string user;  // printable
  std::string tty;
  BootTime first_seen{};
  BootTime last_seen{};
  BootTime last_activity{};
  Nanoseconds gap{0};      // the one that goes on
  Nanoseconds longest{0};  // of those that ended
  WallTime longest_at{};
  std::uint64_t warned = 0;  // a bit for each limit
  bool restored = false;     // known from an earlier run, not seen in this one yet
  bool job_running = false;
  std::optional<BootTime> by_file_time = std::nullopt;  // as of the last look; not kept in the file

  Nanoseconds longest_so_far() const { return std::max(longest, gap); }
};

struct GapTally {
  static constexpr std::size_t kMaxGroups = 64;
  static constexpr std::size_t kMaxUsers = 256;

  WallTime since{};
  std::uint64_t looks = 0;
  Nanoseconds watched{0};        // between looks
  Nanoseconds longest_pause{0};  // of those
  Nanoseconds not_watched{0};    // between one daemon and the next
  std::map<GapGroup, GroupCounts> groups;
  // Of the sessions that nothing spares; ascending by `reached`. When there are too many users, the
  // one whose sessions were left alone least goes to the others.
  std::map<std::string, std::vector<UserHit>> users;
  std::array<std::uint64_t, kGapLimits.size() + 1> other_users{};  // their sessions
  std::uint64_t ended_by_us = 0;                                   // sessions
  std::uint64_t cut = 0;         // gaps that a restart cut: input during it was not seen
  std::uint64_t unrecorded = 0;  // sessions at one time, beyond kMaxLive

  // `now` is the end of a gap that goes on.
  void add(const GapSession& session, WallTime now);
  void add(const GapTally& other);

 private:
  GroupCounts& group(GapGroup key);
  void add_hits(const std::string& user, const std::vector<UserHit>& hits);
};

struct IdleGaps {
  static constexpr std::size_t kMaxLive = 16'384;

  GapTally older;
  GapTally recent;
  std::map<SessionId, GapSession> live;
  BootTime last_look{};  // 0: none yet
  WallTime last_look_wall{};
  BootTime resumed_at{};
  Seconds warn{0};  // the policy's: how long before a limit

  explicit IdleGaps(WallTime since = {}) { recent.since = since; }

  // Every session as it is now, ascending by its id. One that is missing has ended.
  void look(BootTime now, WallTime wall, const std::vector<Observation>& all);
  // A daemon goes on with what an earlier one kept. After a reboot the sessions of then have ended;
  // else they get a minute to be found again.
  void resume(BootTime now, WallTime wall, bool same_boot);
  // Everything, the live sessions as if they ended now.
  GapTally total() const;

 private:
  void see(GapSession& session, const Observation& o, BootTime now, WallTime wall);
  void end_gap(GapSession& session, bool by_input, WallTime at) const;
};

}  // namespace idlewarden

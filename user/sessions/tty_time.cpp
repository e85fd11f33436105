// SPDX-License-Identifier: Apache-2.0
#include "sessions/tty_time.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace idlewarden {

namespace {

Result<std::optional<WallTime>> read_time(const Procfs& procfs, pid_t leader, const Tty& tty) {
  for (const int number : {0, 1, 2}) {
    const std::string name = fmt::format("fd/{}", number);
    const auto target = procfs.link(leader, name);
    if (!target || !target->starts_with("/dev/")) continue;
    struct statx info {};
    // A look at what the link leads to, as the kernel has it: nothing is opened, and no file system
    // of a server or of a user's is asked.
    const std::string path = procfs.path(leader, name);
    if (::statx(AT_FDCWD, path.c_str(), AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_BASIC_STATS,
                &info) != 0) {
      continue;
    }
    const bool is_it = S_ISCHR(info.stx_mode) && info.stx_rdev_major == tty.major &&
                       info.stx_rdev_minor == tty.minor;
    const auto mount = ::makedev(info.stx_dev_major, info.stx_dev_minor);
    if (!is_it || (tty.is_pts() && mount != tty.devpts_dev)) continue;
    return WallTime(std::chrono::duration_cast<WallTime::duration>(
        Seconds(info.stx_atime.tv_sec) + Nanoseconds(info.stx_atime.tv_nsec)));
  }
  return std::nullopt;
}

}  // namespace

std::optional<WallTime> tty_read_time(const Procfs& procfs, pid_t leader, const Tty& tty) {
  using Time = std::optional<WallTime>;
  return procfs
      .ask<Time>(leader, [leader, tty](const Procfs& proc) { return read_time(proc, leader, tty); })
      .value_or(std::nullopt);
}

}  // namespace idlewarden

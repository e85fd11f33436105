// SPDX-License-Identifier: Apache-2.0
#include "sessions/tty_time.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace idlewarden {

std::optional<WallTime> tty_read_time(const Procfs& procfs, pid_t leader, const Tty& tty) {
  for (const int number : {0, 1, 2}) {
    const std::string name = fmt::format("fd/{}", number);
    // The link's text alone asks no file system, which could be one that does not answer.
    const auto target = procfs.link(leader, name);
    if (!target || !target->starts_with("/dev/")) continue;
    struct stat info {};
    // A look at what the link leads to; nothing is opened.
    const std::string path = procfs.path(leader, name);
    if (::stat(path.c_str(), &info) != 0 || !S_ISCHR(info.st_mode)) continue;
    if (info.st_rdev != ::makedev(tty.major, tty.minor)) continue;
    if (tty.is_pts() && info.st_dev != tty.devpts_dev) continue;
    return WallTime(std::chrono::duration_cast<WallTime::duration>(
        Seconds(info.st_atim.tv_sec) + Nanoseconds(info.st_atim.tv_nsec)));
  }
  return std::nullopt;
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "enforce/tty_of.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <string>
#include <vector>

namespace idlewarden {
namespace {

std::unexpected<Error> gone(const Session& session) {
  Error error;
  error.what = fmt::format("{} is gone", session.tty_name);
  error.code = ESRCH;
  return std::unexpected(std::move(error));
}

bool is_tty_of(const struct statx& st, const Session& session) {
  const Tty& tty = session.tty;
  return S_ISCHR(st.stx_mode) && st.stx_rdev_major == tty.major && st.stx_rdev_minor == tty.minor &&
         (!tty.is_pts() || ::makedev(st.stx_dev_major, st.stx_dev_minor) == tty.devpts_dev);
}

// An O_PATH descriptor, which opens no device, of the tty if that is what the path leads to.
UniqueFd find(const std::string& path, const Session& session) {
  UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  struct statx st {};
  // As the kernel has it: a user's descriptor may be of a file system that does not answer.
  if (!fd ||
      ::statx(fd.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st) != 0 ||
      !is_tty_of(st, session)) {
    return {};
  }
  return fd;
}

UniqueFd find_tty(const Procfs& procfs, const Session& session) {
  const pid_t leader = session.id.leader;
  const std::string device = session.tty.is_pts() ? fmt::format("/dev/pts/{}", session.tty.index)
                                                  : "/dev/" + session.tty_name;
  UniqueFd fd = find(device, session);
  if (fd) return fd;
  for (const int number : procfs.descriptors(leader).value_or(std::vector<int>())) {
    fd = find(procfs.path(leader, fmt::format("fd/{}", number)), session);
    if (fd) return fd;
  }
  return find(procfs.path(leader, "root") + device, session);
}

}  // namespace

Result<UniqueFd> open_tty(const Procfs& procfs, const Session& session) {
  const UniqueFd found = find_tty(procfs, session);
  if (!found) return gone(session);
  const std::string path = fmt::format("/proc/thread-self/fd/{}", found.get());
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (fd) return fd;
  if (errno == EIO || errno == ENXIO || errno == ENODEV) return gone(session);
  return fail_errno("cannot open " + session.tty_name);
}

}  // namespace idlewarden

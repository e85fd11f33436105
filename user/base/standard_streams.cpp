// SPDX-License-Identifier: Apache-2.0
#include "base/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace idlewarden {

Result<void> open_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    // Kept over exec, as the standard streams are. The lowest free number is this one.
    if (::open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) != fd) {
      return fail_errno("cannot open /dev/null");
    }
  }
  return {};
}

Result<void> flush_output() {
  const bool failed_before = std::ferror(stdout) != 0;  // why is not known any more
  const bool failed = std::fflush(stdout) != 0;
  if (!failed && !failed_before) return {};
  const int code = failed ? errno : 0;
  std::clearerr(stdout);
  return fail_errno(kUnwritten, code);
}

}  // namespace idlewarden

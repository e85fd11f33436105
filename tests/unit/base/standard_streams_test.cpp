// SPDX-License-Identifier: Apache-2.0
#include "base/standard_streams.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace idlewarden {
namespace {

bool is_null(int fd) {
  struct stat here {};
  struct stat null {};
  return ::fstat(fd, &here) == 0 && ::stat("/dev/null", &null) == 0 && here.st_rdev == null.st_rdev;
}

// 0, or the number of the expectation that did not hold.
int started_without_any() {
  for (const int fd : {0, 1, 2}) ::close(fd);
  if (!open_standard_streams()) return 1;
  if (!is_null(0) || !is_null(1) || !is_null(2)) return 2;
  if (::open("/dev/zero", O_RDONLY) < 3) return 3;
  char byte = 0;
  if (::read(0, &byte, 1) != 0) return 4;
  if (::write(1, &byte, 1) != -1 || errno != EBADF) return 5;
  return ::write(2, &byte, 1) == 1 ? 0 : 6;
}

int started_with_all() {
  struct stat before {};
  struct stat after {};
  ::fstat(1, &before);
  if (!open_standard_streams()) return 1;
  ::fstat(1, &after);
  return before.st_dev == after.st_dev && before.st_ino == after.st_ino ? 0 : 2;
}

int in_child(int (*what)()) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(what());
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(StandardStreams, NothingElseGetsTheNumbersOfThoseThatWereClosed) {
  EXPECT_EQ(in_child(started_without_any), 0);
}

TEST(StandardStreams, ThoseThatAreOpenStay) {
  EXPECT_EQ(in_child(started_with_all), 0);
}

}  // namespace
}  // namespace idlewarden

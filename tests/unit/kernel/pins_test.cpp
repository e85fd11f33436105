// SPDX-License-Identifier: Apache-2.0
// What is said where nothing can be pinned; the pins themselves: tests/kernel.
#include "kernel/pins.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "support/temp_dir.h"

namespace idlewarden {
namespace {

// As somebody who may not look into the folder; whether it is an error that says what to do.
bool refuses_who_may_not_look(const std::string& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr uid_t kNobody = 65534;
    if (::getuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(2);
    const auto removed = remove_pins(path);
    ::_exit(!removed && removed.error().code == EACCES && removed.error().hint == "run it as root"
                ? 0
                : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status == 0;
}

TEST(PinDir, NobodyIsToldToMountOverAnythingElse) {
  for (const char* path : {"/pinsx", "/sys/fs/bpfx/v1"}) {
    const auto opened = PinDir::open(path);
    ASSERT_FALSE(opened);
    EXPECT_EQ(
        opened.error().text(),
        std::string(path) + " is not on a BPF file system (choose a folder below /sys/fs/bpf)");
  }
}

TEST(RemovePins, ThatCannotBeSeenAreNotNone) {
  const test::TempDir dir;
  const std::string locked = dir.path() + "/locked";
  ASSERT_EQ(::mkdir(locked.c_str(), 0), 0);
  EXPECT_TRUE(refuses_who_may_not_look(locked + "/idlewarden/v1"));
}

TEST(RemovePins, OfNoFolderAreNone) {
  const test::TempDir dir;
  const std::string file = dir.file("file", "");
  for (const std::string& path : {dir.path() + "/none/v1", file + "/v1"}) {
    const auto removed = remove_pins(path);
    ASSERT_TRUE(removed) << removed.error().text();
    EXPECT_EQ(removed->pins, 0);
  }
}

}  // namespace
}  // namespace idlewarden

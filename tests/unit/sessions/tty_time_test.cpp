// SPDX-License-Identifier: Apache-2.0
#include "sessions/tty_time.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>

#include "base/unique_fd.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

constexpr pid_t kLeader = 4242;

// A real pty, and a /proc in which a leader has it, or something else, as its descriptors.
class TtyTimeTest : public testing::Test {
 protected:
  void SetUp() override {
    master_ = UniqueFd(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    ASSERT_TRUE(master_);
    ASSERT_EQ(::unlockpt(master_.get()), 0);
    slave_path_ = ::ptsname(master_.get());
    slave_ = UniqueFd(::open(slave_path_.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    ASSERT_TRUE(slave_);
    struct stat info {};
    ASSERT_EQ(::fstat(slave_.get(), &info), 0);
    tty_.major = ::major(info.st_rdev);
    tty_.minor = ::minor(info.st_rdev);
    tty_.devpts_dev = static_cast<std::uint32_t>(info.st_dev);
    std::filesystem::create_directories(fds());
  }
  std::string fds() const { return dir_.path() + "/4242/fd"; }
  void link(int number, const std::string& target) const {
    std::filesystem::create_symlink(target, fds() + "/" + std::to_string(number));
  }
  std::optional<WallTime> read() const { return tty_read_time(Procfs(dir_.path()), kLeader, tty_); }

  test::TempDir dir_;
  UniqueFd master_, slave_;
  std::string slave_path_;
  Tty tty_;
};

TEST_F(TtyTimeTest, IsWhenTheTtyWasLastReadFrom) {
  link(0, "/dev/null");
  link(1, slave_path_);
  const timespec times[2] = {{.tv_sec = 1'700'000'000, .tv_nsec = 5'000'000},
                             {.tv_sec = 1, .tv_nsec = 0}};
  ASSERT_EQ(::futimens(slave_.get(), times), 0);
  EXPECT_EQ(read(), WallTime(std::chrono::milliseconds(1'700'000'000'005)));
}

TEST_F(TtyTimeTest, IsNotThatOfAnotherTty) {
  link(0, slave_path_);
  ++tty_.minor;
  EXPECT_EQ(read(), std::nullopt);
  --tty_.minor;
  ++tty_.devpts_dev;  // the same number, of a container
  EXPECT_EQ(read(), std::nullopt);
}

TEST_F(TtyTimeTest, IsUnknownWithoutADescriptorOnIt) {
  EXPECT_EQ(read(), std::nullopt);
  link(0, "/dev/null");
  link(2, "/nowhere");
  EXPECT_EQ(read(), std::nullopt);
}

}  // namespace
}  // namespace idlewarden

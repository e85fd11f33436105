// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_timeout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <initializer_list>
#include <string>
#include <utility>

#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Debian 12's own, word for word (package base-files).
constexpr const char* kDebianProfile =
    R"sh(# /etc/profile: system-wide .profile file for the Bourne shell (sh(1))
# and Bourne compatible shells (bash(1), ksh(1), ash(1), ...).

if [ "$(id -u)" -eq 0 ]; then
  PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
else
  PATH="/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
fi
export PATH

if [ "${PS1-}" ]; then
  if [ "${BASH-}" ] && [ "$BASH" != "/bin/sh" ]; then
    # The file bash.bashrc already sets the default PS1.
    # PS1='\h:\w\$ '
    if [ -f /etc/bash.bashrc ]; then
      . /etc/bash.bashrc
    fi
  else
    if [ "$(id -u)" -eq 0 ]; then
      PS1='# '
    else
      PS1='$ '
    fi
  fi
fi

if [ -d /etc/profile.d ]; then
  for i in /etc/profile.d/*.sh; do
    if [ -r $i ]; then
      . $i
    fi
  done
  unset i
fi
)sh";

class ShellTimeout : public ::testing::Test {
 protected:
  void debian() { tree_.file("/etc/profile", kDebianProfile); }
  void file(const std::string& path, const std::string& text) { tree_.file(path, text); }

  ShellTimeouts read(const std::string& shell = "/bin/bash") const {
    return shell_timeouts(Root(tree_.path()),
                          {.uid = ::getuid(), .home = "/home/u", .shell = shell});
  }
  // The limit that holds under no condition; -1: there is none, -2: not exactly one.
  long decided(const std::string& shell = "/bin/bash") const {
    const ShellTimeouts timeouts = read(shell);
    if (timeouts.in_force.empty()) return -1;
    if (timeouts.in_force.size() > 1 || timeouts.in_force[0].conditional) return -2;
    const auto& limit = timeouts.in_force[0].limit;
    return limit ? limit->count() : -1;
  }
  long profile(const std::string& text, const std::string& shell = "/bin/bash") const {
    tree_.file("/etc/profile", text);
    return decided(shell);
  }

  test::TempDir tree_;
};

TEST_F(ShellTimeout, HowToOnThreeLines) {
  debian();
  file("/etc/bash.bashrc", "TMOUT=300\nreadonly TMOUT\nexport TMOUT\n");
  const ShellTimeouts timeouts = read();
  ASSERT_THAT(timeouts.in_force, SizeIs(1));
  EXPECT_EQ(timeouts.in_force[0].limit, Seconds(300));
  EXPECT_FALSE(timeouts.in_force[0].conditional);
  EXPECT_EQ(timeouts.in_force[0].where, (Where{"/etc/bash.bashrc", 1}));
  EXPECT_EQ(timeouts.in_force[0].text, "TMOUT=300");
  EXPECT_TRUE(timeouts.readonly);
  EXPECT_TRUE(timeouts.exported);
}

TEST_F(ShellTimeout, HowToOnOneLine) {
  debian();
  // So written, bash takes the first word as the environment of `readonly`, and keeps it.
  file("/etc/bash.bashrc", "TMOUT=300 readonly TMOUT export TMOUT\n");
  EXPECT_EQ(decided(), 300);
  file("/etc/bash.bashrc", "TMOUT=300; readonly TMOUT; export TMOUT\n");
  EXPECT_EQ(decided(), 300);
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "base/trusted_program.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using ::testing::HasSubstr;

// Below a tree's top whose owner counts as root.
class TrustedProgram : public ::testing::Test {
 protected:
  std::string verdict(const std::string& path) const {
    const auto good = check_trusted_program(Root(dir_.path()), path);
    return good ? "trusted" : good.error().text();
  }
  void mode(const std::string& path, mode_t bits) const {
    ASSERT_EQ(::chmod((dir_.path() + path).c_str(), bits), 0);
  }
  void link(const std::string& target, const std::string& name) const {
    std::filesystem::create_symlink(target, dir_.path() + name);
  }

  const test::TempDir dir_;
  const std::string program_ = dir_.file("/opt/bin/notify", "#!/bin/sh\n", 0755);
};

TEST_F(TrustedProgram, IsOneThatOnlyItsOwnerCanWrite) {
  EXPECT_EQ(verdict("/opt/bin/notify"), "trusted");
  EXPECT_EQ(verdict("/opt/./x/../bin//notify"), "cannot find /opt/x: No such file or directory");
  EXPECT_EQ(verdict("/opt/bin/../bin/notify"), "trusted");
  EXPECT_EQ(verdict("/../../opt/bin/notify"), "trusted");
}

TEST_F(TrustedProgram, IsNamedByItsWholePath) {
  EXPECT_THAT(verdict("opt/bin/notify"), HasSubstr("is not an absolute path"));
  EXPECT_THAT(verdict(""), HasSubstr("is not an absolute path"));
}

TEST_F(TrustedProgram, MayNotBeWrittenByOthers) {
  for (const mode_t bits : {0775U, 0757U}) {
    mode("/opt/bin/notify", bits);
    EXPECT_THAT(verdict("/opt/bin/notify"), HasSubstr("/opt/bin/notify can be written by others"));
  }
}

TEST_F(TrustedProgram, MayNotBeReplacedByOthers) {
  mode("/opt", 0777);
  EXPECT_THAT(verdict("/opt/bin/notify"), HasSubstr("/opt can be written by others"));
  mode("/opt", 01777);  // as /tmp: what is another's there can only be removed by them
  EXPECT_EQ(verdict("/opt/bin/notify"), "trusted");
}

TEST_F(TrustedProgram, IsAnExecutableFile) {
  mode("/opt/bin/notify", 0644);
  EXPECT_THAT(verdict("/opt/bin/notify"), HasSubstr("is not executable"));
  EXPECT_THAT(verdict("/opt/bin"), HasSubstr("is not a regular file"));
  EXPECT_THAT(verdict("/"), HasSubstr("is not a regular file"));
  EXPECT_EQ(verdict("/opt/none"), "cannot find /opt/none: No such file or directory");
}

TEST_F(TrustedProgram, IsJudgedWhereALinkLeads) {
  link("/opt/bin", "/absolute");
  link("opt/bin/notify", "/relative");
  link("../../../../absolute/notify", "/opt/up");
  EXPECT_EQ(verdict("/absolute/notify"), "trusted");
  EXPECT_EQ(verdict("/relative"), "trusted");
  EXPECT_EQ(verdict("/opt/up"), "trusted");
  mode("/opt/bin", 0777);
  EXPECT_THAT(verdict("/relative"), HasSubstr("/opt/bin can be written by others"));
  link("/loop", "/loop");
  EXPECT_THAT(verdict("/loop"), HasSubstr("Too many levels of symbolic links"));
  link("/etc/passwd", "/out");
  EXPECT_THAT(verdict("/out"), HasSubstr("cannot find /etc")) << "a link led out of the tree";
}

TEST_F(TrustedProgram, BelongsToRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "giving a file to somebody else needs root";
  ASSERT_EQ(::chown((dir_.path() + "/opt/bin").c_str(), 65534, 0), 0);
  EXPECT_THAT(verdict("/opt/bin/notify"), HasSubstr("/opt/bin belongs to uid 65534"));
  ASSERT_EQ(::chown((dir_.path() + "/opt/bin").c_str(), 0, 0), 0);
  ASSERT_EQ(::chown((dir_.path() + "/opt/bin/notify").c_str(), 65534, 0), 0);
  EXPECT_THAT(verdict("/opt/bin/notify"), HasSubstr("/opt/bin/notify belongs to uid 65534"));
  link("/opt", "/theirs");
  ASSERT_EQ(::chown((dir_.path() + "/opt/bin/notify").c_str(), 0, 0), 0);
  ASSERT_EQ(::lchown((dir_.path() + "/theirs").c_str(), 65534, 0), 0);
  EXPECT_THAT(verdict("/theirs/bin/notify"), HasSubstr("/theirs belongs to uid 65534"));
}

}  // namespace
}  // namespace idlewarden

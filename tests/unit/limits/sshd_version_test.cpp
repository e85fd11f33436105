// SPDX-License-Identifier: Apache-2.0
#include "limits/sshd_version.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using namespace std::string_literals;

std::string version(const test::TempDir& dir) {
  const auto found = sshd_version(Root(dir.path()));
  return found ? found->text() : "";
}

TEST(SshdVersion, OfTheBinaryWhateverElseItNames) {
  const test::TempDir dir;
  EXPECT_EQ(version(dir), "");
  dir.file("var/lib/dpkg/status",
           "Package: openssh-client\nVersion: 1:8.4p1-5\n\nPackage: openssh-server\n"
           "Status: install ok installed\nVersion: 1:9.2p1-2+deb12u7\n\nPackage: zsh\n"
           "Version: 5.9-4\n");
  EXPECT_EQ(version(dir), "9.2");
  const std::string strings =
      "ELF\0OpenSSH_2.*,OpenSSH_3.0*\0OpenSSH_10.5p1 Debian-1\0OpenSSH_7.4*\0OpenSSH_for\0"s;
  dir.file("usr/sbin/sshd", strings);
  EXPECT_EQ(version(dir), "10.5");
  EXPECT_LT((SshdVersion{9, 10}), (SshdVersion{10, 2}));
}

TEST(SshdVersion, OfApk) {
  const test::TempDir dir;
  dir.file("lib/apk/db/installed", "P:musl\nV:1.2.5-r0\n\nC:Q1\nP:openssh-server\nV:9.7_p1-r4\n");
  EXPECT_EQ(version(dir), "9.7");
}

TEST(SshdVersion, OfTheSshdOfThisHost) {
  if (!Root().exists("/usr/sbin/sshd")) GTEST_SKIP() << "no sshd is installed here";
  const auto found = sshd_version(Root());
  ASSERT_TRUE(found);
  EXPECT_GE(found->major, 7);
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "limits/subject.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using testing::ElementsAre;

TEST(Subject, OfALiveSession) {
  Session session;
  session.user = "no-such-user-here";
  session.gid = 4000000000U;
  session.home = "/home/x";
  session.shell = "/bin/ksh";
  session.kind = Kind::ssh;
  session.tty_name = "pts/3";
  session.remote = Endpoint{"10.0.0.7", 50000};
  session.local = Endpoint{"10.0.0.1", 2222};
  session.sshd.config_file = "/etc/ssh/other";
  const Subject subject = subject_of(session);
  EXPECT_FALSE(subject.foreign);
  EXPECT_EQ(subject.user, "no-such-user-here");
  EXPECT_THAT(subject.groups, ElementsAre("4000000000"));
  EXPECT_EQ(subject.home, "/home/x");
  EXPECT_EQ(subject.shell, "/bin/ksh");
  EXPECT_EQ(subject.tty, "pts/3");
  EXPECT_EQ(subject.address, "10.0.0.7");
  EXPECT_EQ(subject.local_address, "10.0.0.1");
  EXPECT_EQ(subject.local_port, 2222);
  EXPECT_EQ(subject.sshd.config_file, "/etc/ssh/other");
}

TEST(Subject, OfASessionInAContainer) {
  const test::TempDir container;
  container.file("etc/group", "inside:x:77:\n");
  Session session;
  session.user = "root";
  session.gid = 77;
  session.root = container.path();
  const Subject subject = subject_of(session);
  EXPECT_TRUE(subject.foreign);
  EXPECT_THAT(subject.groups, ElementsAre("inside"));
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "limits/subject.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace idlewarden {
namespace {

using testing::ElementsAre;

TEST(Subject, OfALiveSession) {
  Session session;
  session.user = "no-such-user-here";
  session.gid = 50;
  session.home = "/home/x";
  session.shell = "/bin/ksh";
  session.kind = Kind::ssh;
  session.tty_name = "pts/3";
  session.remote = Endpoint{"10.0.0.7", 50000};
  session.local = Endpoint{"10.0.0.1", 2222};
  AcceptingSshd sshd;
  sshd.config_file = "/etc/ssh/other";
  session.sshd = std::make_shared<const AcceptingSshd>(sshd);
  const Subject subject = subject_of(session, {"staff", "wheel"});
  EXPECT_FALSE(subject.foreign);
  EXPECT_EQ(subject.user, "no-such-user-here");
  EXPECT_EQ(subject.gid, 50U);
  EXPECT_THAT(subject.groups, ElementsAre("staff", "wheel"));
  EXPECT_EQ(subject.home, "/home/x");
  EXPECT_EQ(subject.shell, "/bin/ksh");
  EXPECT_EQ(subject.tty, "pts/3");
  EXPECT_EQ(subject.address, "10.0.0.7");
  EXPECT_EQ(subject.local_address, "10.0.0.1");
  EXPECT_EQ(subject.local_port, 2222);
  EXPECT_EQ(subject.sshd.config_file, "/etc/ssh/other");
}

TEST(Subject, WithoutATerminalSaysWhatWasAskedFor) {
  Session session;
  session.kind = Kind::ssh_nopty;
  session.channel = Channel::sftp;
  EXPECT_EQ(subject_of(session, {}).channel, Channel::sftp);
}

TEST(Subject, OfASessionInAContainer) {
  Session session;
  session.user = "root";
  session.root = "/proc/1/root";
  EXPECT_TRUE(subject_of(session, {}).foreign);
}

}  // namespace
}  // namespace idlewarden

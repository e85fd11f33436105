// SPDX-License-Identifier: Apache-2.0
#include "base/account.h"

#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::SizeIs;

TEST(Account, OfAnotherTree) {
  const test::TempDir dir;
  dir.file("etc/passwd",
           "root:x:0:0:root:/root:/bin/bash\n# comment\nshort:x:1\nbad:x:one:1::/:/bin/sh\n"
           "alice:x:1000:1000:Alice,,,:/home/alice:/bin/zsh\n+nis::::::\n");
  dir.file("etc/group",
           "root:x:0:\nwheel:x:10:bob,alice\nalice:x:1000:\nstaff:x:50:alicea,xalice\nbroken\n");
  const Root root(dir.path());
  const auto alice = find_account(root, "alice");
  ASSERT_TRUE(alice);
  EXPECT_EQ(alice->uid, 1000U);
  EXPECT_EQ(alice->gid, 1000U);
  EXPECT_EQ(alice->home, "/home/alice");
  EXPECT_EQ(alice->shell, "/bin/zsh");
  EXPECT_THAT(group_names(root, "alice", alice->gid), ElementsAre("alice", "wheel"));
  EXPECT_THAT(group_names(root, "nobody", 65534), ElementsAre("65534"));
  EXPECT_THAT(local_accounts(root), ElementsAre(testing::Field(&Account::name, "root"), *alice));
  EXPECT_FALSE(find_account(root, "bad"));
  EXPECT_FALSE(find_account(root, "short"));
  EXPECT_FALSE(find_account(root, "mallory"));
  EXPECT_EQ(account_of(root, 1000), *alice);
  EXPECT_EQ(account_of(root, 1).name, "1");
  EXPECT_EQ(account_of(root, 1).gid, kNoGroup);
  EXPECT_EQ(has_account(root, "alice").value(), true);
  EXPECT_EQ(has_account(root, "mallory").value(), false);
  EXPECT_EQ(has_group(root, "wheel").value(), true);
  EXPECT_EQ(has_group(root, "wheels").value(), false);
  const test::TempDir empty;
  EXPECT_FALSE(has_account(Root(empty.path()), "root"));
  EXPECT_FALSE(find_account(Root(empty.path()), "root"));
  EXPECT_THAT(group_names(Root(empty.path()), "root", 0), ElementsAre("0"));
}

TEST(Account, OfThisHostByNss) {
  const passwd* const self = ::getpwuid(::geteuid());
  if (self == nullptr) GTEST_SKIP() << "this process's user has no passwd entry";
  const std::string name = self->pw_name;
  const gid_t gid = self->pw_gid;
  const auto account = find_account(Root(), name);
  ASSERT_TRUE(account);
  EXPECT_EQ(account->uid, ::geteuid());
  EXPECT_FALSE(account->home.empty());
  const group* const primary = ::getgrgid(gid);
  const std::string group = primary == nullptr ? std::to_string(gid) : primary->gr_name;
  EXPECT_THAT(group_names(Root(), name, gid), Contains(group));
  EXPECT_FALSE(find_account(Root(), "no-such-user-here"));
  EXPECT_EQ(has_account(Root(), name).value(), true);
  EXPECT_EQ(has_account(Root(), "no-such-user-here").value(), false);
  EXPECT_EQ(has_group(Root(), "no-such-group-here").value(), false);
  if (primary != nullptr) {
    EXPECT_EQ(has_group(Root(), group).value(), true);
  }
  EXPECT_THAT(group_names(Root(), "no-such-user-here", 4000000000U), SizeIs(1));
}

}  // namespace
}  // namespace idlewarden

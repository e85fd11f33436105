// SPDX-License-Identifier: Apache-2.0
#include "sessions/accounts.h"

#include <gtest/gtest.h>

namespace idlewarden {
namespace {

TEST(Accounts, Known) {
  const Account root = Accounts().of(0, BootTime());
  EXPECT_EQ(root.name, "root");
  EXPECT_EQ(root.gid, 0u);
  EXPECT_FALSE(root.home.empty());
  EXPECT_TRUE(root.shell.starts_with('/'));
}

TEST(Accounts, UnknownIsTheNumberAndInNoGroup) {
  const Account nobody = Accounts().of(4'123'456'789, BootTime());
  EXPECT_EQ(nobody, (Account{"4123456789", 4'123'456'789, kNoGroup, "", ""}));
}

TEST(Accounts, MoreThanAreKept) {
  Accounts accounts;
  for (uid_t uid = 4'000'000'000; uid < 4'000'005'000; ++uid) {
    ASSERT_EQ(accounts.of(uid, BootTime()).name, std::to_string(uid));
  }
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "base/files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "support/temp_dir.h"

namespace idlewarden {
namespace {

TEST(Root, ResolvesLinksInsideItself) {
  test::TempDir tree;
  tree.file("/usr/bin/dash", "");
  ASSERT_EQ(::symlink("usr/bin", (tree.path() + "/bin").c_str()), 0);
  ASSERT_EQ(::symlink("/bin/dash", (tree.path() + "/usr/bin/sh").c_str()), 0);
  ASSERT_EQ(::symlink("../../../../usr", (tree.path() + "/up").c_str()), 0);
  const Root root(tree.path());
  EXPECT_EQ(root.resolve("/bin/sh").value_or("?"), "/usr/bin/dash");
  EXPECT_EQ(root.resolve("/up/bin/sh").value_or("?"), "/usr/bin/dash");
  EXPECT_EQ(root.resolve("/").value_or("?"), "/");
  const auto missing = root.resolve("/bin/zsh");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
}

}  // namespace
}  // namespace idlewarden

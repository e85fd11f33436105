// SPDX-License-Identifier: Apache-2.0
#include "base/shortage.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>

#include "base/account.h"
#include "base/files.h"
#include "base/procfs.h"
#include "support/no_descriptors.h"

namespace idlewarden {
namespace {

using test::NoDescriptors;

TEST(Shortage, WhatNobodyTakesIsNotedForTheWatchAround) {
  const ShortageWatch outer;
  {
    ShortageWatch inner;
    note_shortage(EMFILE);
    EXPECT_EQ(inner.take(), EMFILE);
    EXPECT_EQ(inner.noted(), 0);
  }
  EXPECT_EQ(outer.noted(), 0);
  {
    const ShortageWatch inner;
    note_shortage(EIO);
  }
  EXPECT_EQ(outer.noted(), EIO);
  {
    const ShortageWatch inner;
    EXPECT_EQ(inner.noted(), 0);
  }
  EXPECT_EQ(outer.noted(), EIO);
}

TEST(Shortage, AServerThatIsGoneIsOne) {
  for (const int code : {EIO, ETIMEDOUT, ESTALE, EHOSTDOWN, ENOTCONN, ECONNABORTED}) {
    EXPECT_TRUE(is_shortage(code)) << code;
  }
}

TEST(Shortage, WhatIsNotThereOrForbiddenIsNone) {
  const ShortageWatch watch;
  for (const int code : {0, ENOENT, ENOTDIR, EACCES, EPERM, ESRCH, ELOOP}) note_shortage(code);
  EXPECT_FALSE(Root().exists("/no/such/file"));
  EXPECT_TRUE(Root().glob("/no/such/*").empty());
  EXPECT_FALSE(Procfs().stat(5'000'000));
  EXPECT_EQ(watch.noted(), 0);
}

// Each of these answers as if there were nothing.
TEST(Shortage, IsNotedByWhatCannotSayThatItDoesNotKnow) {
  const Root root;
  const Procfs procfs;
  const auto expect_noted = [](const char* what, const auto& ask) {
    ShortageWatch watch;
    {
      const NoDescriptors none;
      ask();
    }
    EXPECT_EQ(watch.take(), EMFILE) << what;
  };
  expect_noted("exists", [&] { EXPECT_FALSE(root.exists("/etc/passwd")); });
  expect_noted("is_directory", [&] { EXPECT_FALSE(root.is_directory("/etc")); });
  expect_noted("glob", [&] { EXPECT_TRUE(root.glob("/etc/pass*").empty()); });
  expect_noted("stamp", [&] { EXPECT_EQ(root.stamp("/etc/passwd"), FileStamp()); });
  expect_noted("read", [&] { EXPECT_FALSE(root.read("/etc/passwd")); });
  expect_noted("stat", [&] { EXPECT_FALSE(procfs.stat(::getpid())); });
  expect_noted("descriptors", [&] { EXPECT_FALSE(procfs.descriptors(::getpid())); });
  expect_noted("account", [&] { EXPECT_EQ(account_of(Root(), 0).name, "0"); });
  expect_noted("groups", [&] { (void)group_names(Root(), "root", 0); });
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/patience.h"
#include "base/unique_fd.h"
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

constexpr uid_t kUser = 4242;

class SeenBy : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to give files away";
    give(tree_.file("/home/u/own", "own", 0600));
    give(tree_.file("/home/u/closed/own", "own"));
    give(tree_.path() + "/home/u");
    tree_.file("/etc/profile", "open");
    tree_.file("/etc/secret", "secret", 0640);
    tree_.file("/root/open", "behind a closed folder");
    ASSERT_EQ(::chmod((tree_.path() + "/root").c_str(), 0700), 0);
    ASSERT_EQ(::chown(tree_.file("/home/b/other", "another's").c_str(), 1, 1), 0);
    link("/etc/profile", "etc");
    link("/root", "root");
    link("../../../../../../etc", "up");
    link("loop", "loop");
  }
  static void give(const std::string& path) { ASSERT_EQ(::chown(path.c_str(), kUser, kUser), 0); }
  void link(const std::string& target, const std::string& name) const {
    ASSERT_EQ(::symlink(target.c_str(), (tree_.path() + "/home/u/" + name).c_str()), 0);
  }
  std::string read(const std::string& path) const {
    const auto text = seen().read(path, {.owner = kUser});
    if (text) return *text;
    const char* name = ::strerrorname_np(text.error().code);
    return text.error().what + (text.error().code != 0 ? fmt::format(" ({})", name) : "");
  }
  Root seen() const { return Root(tree_.path()).seen_by(kUser); }

  test::TempDir tree_;
};

TEST_F(SeenBy, ReadsWhatTheUserMay) {
  EXPECT_EQ(read("/home/u/own"), "own");
  EXPECT_EQ(read("/etc/profile"), "open");
  EXPECT_EQ(read("/home/u/up/profile"), "open");
  EXPECT_EQ(read("/home/../etc/./profile"), "open");
  EXPECT_EQ(read("/etc/secret"), "cannot open (EACCES)");
  EXPECT_EQ(read("/root/open"), "cannot open (EACCES)");
  EXPECT_EQ(read("/home/u/root/open"), "cannot open (EACCES)");
  EXPECT_EQ(read("/etc/../home/b/other"), "belongs to another user, so it is not read");
  EXPECT_EQ(read("/home/u/etc"), "is not a regular file") << "a link of the user's";
  EXPECT_EQ(read("/home/u/own/"), "cannot open (ENOTDIR)");
  EXPECT_EQ(Root().seen_by(kUser).read("/proc/self/maps").error().code, EACCES);
  EXPECT_EQ(Root().seen_by(kUser).read("/dev/null").error().what, "is not a regular file");
}

// Whose numbers mean something else in the rest of the process.
TEST_F(SeenBy, OnAThreadWithDescriptorsOfItsOwn) {
  std::vector<UniqueFd> others;
  for (int i = 0; i < 32; ++i) others.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  Patience patience(1);
  const auto told = patience.ask<std::string>(std::chrono::seconds(60), [root = seen()] {
    const Rights user{.uid = kUser, .is_in = [](gid_t) { return std::optional(false); }};
    return root.read("/home/u/up/profile").value_or("unread") + " " +
           root.resolve("/home/u/up/profile").value_or("unresolved") + " " +
           (root.is_closed_to(user, "/etc/secret") ? "closed" : "open");
  });
  EXPECT_EQ(told, "open /etc/profile closed");
}

TEST_F(SeenBy, TellsNothingOfWhatIsBehindAClosedFolder) {
  const auto code = [&](const std::string& path) {
    const auto mode = seen().mode(path);
    return mode ? 0 : mode.error().code;
  };
  EXPECT_EQ(code("/etc/secret"), 0) << "that it is there is no secret";
  EXPECT_EQ(code("/etc/none"), ENOENT);
  EXPECT_EQ(code("/root"), 0);
  for (const char* path :
       {"/root/open", "/root/none", "/home/u/root/none", "/root/../etc/secret"}) {
    EXPECT_EQ(code(path), EACCES) << path;
  }
  EXPECT_EQ(code("/home/u/loop"), ELOOP);
  std::string deep = tree_.path();
  for (int i = 0; i < 100; ++i) deep += "/d";
  std::filesystem::create_directories(deep);
  EXPECT_EQ(code(deep.substr(tree_.path().size())), ENAMETOOLONG);
}

TEST_F(SeenBy, GlobsWhatTheUserMayList) {
  EXPECT_EQ(seen().glob("/etc/*"), (std::vector<std::string>{"/etc/profile", "/etc/secret"}));
  EXPECT_EQ(seen().glob("/home/u/up/pro*"), std::vector<std::string>{"/home/u/up/profile"});
  EXPECT_TRUE(seen().glob("/root/*").empty());
  EXPECT_TRUE(seen().glob("/home/*/root/open").empty());
  EXPECT_EQ(Root(tree_.path()).glob("/root/*"), std::vector<std::string>{"/root/open"});
}

TEST(Root, GlobsInsideItself) {
  test::TempDir tree;
  tree.file("/usr/here", "");
  ASSERT_EQ(::symlink("/usr", (tree.path() + "/etc").c_str()), 0);
  EXPECT_EQ(Root(tree.path()).glob("/etc/*"), std::vector<std::string>{"/etc/here"});
}

TEST(LiesIn, HoweverEitherIsSpelt) {
  for (const char* folder : {"/home/u", "/home/u/", "/home/u/./", "/home//u", "/home/x/../u"}) {
    for (const char* path : {"/home/u", "/home/u/", "/home/u//x", "/home/./u/x/y"}) {
      EXPECT_TRUE(lies_in(path, folder)) << path << " in " << folder;
    }
    for (const char* path : {"/home", "/home/u2", "/home/u/../x", "/etc/passwd", ""}) {
      EXPECT_FALSE(lies_in(path, folder)) << path << " in " << folder;
    }
  }
  for (const char* folder : {"", "/", "//", "/."}) EXPECT_FALSE(lies_in("/home/u", folder));
}

}  // namespace
}  // namespace idlewarden

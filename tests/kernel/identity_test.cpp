// SPDX-License-Identifier: Apache-2.0
// A pts number is no identity, nor is an address: whose input is it?
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/fixture.h"
#include "support/temp_dir.h"

namespace idlewarden::test {
namespace {

class Identity : public BackendTest {
 protected:
  // The ptmx of another devpts mount: its ptys are numbered from 0 again.
  std::string other_devpts() {
    // A mount namespace of our own, or the mount would outlive a test that crashes.
    if (!private_) private_ = !fresh_pin_dir().empty();
    const std::string dir = fmt::format("{}/{}", temp_.path(), ++mounts_);
    EXPECT_EQ(mkdir(dir.c_str(), 0700), 0);
    EXPECT_EQ(mount("devpts", dir.c_str(), "devpts", 0, "newinstance,ptmxmode=0666"), 0);
    return dir + "/ptmx";
  }
  void TearDown() override {
    for (int i = 1; i <= mounts_; ++i) {
      umount2(fmt::format("{}/{}", temp_.path(), i).c_str(), MNT_DETACH);
    }
  }

 private:
  TempDir temp_;
  bool private_ = false;
  int mounts_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Kernel, Identity, testing::ValuesIn(tested_backends()), backend_name);

TEST_P(Identity, TheSameNumberOnTwoDevptsMounts) {
  open();
  if (!ready()) return;
  const PtySession one = session(other_devpts());
  const PtySession two = session(other_devpts());
  const PtySession three = session(other_devpts());
  ASSERT_EQ(one.index(), two.index());
  EXPECT_NE(tty_of(one).devpts_dev, tty_of(two).devpts_dev);
  EXPECT_EQ(tty_of(one).devpts_dev, one.devpts_dev());
  two.type("x");
  EXPECT_EQ(seen(one).inputs, 0U);
  EXPECT_EQ(seen(two).inputs, 1U);
  EXPECT_EQ(seen(three).inputs, 0U);
  three.type("x");
  one.type("x");
  EXPECT_EQ(seen(one).inputs, 1U);
  EXPECT_EQ(seen(two).inputs, 1U);
  EXPECT_EQ(seen(three).inputs, 1U);
  // The array's place is free again, and the others stay where they are.
  source().unwatch(tty_of(one));
  two.type("x");
  EXPECT_EQ(seen(two).inputs, 2U);
  source().unwatch(tty_of(two));
  three.type("x");
  EXPECT_EQ(seen(three).inputs, 2U);
}

TEST_P(Identity, ANumberThatIsUsedAgainStartsAfresh) {
  open();
  if (!ready()) return;
  // On a devpts of our own no other process can take the number.
  const std::string ptmx = other_devpts();
  unsigned index = 0;
  {
    const PtySession old = session(ptmx);
    index = old.index();
    old.type("x");
    EXPECT_EQ(seen(old).inputs, 1U);
    source().unwatch(tty_of(old));
  }
  const PtySession fresh = session(ptmx);
  ASSERT_EQ(fresh.index(), index);
  EXPECT_EQ(seen(fresh).inputs, 0U);
  EXPECT_EQ(seen(fresh).last_input, std::nullopt);
  fresh.type("x");
  EXPECT_EQ(seen(fresh).inputs, 1U);
}

TEST_P(Identity, ANumberThatIsUsedAgainBeforeItsSessionIsForgotten) {
  open();
  if (!ready()) return;
  const std::string ptmx = other_devpts();
  std::optional<BootTime> old_input;
  {
    const PtySession old = session(ptmx);
    old.type("x");
    old_input = seen(old).last_input;
  }
  const PtySession fresh = session(ptmx);
  // The address may be the same: then so is the record, but it is not newer than the session. Only
  // the sampler cannot tell the change of ttys from input.
  const InputSeen before = seen(fresh);
  if (!sampled()) {
    EXPECT_TRUE(before.last_input == std::nullopt || before.last_input == old_input);
    EXPECT_LE(before.last_input.value_or(BootTime{}), row_of(source(), fresh.leader())->start);
  }
  fresh.type("x");
  EXPECT_EQ(seen(fresh).inputs, before.inputs + 1);
}

TEST_P(Identity, AnAddressThatIsUsedAgainBeforeItsSessionIsForgotten) {
  open();
  if (!ready()) return;
  // Both of the tty that is gone and of the one that has its address now the record is in the
  // overflow map.
  const PtySession one = session(other_devpts());
  const PtySession two = session(other_devpts());
  const auto expect_recorded = [&](const PtySession& now, const Tty& gone) {
    source().unwatch(tty_of(now));
    ASSERT_TRUE(source().watch(gone));
    watch(now);
    source().unwatch(gone);
    now.type("x");
    EXPECT_EQ(seen(now).inputs, 1U);
  };
  Tty gone = tty_of(two);
  gone.index = 1U << 20;
  expect_recorded(two, gone);
  // And in the array, with the number as well.
  gone = tty_of(one);
  ++gone.devpts_dev;
  expect_recorded(one, gone);
}

TEST_P(Identity, AnotherLeaderOnTheSamePty) {
  open();
  if (!ready()) return;
  PtySession s = session();
  s.type("x");
  const Tty tty = tty_of(s);
  s.end_leader();
  s.lead_again();
  EXPECT_EQ(tty_of(s), tty);
  s.type("y");
  EXPECT_EQ(seen(s).inputs, 2U);
}

}  // namespace
}  // namespace idlewarden::test

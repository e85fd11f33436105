// SPDX-License-Identifier: Apache-2.0
// The real Terminator on ttys that do not answer: a process of each writes a page that does not
// come. Needs root and FUSE.
#include <sched.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "enforce/terminate.h"
#include "pty_child.h"
#include "support/silent_fs.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using test::ends_within;
using test::PtyChild;
using test::SilentFs;
using test::TempDir;

class TtyThatDoesNotAnswer : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root may hang up a tty";
    if (!test::own_mounts()) GTEST_SKIP() << "cannot have mounts of its own";
    silent_ = std::make_unique<SilentFs>(dir_.path());
    if (!silent_->why_not().empty()) GTEST_SKIP() << silent_->why_not();
    writer_ = scripts_.file("writer.py",
                            "import mmap, os, signal\n"
                            "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
                            "file = os.open('" +
                                dir_.path() + "/" + SilentFs::kOpened +
                                "', os.O_RDONLY)\n"
                                "page = mmap.mmap(file, 4096, prot=mmap.PROT_READ)\n"
                                "print('ready', flush=True)\n"
                                "os.write(1, memoryview(page)[:1])\n");
  }
  void TearDown() override { silent_.reset(); }  // before whoever waits is waited for
  const PtyChild& add() {
    children_.push_back(
        std::make_unique<PtyChild>("python3 " + writer_ + " & while :; do sleep 1000; done"));
    std::this_thread::sleep_for(milliseconds(100));  // until it writes
    return *children_.back();
  }
  std::unique_ptr<Grip> seize(const PtyChild& child) const {
    auto grip = terminator_->seize(child.session);
    EXPECT_TRUE(grip) << grip.error().text();
    return grip ? std::move(*grip) : nullptr;
  }

  const TempDir dir_;
  const TempDir scripts_;
  std::string writer_;
  std::vector<std::unique_ptr<PtyChild>> children_;
  std::unique_ptr<SilentFs> silent_;
  std::unique_ptr<Terminator> terminator_ = system_terminator();
};

TEST_F(TtyThatDoesNotAnswer, ItsLeaderEndsAndManyTakeLittleTime) {
  constexpr std::size_t kMost = 8;
  for (std::size_t i = 0; i < kMost + 4; ++i) add();
  const auto begin = steady_clock::now();
  for (std::size_t i = 0; i < children_.size(); ++i) {
    auto grip = seize(*children_[i]);
    ASSERT_TRUE(grip);
    const auto done = grip->hang_up();
    ASSERT_TRUE(done) << done.error().text();
    EXPECT_EQ(*done, i < kMost ? "hang-up that does not come back, SIGHUP"
                               : "hang-up failed (too many ttys do not answer: " +
                                     std::string(::strerror(ETIMEDOUT)) + "), SIGHUP");
    EXPECT_FALSE(grip->say("anybody there?"));
    if (i >= kMost) continue;
    EXPECT_TRUE(ends_within(grip->leader_fd(), milliseconds(1000)));
  }
  EXPECT_LT(steady_clock::now() - begin, milliseconds(kMost * 400 + 2000));
}

TEST_F(TtyThatDoesNotAnswer, WhoeverWaitsForItAlreadyIsEnough) {
  const PtyChild& child = add();
  ASSERT_TRUE(seize(child)->hang_up());
  const PtyChild other("echo ready; while :; do sleep 1000; done");
  const auto begin = steady_clock::now();
  EXPECT_FALSE(terminator_->seize(child.session));
  EXPECT_LT(steady_clock::now() - begin, milliseconds(200));
  auto grip = seize(other);
  ASSERT_TRUE(grip);
  EXPECT_TRUE(grip->say("as ever"));
  EXPECT_EQ(grip->hang_up(), "hang-up");
}

// It sees its tty in a devpts of its own, which something that does not answer lies over.
TEST_F(TtyThatDoesNotAnswer, ARootThatDoesNotIsNotNeeded) {
  const TempDir devpts;
  const char* options = "newinstance,ptmxmode=0666,mode=0620";
  if (::mount("devpts", devpts.path().c_str(), "devpts", 0, options) != 0) {
    GTEST_SKIP() << "cannot mount a devpts";
  }
  const auto cover = [&] {
    (void)::unshare(CLONE_NEWNS);
    (void)::mount(dir_.path().c_str(), "/dev/pts", nullptr, MS_BIND, nullptr);
  };
  {
    PtyChild child("echo ready; while :; do sleep 1000; done", devpts.path(), cover);
    Session elsewhere = child.session;
    elsewhere.tty.devpts_dev += 1;
    const auto begin = steady_clock::now();
    const auto unfound = terminator_->seize(elsewhere);
    EXPECT_TRUE(unfound && !(*unfound)->say("anybody there?"));
    EXPECT_LT(steady_clock::now() - begin, milliseconds(2000));

    const auto grip = system_terminator()->seize(child.session);
    ASSERT_TRUE(grip) << grip.error().text();
    EXPECT_TRUE((*grip)->say("found"));
    EXPECT_TRUE(child.wait_for("found"));
    EXPECT_EQ((*grip)->hang_up(), "hang-up");
    silent_.reset();
  }
  ::umount2(devpts.path().c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// What stays in the kernel between two daemons, and what does not.
#include <bpf/bpf.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <idlewarden/abi.h>
#include <linux/bpf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "kernel/fixture.h"
#include "support/temp_dir.h"

namespace idlewarden::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Pins : public BackendTest {
 protected:
  void SetUp() override {
    BackendTest::SetUp();
    if (!IsSkipped()) dir_ = fresh_pin_dir();
  }
  void TearDown() override {
    close();
    if (!dir_.empty()) {
      EXPECT_TRUE(unload(dir_).has_value());
    }
  }

  void open_pinned() { open({.pin_dir = dir_}); }
  // False, with the test skipped, where the kernel cannot pin this hook.
  bool pinned() {
    if (!ready()) return false;
    if (std::filesystem::exists(dir_ + "/activity")) return true;
    [&] { GTEST_SKIP() << testing::PrintToString(opened_.warnings); }();
    return false;
  }

  // A hook that was unpinned goes a little later (5.10: in a worker of the kernel); until then the
  // two of them stamp the same record.
  bool counts_once(const PtySession& s) {
    for (int i = 0; i < 200; ++i) {
      const std::uint64_t before = seen(s).inputs;
      s.type("z");
      if (seen(s).inputs == before + 1) return true;
      usleep(10000);
    }
    return false;
  }

  std::string dir_;
};

INSTANTIATE_TEST_SUITE_P(Kernel, Pins, testing::ValuesIn(tested_hooks()), backend_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Pins);

UniqueFd pinned(const std::string& path) {
  return UniqueFd(bpf_obj_get(path.c_str()));
}

std::uint32_t map_id(int fd) {
  bpf_map_info info{};
  std::uint32_t length = sizeof(info);
  EXPECT_EQ(bpf_obj_get_info_by_fd(fd, &info, &length), 0);
  return info.id;
}

bool gone(std::uint32_t id) {
  for (int i = 0; i < 400; ++i) {
    const UniqueFd fd(bpf_map_get_fd_by_id(id));
    if (!fd && errno == ENOENT) return true;
    usleep(10000);
  }
  return false;
}

TEST_P(Pins, AHookThatCannotBePinnedIsSaidSo) {
  open_pinned();
  if (!ready()) return;
  EXPECT_EQ(opened_.warnings.empty(), std::filesystem::exists(dir_ + "/activity"));
}

TEST_P(Pins, InputIsSeenWhileNoDaemonRuns) {
  open_pinned();
  if (!pinned()) return;
  EXPECT_FALSE(opened_.state_kept);
  const PtySession s = session();
  s.type("x");
  const InputSeen before = seen(s);
  close();
  s.type("y");
  open_pinned();
  ASSERT_TRUE(ready());
  EXPECT_TRUE(opened_.state_kept);
  EXPECT_THAT(opened_.warnings, IsEmpty());
  watch(s);
  const InputSeen after = seen(s);
  EXPECT_EQ(after.inputs, 2U);
  EXPECT_GT(after.last_input, before.last_input);
  EXPECT_EQ(after.since, before.since);
  EXPECT_TRUE(counts_once(s)) << "the old hook is still there";
}

TEST_P(Pins, TheOverflowMapIsKeptToo) {
  open_pinned();
  if (!pinned()) return;
  const UniqueFd overflow = test::pinned(dir_ + "/overflow");
  const PtySession s = session();
  // As if another devpts mount's tty had the number: claimed for an address that nobody has.
  source().unwatch(tty_of(s));
  const UniqueFd activity = test::pinned(dir_ + "/activity");
  const std::uint32_t index = s.index();
  idlewarden_activity record{};
  record.tty = tty_of(s).address;
  record.last_input_ns = 1;
  record.claimed_ns = 1;
  ASSERT_EQ(bpf_map_update_elem(overflow.get(), &record.tty, &record, BPF_NOEXIST), 0);
  idlewarden_activity stale{};
  stale.tty = 4711;
  ASSERT_EQ(bpf_map_update_elem(overflow.get(), &stale.tty, &stale, BPF_NOEXIST), 0);
  close();
  open_pinned();
  ASSERT_TRUE(ready());
  EXPECT_NE(bpf_map_lookup_elem(overflow.get(), &stale.tty, &stale), 0) << "nobody's record";
  watch(s);
  EXPECT_EQ(seen(s).last_input, boot_time(1));
  s.type("x");
  EXPECT_GE(seen(s).inputs, 1U);
  idlewarden_activity slot{};
  ASSERT_EQ(bpf_map_lookup_elem(activity.get(), &index, &slot), 0);
  EXPECT_EQ(slot.tty, 0U);
}

TEST_P(Pins, TheHookStampsNothingThatIsNotWatched) {
  open_pinned();
  if (!pinned()) return;
  const UniqueFd activity = test::pinned(dir_ + "/activity");
  const auto inner = PtySession::start();
  ASSERT_TRUE(inner.has_value());
  const PtySession outer = session();
  inner->type("x");
  outer.type("x");
  EXPECT_EQ(seen(outer).inputs, 1U);
  idlewarden_activity slot{};
  const std::uint32_t index = inner->index();
  ASSERT_EQ(bpf_map_lookup_elem(activity.get(), &index, &slot), 0);
  EXPECT_EQ(slot.inputs, 0U);
  EXPECT_EQ(slot.last_input_ns, 0U);
}

TEST_P(Pins, RecordsOfTtysThatAreGoneAreFreed) {
  open_pinned();
  if (!pinned()) return;
  const UniqueFd activity = test::pinned(dir_ + "/activity");
  std::uint32_t index = 0;
  idlewarden_activity record{};
  {
    const PtySession s = session();
    index = s.index();
    ASSERT_EQ(bpf_map_lookup_elem(activity.get(), &index, &record), 0);
    EXPECT_EQ(record.tty, tty_of(s).address);
    close();
  }
  open_pinned();
  ASSERT_TRUE(ready());
  ASSERT_EQ(bpf_map_lookup_elem(activity.get(), &index, &record), 0);
  EXPECT_EQ(record.tty, 0U);
}

TEST_P(Pins, MappedMemoryIsTheMap) {
  open_pinned();
  if (!pinned()) return;
  const PtySession s = session();
  s.type("x");
  s.type("\033[24;80R");
  const InputSeen mapped = seen(s);
  const UniqueFd activity = test::pinned(dir_ + "/activity");
  const std::uint32_t index = s.index();
  idlewarden_activity record{};
  ASSERT_EQ(bpf_map_lookup_elem(activity.get(), &index, &record), 0);
  EXPECT_EQ(record.tty, tty_of(s).address);
  EXPECT_EQ(mapped.last_input, boot_time(record.last_input_ns));
  EXPECT_EQ(mapped.last_reply, boot_time(record.last_reply_ns));
  EXPECT_EQ(mapped.inputs, record.inputs);
  EXPECT_EQ(mapped.replies, record.replies);
}

TEST_P(Pins, UnloadLeavesNothing) {
  open_pinned();
  if (!pinned()) return;
  const std::uint32_t id = map_id(test::pinned(dir_ + "/activity").get());
  close();
  const PinsRemoved removed = unload(dir_).value();
  EXPECT_EQ(removed.pins, 4);
  EXPECT_FALSE(removed.daemon_runs);
  EXPECT_FALSE(std::filesystem::exists(dir_));
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(dir_).parent_path()));
  EXPECT_TRUE(gone(id));
  EXPECT_EQ(unload(dir_).value().pins, 0);
}

TEST_P(Pins, UnloadDoesNotBlindARunningDaemon) {
  open_pinned();
  if (!pinned()) return;
  const std::uint32_t id = map_id(test::pinned(dir_ + "/activity").get());
  {
    const PtySession s = session();  // its processes have this one's descriptors
    const PinsRemoved removed = unload(dir_).value();
    EXPECT_EQ(removed.pins, 4);
    EXPECT_TRUE(removed.daemon_runs);
    s.type("x");
    EXPECT_EQ(seen(s).inputs, 1U);
  }
  EXPECT_TRUE(unload(dir_).value().daemon_runs) << "still";
  close();
  EXPECT_TRUE(gone(id));
  EXPECT_FALSE(unload(dir_).value().daemon_runs);
  EXPECT_FALSE(std::filesystem::exists(dir_));
}

TEST_P(Pins, AnotherAbiIsRemoved) {
  open_pinned();
  if (!pinned()) return;
  const UniqueFd meta = test::pinned(dir_ + "/meta");
  const std::uint32_t zero = 0;
  idlewarden_meta state{};
  ASSERT_EQ(bpf_map_lookup_elem(meta.get(), &zero, &state), 0);
  EXPECT_EQ(state.magic, IDLEWARDEN_MAGIC);
  ++state.abi;
  ASSERT_EQ(bpf_map_update_elem(meta.get(), &zero, &state, BPF_ANY), 0);
  close();
  open_pinned();
  ASSERT_TRUE(ready());
  EXPECT_FALSE(opened_.state_kept);
  EXPECT_THAT(opened_.warnings, ElementsAre(HasSubstr("ABI 2")));
  const PtySession s = session();
  s.type("x");
  EXPECT_EQ(seen(s).inputs, 1U);
}

// What was not recorded would pass for idleness.
TEST_P(Pins, RecordsOfLessThanIsAskedForAreRemoved) {
  for (const KernelOptions& more :
       {KernelOptions{.record_output = true, .pin_dir = dir_},
        KernelOptions{.ignore_terminal_replies = false, .pin_dir = dir_}}) {
    open_pinned();
    if (!pinned()) return;
    close();
    open(more);
    ASSERT_TRUE(ready());
    EXPECT_FALSE(opened_.state_kept);
    EXPECT_THAT(opened_.warnings, ElementsAre(HasSubstr("less than the policy counts")));
    close();
    open_pinned();
    EXPECT_TRUE(opened_.state_kept) << "more than is asked for is enough";
    close();
  }
}

TEST_P(Pins, ForeignPinsAreRemoved) {
  std::filesystem::create_directories(dir_);
  const UniqueFd foreign(
      bpf_map_create(BPF_MAP_TYPE_ARRAY, "foreign", sizeof(__u32), 8, 1, nullptr));
  ASSERT_TRUE(foreign);
  for (const char* name : {"/activity", "/meta", "/overflow", "/link_fentry"}) {
    ASSERT_EQ(bpf_obj_pin(foreign.get(), (dir_ + name).c_str()), 0) << name;
  }
  open_pinned();
  if (!pinned()) return;
  EXPECT_FALSE(opened_.state_kept);
  EXPECT_THAT(opened_.warnings, ElementsAre(HasSubstr("not ones of this version")));
}

TEST_P(Pins, MapsWithoutTheirHookAreNotTrusted) {
  open_pinned();
  if (!pinned()) return;
  const std::string link = dir_ + "/link_" + std::string(to_string(GetParam()));
  ASSERT_EQ(unlink(link.c_str()), 0);
  close();
  open_pinned();
  ASSERT_TRUE(ready());
  EXPECT_FALSE(opened_.state_kept);
  EXPECT_THAT(opened_.warnings, ElementsAre(HasSubstr("no hook was left")));
}

TEST_P(Pins, AnotherThingInTheHooksPlaceIsNoHook) {
  open_pinned();
  if (!pinned()) return;
  const std::string link = dir_ + "/link_" + std::string(to_string(GetParam()));
  const UniqueFd meta = test::pinned(dir_ + "/meta");
  ASSERT_EQ(unlink(link.c_str()), 0);
  ASSERT_EQ(bpf_obj_pin(meta.get(), link.c_str()), 0);
  close();
  open_pinned();
  ASSERT_TRUE(ready());
  EXPECT_FALSE(opened_.state_kept);
}

TEST_P(Pins, AFolderThatIsInUseIsLeftAlone) {
  open_pinned();
  if (!pinned()) return;
  const SystemClock clock;
  const auto other = open_activity_source({.backend = GetParam(), .pin_dir = dir_}, clock);
  ASSERT_TRUE(other.has_value()) << other.error().text();
  EXPECT_THAT(other->warnings, ElementsAre(HasSubstr("in use by another idlewarden")));
  const PtySession s = session();
  s.type("x");
  EXPECT_EQ(seen(s).inputs, 1U);
}

TEST_P(Pins, AFolderThatOthersCanChangeIsNotUsed) {
  std::filesystem::create_directories(dir_);
  ASSERT_EQ(chown(dir_.c_str(), 65534, 65534), 0);
  open_pinned();
  if (!ready()) return;
  EXPECT_THAT(opened_.warnings, ElementsAre(HasSubstr("only root can change")));
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/activity"));
}

TEST_P(Pins, TheSamplerLeavesNoHookBehind) {
  open_pinned();
  if (!pinned()) return;
  close();
  const SystemClock clock;
  const auto sampler = open_activity_source({.backend = Backend::sampler, .pin_dir = dir_}, clock);
  ASSERT_TRUE(sampler.has_value()) << sampler.error().text();
  EXPECT_FALSE(sampler->state_kept);
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/activity"));
}

TEST_P(Pins, ElsewhereThanOnABpfFileSystemItSaysWhatToChoose) {
  const TempDir temp;
  open({.pin_dir = temp.path() + "/v1"});
  if (!ready()) return;
  EXPECT_THAT(opened_.warnings, ElementsAre(HasSubstr("choose a folder below /sys/fs/bpf")));
  const PtySession s = session();
  s.type("x");
  EXPECT_EQ(seen(s).inputs, 1U);
}

}  // namespace
}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// What is input, what is not, however it is written.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <functional>

#include "kernel/fixture.h"
#include "kernel/io_uring.h"
#include "kernel/reply_samples.h"
#include "support/temp_dir.h"

namespace idlewarden::test {
namespace {

using testing::Ge;
using testing::Le;
using testing::Optional;

class Input : public BackendTest {};
class HookedInput : public BackendTest {};

INSTANTIATE_TEST_SUITE_P(Kernel, Input, testing::ValuesIn(tested_backends()), backend_name);
INSTANTIATE_TEST_SUITE_P(Kernel, HookedInput, testing::ValuesIn(tested_hooks()), backend_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(HookedInput);

using Method = std::function<ssize_t(int master)>;

ssize_t by_writev(int master) {
  char byte = 'q';
  iovec vector{&byte, 1};
  return writev(master, &vector, 1);
}
ssize_t by_pwritev2(int master) {
  char byte = 'q';
  iovec vector{&byte, 1};
  return pwritev2(master, &vector, 1, -1, 0);
}
ssize_t by_sendfile(int master) {
  const UniqueFd file(memfd_create("typed", MFD_CLOEXEC));
  if (write(file.get(), "q", 1) != 1) return -1;
  off_t offset = 0;
  return sendfile(master, file.get(), &offset, 1);
}
ssize_t by_splice(int master) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  const UniqueFd out(ends[0]);
  const UniqueFd in(ends[1]);
  if (write(in.get(), "q", 1) != 1) return -1;
  return splice(out.get(), nullptr, master, nullptr, 1, 0);
}
// Another process, through a copy of the descriptor: sshd after privilege separation.
ssize_t by_dup_in_child(int master) {
  const UniqueFd copy(dup(master));
  const pid_t child = fork();
  if (child == 0) _exit(write(copy.get(), "q", 1) == 1 ? 0 : 1);
  int status = 0;
  waitpid(child, &status, 0);
  return status == 0 ? 1 : -1;
}

TEST_P(Input, EveryWayOfWritingIsSeenOnce) {
  open();
  if (!ready()) return;
  const PtySession s = session();
  const std::pair<const char*, Method> methods[] = {
      {"write", [](int master) { return write(master, "q", 1); }},
      {"writev", by_writev},
      {"pwritev2", by_pwritev2},
      {"sendfile", by_sendfile},
      {"splice", by_splice},
      {"write by another process", by_dup_in_child},
  };
  for (const auto& [name, method] : methods) {
    const std::uint64_t before = seen(s).inputs;
    ASSERT_EQ(method(s.master()), 1) << name;
    EXPECT_EQ(s.unread(), 1) << name << " did not reach the slave";
    s.discard_typed();
    EXPECT_EQ(seen(s).inputs, before + 1) << name;
  }
}

TEST_P(Input, IsDatedWhenItCame) {
  open();
  if (!ready()) return;
  const PtySession s = session();
  EXPECT_EQ(seen(s).last_input, std::nullopt);
  const SystemClock clock;
  const BootTime before = clock.now();
  s.type("x");
  EXPECT_THAT(seen(s).last_input, Optional(Ge(before)));
  EXPECT_THAT(seen(s).last_input, Optional(Le(clock.now())));
}

TEST_P(Input, IsKnownSinceItIsWatched) {
  open();
  if (!ready()) return;
  const SystemClock clock;
  const PtySession s = session();
  EXPECT_THAT(seen(s).since, Optional(Le(clock.now())));
  EXPECT_THAT(seen(s).since, Optional(Ge(row_of(source(), s.leader())->start)));
}

TEST_P(Input, IoUringIsSeenByTheScanAtLeast) {
  open();
  if (!ready()) return;
  const PtySession s = session();
  const auto written = write_by_io_uring(s.master(), 'q');
  if (!written) GTEST_SKIP() << written.error().text();
  ASSERT_EQ(s.unread(), 1);
  const bool without_scan = GetParam() == Backend::fentry || GetParam() == Backend::kprobe;
  const Tty tty = without_scan ? Tty{} : tty_of(s);
  if (without_scan) {
    EXPECT_EQ(seen(s).inputs, 1U);
  } else {
    EXPECT_EQ(source().input(tty).inputs, 1U);
  }
}

TEST_P(HookedInput, IoUringIsSeenByPtyWriteAlone) {
  open();
  if (!ready()) return;
  const PtySession s = session();
  const auto written = write_by_io_uring(s.master(), 'q');
  if (!written) GTEST_SKIP() << written.error().text();
  EXPECT_EQ(seen(s).inputs, GetParam() == Backend::tracepoint ? 0U : 1U);
}

TEST_P(Input, WhatAProgramTypesByItselfIsNot) {
  open();
  if (!ready()) return;
  const PtySession s = session();
  char byte = 'q';
  // EIO: a kernel without TIOCSTI, where nobody can cheat by it.
  const int typed = ioctl(s.slave(), TIOCSTI, &byte);
  if (typed != 0) GTEST_SKIP() << "TIOCSTI: " << std::generic_category().message(errno);
  ASSERT_EQ(s.unread(), 1);
  (void)tty_of(s);
  EXPECT_EQ(seen(s).inputs, 0U);
  EXPECT_EQ(seen(s).last_input, std::nullopt);
}

TEST_P(Input, TouchingTheTtyIsNot) {
  open();
  if (!ready()) return;
  const PtySession s = session();
  ASSERT_EQ(futimens(s.slave(), nullptr), 0);
  (void)tty_of(s);
  EXPECT_EQ(seen(s).last_input, std::nullopt);
}

TEST_P(Input, OutputIsNot) {
  open({.record_output = true, .pin_dir = ""});
  if (!ready()) return;
  const PtySession s = session();
  ASSERT_EQ(write(s.slave(), "hello\n", 6), 6);
  (void)tty_of(s);
  EXPECT_EQ(seen(s).last_input, std::nullopt);
}

TEST_P(Input, OutputThroughIoUringIsNot) {
  open({.record_output = true, .pin_dir = ""});
  if (!ready()) return;
  const PtySession s = session();
  const auto written = write_by_io_uring(s.slave(), 'q');
  if (!written) GTEST_SKIP() << written.error().text();
  (void)tty_of(s);
  EXPECT_EQ(seen(s).last_input, std::nullopt);
}

TEST_P(Input, APasteOfManyKilobytesIsSeen) {
  open();
  if (!ready()) return;
  const PtySession s = session();
  s.type(std::string(3000, 'x'));
  EXPECT_THAT(seen(s).inputs, Ge(1U));
}

TEST_P(HookedInput, RepliesAreToldFromAPerson) {
  open();
  if (!ready()) return;
  const PtySession s = session();
  for (const ReplySample& sample : reply_samples()) {
    const InputSeen before = seen(s);
    s.type(sample.bytes);
    const InputSeen after = seen(s);
    EXPECT_EQ(after.inputs - before.inputs, sample.reply ? 0U : 1U) << sample.name;
    EXPECT_EQ(after.replies - before.replies, sample.reply ? 1U : 0U) << sample.name;
    s.discard_typed();
  }
}

// Typed one after the other: what each piece counts as.
void expect_pieces(const PtySession& s, const std::function<InputSeen()>& seen,
                   const std::vector<std::pair<std::string, bool>>& pieces) {
  for (const auto& [bytes, reply] : pieces) {
    const InputSeen before = seen();
    s.type(bytes);
    const InputSeen after = seen();
    EXPECT_EQ(after.inputs - before.inputs, reply ? 0U : 1U) << bytes;
    EXPECT_EQ(after.replies - before.replies, reply ? 1U : 0U) << bytes;
  }
  s.discard_typed();
}

TEST_P(HookedInput, FocusThatComesAndGoesIsAReply) {
  open();
  if (!ready()) return;
  const PtySession s = session();
  const auto now = [&] { return seen(s); };
  const std::string in = "\033[I";
  const std::string out = "\033[O";
  // The first may be a key, and so may one that came before.
  expect_pieces(s, now, {{in, false}, {out, true}, {in, true}, {"ls\r", false}, {out, true}});
  expect_pieces(s, now, {{"\033[24;80R", true}, {in, true}, {out, true}});
  expect_pieces(s, now, {{out, false}, {out, false}, {"\033[A", false}, {out, false}});
  expect_pieces(s, now, {{in, true}, {in, false}, {"\033[24;80R", true}, {in, false}});
  expect_pieces(s, now, {{out + in, false}, {out, true}, {out + "\033[24;80R", false}});
  const PtySession paged = session();
  const auto of_paged = [&] { return seen(paged); };
  expect_pieces(paged, of_paged, {{in, false}, {in, false}, {"\033[G", false}, {in, false}});
  const PtySession out_first = session();
  const auto of_out_first = [&] { return seen(out_first); };
  expect_pieces(out_first, of_out_first, {{out, false}, {in, true}, {out, true}});
}

TEST_P(HookedInput, RepliesThatComeFastAreCutAnywhere) {
  open();
  if (!ready()) return;
  const PtySession s = session();
  const auto now = [&] { return seen(s); };
  std::string many;
  for (int i = 0; i < 200; ++i) many += "\033[24;80R";
  for (std::size_t cut = 17; cut < 26; ++cut) {
    expect_pieces(s, now, {{many.substr(0, cut), true}, {many.substr(cut), true}});
  }
  expect_pieces(s, now, {{many, true}});
  expect_pieces(s, now,
                {{"\033[24;80R\033[24;80R\033[24", true}, {";80R\033[24;8", true}, {"0R", true}});
}

// The kernel hands it on in pieces of 2048 bytes, which is in the middle of a reply; the tracepoint
// sees it whole, and reads no more than one piece.
TEST_P(HookedInput, RepliesInOneLongWrite) {
  open();
  if (!ready()) return;
  const PtySession s = session();
  std::string many;
  for (int i = 0; i < 350; ++i) many += "\033[24;80R";
  s.type(many);
  EXPECT_EQ(seen(s).inputs, GetParam() == Backend::tracepoint ? 1U : 0U);
}

TEST_P(HookedInput, WhatMayBeAKeysBeginningIsAPerson) {
  open();
  if (!ready()) return;
  const PtySession s = session();
  const auto now = [&] { return seen(s); };
  expect_pieces(s, now, {{"\033", false}, {"[24;80R", false}});
  expect_pieces(s, now, {{"\033[24;80R\033", false}, {"[24;80R", false}});
  expect_pieces(s, now, {{"\033[24;8", false}, {"0R", false}});
  expect_pieces(s, now, {{"\033]11;rgb:0000/0000", false}, {"/0000\a", false}});
}

// A terminal that never ends its reply hides nobody's keys: one that is cut has to be ended by the
// very next write.
TEST_P(HookedInput, KeysAfterACutReplyAreAPerson) {
  open();
  if (!ready()) return;
  const PtySession s = session();
  const auto now = [&] { return seen(s); };
  const std::string cut = "\033[24;80R\033[24;80R\033]11;rgb:00";
  expect_pieces(s, now, {{cut, true}, {"a", false}, {"\a", false}});
  expect_pieces(s, now, {{cut, true}, {"ls -l", false}, {"\033[A", false}});
  expect_pieces(s, now, {{cut, true}, {"\033", false}, {"\\", false}});
  expect_pieces(s, now, {{cut, true}, {"00\aq", false}, {"\033[24;80R", true}});
  expect_pieces(s, now, {{cut, true}, {"1", false}, {"\033[24;80R", true}});
}

TEST_P(HookedInput, ARepliesTimeIsNotAnInputsTime) {
  open();
  if (!ready()) return;
  const PtySession s = session();
  s.type("\033[24;80R");
  EXPECT_EQ(seen(s).last_input, std::nullopt);
  EXPECT_NE(seen(s).last_reply, std::nullopt);
  // Nor does a scan take the reply for input that the hook has missed.
  (void)tty_of(s);
  EXPECT_EQ(seen(s).last_input, std::nullopt);
}

TEST_P(HookedInput, RepliesCountAsInputIfAskedTo) {
  open({.ignore_terminal_replies = false, .pin_dir = ""});
  if (!ready()) return;
  const PtySession s = session();
  s.type("\033[24;80R");
  EXPECT_EQ(seen(s).inputs, 1U);
  EXPECT_EQ(seen(s).replies, 0U);
}

// By another process: the daemon's own messages are no output of the session.
void print(const PtySession& s) {
  const pid_t child = fork();
  if (child == 0) _exit(write(s.slave(), "hello\n", 6) == 6 ? 0 : 1);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
}

TEST_P(HookedInput, OutputIsRecordedOnlyIfAskedFor) {
  open();
  if (!ready()) return;
  const PtySession s = session();
  print(s);
  EXPECT_EQ(seen(s).last_output, std::nullopt);
}

TEST_P(HookedInput, OutputIsRecordedIfAskedForButNotOurs) {
  open({.record_output = true, .pin_dir = ""});
  if (!ready()) return;
  const PtySession s = session();
  ASSERT_EQ(write(s.slave(), "a warning\n", 10), 10);
  EXPECT_EQ(seen(s).last_output, std::nullopt);
  print(s);
  EXPECT_NE(seen(s).last_output, std::nullopt);
  EXPECT_EQ(seen(s).last_input, std::nullopt);
}

TEST_P(Input, ATtyThatIsNotWatchedIsNotRecorded) {
  open();
  if (!ready()) return;
  const auto inner = PtySession::start();
  ASSERT_TRUE(inner.has_value());
  const PtySession outer = session();
  inner->type("x");
  EXPECT_EQ(source().input(tty_of(*inner)).since, std::nullopt);
  EXPECT_EQ(seen(outer).inputs, 0U);
}

TEST_P(Input, NothingIsRecordedAfterUnwatch) {
  open();
  if (!ready()) return;
  const PtySession s = session();
  source().unwatch(tty_of(s));
  s.type("x");
  EXPECT_EQ(source().input(tty_of(s)).inputs, 0U);
  EXPECT_EQ(source().input(tty_of(s)).last_input, std::nullopt);
}

TEST_P(Input, WatchingTwiceForgetsNothing) {
  open();
  if (!ready()) return;
  const PtySession s = session();
  s.type("x");
  const InputSeen before = seen(s);
  watch(s);
  EXPECT_EQ(seen(s).last_input, before.last_input);
  EXPECT_EQ(seen(s).since, before.since);
}

}  // namespace
}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// What becomes of output that cannot be written.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "base/unique_fd.h"
#include "command.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

class Output : public testing::Test {
 protected:
  Output() { dir_.file("etc/passwd", "root:x:0:0::/root:/bin/sh\n"); }

  // With `fd` as standard output.
  int run(const std::vector<std::string>& words, int fd) {
    std::fflush(stdout);
    const UniqueFd before(::dup(STDOUT_FILENO));
    ::dup2(fd, STDOUT_FILENO);
    testing::internal::CaptureStderr();
    const int status = test::run_program(words);
    err_ = testing::internal::GetCapturedStderr();
    ::dup2(before.get(), STDOUT_FILENO);
    return status;
  }
  int run_full(const std::vector<std::string>& words) {
    const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    return run(words, full.get());
  }

  static constexpr const char* kFull =
      "idlewarden: cannot write to standard output: No space left on device\n";
  test::TempDir dir_;
  std::string err_;
};

TEST_F(Output, ThatCannotBeWrittenIsNoSuccess) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"version"},
           {"version", "--json"},
           {"--help"},
           {"run", "--help"},
           {"check-config", "--root", dir_.path()},
           {"lint", "--root", dir_.path()},
           {"explain", "--root", dir_.path(), "--user", "root"}}) {
    EXPECT_EQ(run_full(words), 3) << words[0];
    EXPECT_EQ(err_, kFull) << words[0];
  }
}

TEST_F(Output, OfMoreThanOneBufferIsToldTheSame) {
  std::string config;
  for (int i = 0; i < 3000; ++i) config += "ClientAliveInterval 10x\n";
  dir_.file("etc/ssh/sshd_config", config);
  EXPECT_EQ(run_full({"lint", "--root", dir_.path()}), 3);
  EXPECT_EQ(err_, kFull);
}

TEST_F(Output, ThatIsClosedIsToldAsThat) {
  const UniqueFd unwritable(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(run({"version"}, unwritable.get()), 3);
  EXPECT_EQ(err_, "idlewarden: cannot write to standard output: Bad file descriptor\n");
}

TEST_F(Output, ThatNobodyReadsAnyMoreIsNoFault) {
  const auto before = ::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ::close(ends[0]);
  const UniqueFd pipe(ends[1]);
  EXPECT_EQ(run({"version"}, pipe.get()), 0);
  EXPECT_EQ(err_, "");
  ::signal(SIGPIPE, before);
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// What a scan and the hook cost, counted and not timed, so that it says the same on a busy machine.
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "idlewarden.skel.h"
#include "kernel/fixture.h"

namespace idlewarden::test {
namespace {

constexpr int kScans = 10;

// The system calls that this process's child made between its two stops.
long syscalls_between_stops(pid_t child) {
  int status = 0;
  long stops = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL),
            0);
  while (ptrace(PTRACE_SYSCALL, child, nullptr, nullptr) == 0 &&
         waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
    if (WSTOPSIG(status) == SIGSTOP) return stops / 2;  // it stops twice for each
    if (WSTOPSIG(status) == (SIGTRAP | 0x80)) ++stops;
  }
  ADD_FAILURE() << "the child ended with status " << status;
  return 0;
}

// For one scan, with the sampler: what every backend does.
double syscalls_of_a_scan() {
  const pid_t child = fork();
  if (child == 0) {
    SystemClock clock;
    auto opened = open_activity_source({.backend = Backend::sampler, .pin_dir = ""}, clock);
    if (!opened || !opened->source->scan()) _exit(2);
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(3);
    raise(SIGSTOP);
    for (int i = 0; i < kScans; ++i) {
      if (!opened->source->scan()) _exit(4);
    }
    raise(SIGSTOP);
    _exit(0);
  }
  const long made = syscalls_between_stops(child);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return static_cast<double>(made) / kScans;
}

TEST(Cost, AScanIsAHandfulOfSystemCalls) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  constexpr int kMore = 200;
  const double before = syscalls_of_a_scan();
  std::vector<pid_t> leaders;
  for (int i = 0; i < kMore; ++i) leaders.push_back(fork_leader(-1));
  const double after = syscalls_of_a_scan();
  for (const pid_t leader : leaders) end_process(leader);
  RecordProperty("syscalls", std::to_string(before));
  RecordProperty("syscalls_with_200_more", std::to_string(after));
  // bpf(2), close(2), and a read(2) for each 32 kB of rows and for the end.
  EXPECT_LE(before, 40);
  EXPECT_LE(after - before, 8);
}

struct Bound {
  const char* program;
  std::size_t instructions;
};

// Of the whole program, its functions included; what a key passes of them is less.
TEST(Cost, TheProgramsStaySmall) {
  const auto close = [](idlewarden_bpf* object) { idlewarden_bpf__destroy(object); };
  const std::unique_ptr<idlewarden_bpf, decltype(close)> object(idlewarden_bpf__open(), close);
  ASSERT_NE(object, nullptr);
  std::map<std::string, std::size_t> found;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object->obj) {
    found[bpf_program__section_name(program)] = bpf_program__insn_cnt(program);
  }
  for (const Bound& bound : {Bound{"fentry/pty_write", 180}, Bound{"kprobe/pty_write", 220},
                             Bound{"tp_btf/sys_exit", 360}, Bound{"iter/task", 400}}) {
    ASSERT_TRUE(found.contains(bound.program)) << bound.program;
    RecordProperty(bound.program, std::to_string(found[bound.program]));
    EXPECT_LE(found[bound.program], bound.instructions) << bound.program;
  }
}

}  // namespace
}  // namespace idlewarden::test

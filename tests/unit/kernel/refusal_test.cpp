// SPDX-License-Identifier: Apache-2.0
#include "kernel/refusal.h"

#include <gmock/gmock.h>

namespace idlewarden {
namespace {

using testing::HasSubstr;

TEST(Refusal, NotRoot) {
  const Error error = explain_refusal(Backend::fentry, EPERM, "", {.root = false});
  EXPECT_THAT(error.what, HasSubstr("not allowed"));
  EXPECT_THAT(error.hint, HasSubstr("run as root"));
}

TEST(Refusal, NoTypeInformation) {
  EXPECT_THAT(explain_refusal(Backend::sampler, ESRCH, "", {.btf = false}).hint,
              HasSubstr("CONFIG_DEBUG_INFO_BTF"));
  EXPECT_THAT(
      explain_refusal(Backend::sampler, ESRCH,
                      "libbpf: Error loading vmlinux BTF: -3\nlibbpf: failed to load object\n", {})
          .what,
      HasSubstr("/sys/kernel/btf/vmlinux"));
}

TEST(Refusal, Lockdown) {
  const Error error = explain_refusal(Backend::kprobe, EPERM, "", {.lockdown = "confidentiality"});
  EXPECT_THAT(error.what, HasSubstr("lockdown (confidentiality)"));
}

TEST(Refusal, NoLockdownIsNotBlamed) {
  const Error error = explain_refusal(
      Backend::fentry, EPERM,
      "libbpf: prog 'fentry_pty_write': BPF program load failed: Operation not permitted\n"
      "libbpf: permission error while running as root; try raising 'ulimit -l'? current value: "
      "8.0 MiB\n",
      {.lockdown = "none"});
  EXPECT_THAT(error.what, HasSubstr("this kernel refuses a trampoline on pty_write"));
  EXPECT_EQ(error.text().find("lockdown"), std::string::npos);
}

TEST(Refusal, NoKprobes) {
  const Error error = explain_refusal(Backend::kprobe, ENOENT, "", {.kprobes = false});
  EXPECT_THAT(error.what, HasSubstr("no kprobes"));
}

TEST(Refusal, TrampolinesMissing) {
  constexpr int kKernelsOwnNotSupported = 524;
  const Error error = explain_refusal(Backend::fentry, kKernelsOwnNotSupported, "", {});
  EXPECT_THAT(error.what, HasSubstr("no BPF trampolines"));
  EXPECT_THAT(error.text(), HasSubstr("not supported"));
}

TEST(Refusal, TheVerifiersLastWordsAreTold) {
  const Error error = explain_refusal(
      Backend::tracepoint, EACCES,
      "libbpf: prog 'tracepoint_sys_exit': BPF program load failed: Permission denied\n"
      "libbpf: prog 'tracepoint_sys_exit': -- BEGIN PROG LOAD LOG --\n"
      "0: R1=ctx() R10=fp0\n"
      "R2 unbounded memory access\n"
      "processed 438 insns (limit 1000000) max_states_per_insn 1\n"
      "-- END PROG LOAD LOG --\n"
      "libbpf: prog 'tracepoint_sys_exit': failed to load: -13\n",
      {});
  EXPECT_THAT(error.what, HasSubstr("R2 unbounded memory access"));
  EXPECT_EQ(error.text().find("processed"), std::string::npos);
}

TEST(Refusal, EveryReasonIsOneLine) {
  for (const int code : {EPERM, EACCES, ENOENT, ESRCH, EINVAL, E2BIG, 524}) {
    for (const Backend backend :
         {Backend::fentry, Backend::kprobe, Backend::sampler, Backend::tracepoint}) {
      const Error error = explain_refusal(backend, code, "libbpf: a\x1b[2Jb\nlibbpf: c\n", {});
      EXPECT_FALSE(error.what.empty());
      EXPECT_EQ(error.text().find_first_of("\n\033"), std::string::npos) << error.text();
    }
  }
}

}  // namespace
}  // namespace idlewarden

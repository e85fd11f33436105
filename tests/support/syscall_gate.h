// SPDX-License-Identifier: Apache-2.0
// A program of which the test sees system calls before the kernel does, and may refuse one or end
// the program there: seccomp_unotify(2). Nothing of it is replaced, so it can be a build with
// sanitizers. Its threads and children pass the same gate. Linux 5.6 or later; needs root.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace idlewarden::test {

class SyscallGate {
 public:
  struct Call {
    std::string name;  // "openat"
    // With what it is called on: "openat /proc/812/stat", "ioctl TIOCVHANGUP /dev/pts/4",
    // "pidfd_send_signal 15 pidfd:812", "bpf PROG_LOAD iterate_leaders", "write socket:[991]".
    std::string what;
    // The same for all calls of that kind: numbers are N, temporary folders TMP.
    std::string kind;
  };
  // What becomes of it.
  struct Verdict {
    int error = 0;         // refused with this errno; 0: goes on
    bool is_last = false;  // the whole program is killed (SIGKILL) instead
  };
  // On a thread of the gate's own, one call at a time; the program waits meanwhile.
  using Guard = std::function<Verdict(const Call&)>;

  explicit SyscallGate(Guard guard) : guard_(std::move(guard)) {}
  // The program is to have ended: without its gate its calls fail with ENOSYS.
  ~SyscallGate();
  SyscallGate(const SyscallGate&) = delete;
  SyscallGate& operator=(const SyscallGate&) = delete;

  // Between fork and exec, in the child: stops (SIGSTOP) until the gate is attached.
  static void enter();
  // In the parent, after that.
  void attach(pid_t child);

 private:
  void serve();

  Guard guard_;
  pid_t program_ = -1;
  UniqueFd listener_;
  UniqueFd wake_;
  std::thread thread_;
};

}  // namespace idlewarden::test

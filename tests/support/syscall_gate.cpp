// SPDX-License-Identifier: Apache-2.0
#include "support/syscall_gate.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "base/pidfd.h"
#include "support/syscall_names.h"

namespace idlewarden::test {
namespace {

[[noreturn]] void give_up(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// Those of syscall_names.h are asked about, all others go on.
std::vector<sock_filter> filter() {
  std::vector<sock_filter> code{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
  };
  const std::vector<long> numbers = gated_syscalls();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    // To the last instruction; the one before it lets go on.
    const auto to_ask = static_cast<__u8>(numbers.size() - i);
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<__u32>(numbers[i]), to_ask, 0));
  }
  code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
  return code;
}

constexpr int kListener = 3;  // the child's first free descriptor

}  // namespace

void SyscallGate::enter() {
  static const std::vector<sock_filter> kCode = filter();
  const sock_fprog program{.len = static_cast<unsigned short>(kCode.size()),
                           .filter = const_cast<sock_filter*>(kCode.data())};
  // Other gates' listeners among them.
  ::close_range(kListener, ~0U, 0);
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program) !=
      kListener) {
    ::_exit(126);
  }
  ::raise(SIGSTOP);
}

void SyscallGate::attach(pid_t child) {
  int status = 0;
  if (::waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status)) {
    throw std::runtime_error("the program did not come to its gate");
  }
  program_ = child;
  const UniqueFd process(::pidfd_open(child, 0));
  listener_.reset(::pidfd_getfd(process.get(), kListener, 0));
  wake_.reset(::eventfd(0, EFD_CLOEXEC));
  if (!listener_ || !wake_) give_up("opening a gate");
  thread_ = std::thread(&SyscallGate::serve, this);
  ::kill(child, SIGCONT);
}

SyscallGate::~SyscallGate() {
  if (!thread_.joinable()) return;
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
}

void SyscallGate::serve() {
  while (true) {
    pollfd ready[2] = {{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    if (::poll(ready, 2, -1) < 0) continue;
    // POLLHUP: nobody is left behind the gate.
    if (ready[0].revents != 0 || (ready[1].revents & POLLIN) == 0) return;
    seccomp_notif asked{};
    if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) continue;
    seccomp_notif_resp answer{.id = asked.id, .val = 0, .error = 0, .flags = 0};
    Verdict verdict;
    if (const auto call = describe(static_cast<pid_t>(asked.pid), asked.data)) {
      verdict = guard_(*call);
    }
    if (verdict.is_last) {
      ::kill(program_, SIGKILL);
      continue;
    }
    if (verdict.error == 0) {
      answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    } else {
      answer.error = -verdict.error;
    }
    // ENOENT: the program was killed meanwhile.
    (void)::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
}

}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// host N: holds N ptys, each with an idle session leader on it, as an sshd would; says "ready" and
// stays until its standard input ends. Stands in for N logins that cost nothing themselves.
#include <fcntl.h>
#include <pty.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <utmp.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  const int count = argc == 2 ? std::atoi(argv[1]) : 0;
  for (int i = 0; i < count; ++i) {
    int master = -1;
    const pid_t leader = ::forkpty(&master, nullptr, nullptr, nullptr);
    if (leader < 0) {
      std::perror("forkpty");
      return 1;
    }
    if (leader == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::execl("/bin/sleep", "sleep", "infinity", nullptr);
      ::_exit(127);
    }
    ::fcntl(master, F_SETFD, FD_CLOEXEC);
  }
  std::puts("ready");
  std::fflush(stdout);
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
  return count > 0 ? 0 : 2;
}

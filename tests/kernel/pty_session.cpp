// SPDX-License-Identifier: Apache-2.0
#include "kernel/pty_session.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace idlewarden::test {

pid_t fork_leader(int slave) {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) return -1;
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGHUP, SIG_IGN);
    // Nothing of the test's is held on to, neither a master nor the lock on a pin folder.
    dup2(ready[1], STDOUT_FILENO);
    if (slave >= 0) dup2(slave, STDIN_FILENO);
    close_range(STDERR_FILENO + 1, ~0U, 0);
    const bool leads = setsid() > 0 && (slave < 0 || ioctl(STDIN_FILENO, TIOCSCTTY, 0) == 0);
    if (!leads || write(STDOUT_FILENO, "!", 1) != 1) _exit(1);
    close(STDOUT_FILENO);
    for (;;) pause();
  }
  close(ready[1]);
  char byte = 0;
  EXPECT_EQ(read(ready[0], &byte, 1), 1) << "the child does not lead a session";
  close(ready[0]);
  return pid;
}

void end_process(pid_t pid) {
  if (pid <= 0) return;
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

Result<PtySession> PtySession::start(const std::string& ptmx) {
  PtySession session;
  session.master_.reset(open(ptmx.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  int unlock = 0;
  if (!session.master_ || ioctl(session.master(), TIOCSPTLCK, &unlock) != 0) {
    return fail_errno("opening " + ptmx);
  }
  session.slave_.reset(ioctl(session.master(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  struct stat info {};
  if (!session.slave_ || fstat(session.slave(), &info) != 0) return fail_errno("opening the slave");
  session.index_ = minor(info.st_rdev);
  session.devpts_dev_ = static_cast<unsigned>(info.st_dev);
  termios raw{};
  tcgetattr(session.slave(), &raw);
  cfmakeraw(&raw);
  tcsetattr(session.slave(), TCSANOW, &raw);
  session.lead_again();
  return session;
}

PtySession::PtySession(PtySession&& other) noexcept
    : master_(std::move(other.master_)),
      slave_(std::move(other.slave_)),
      index_(other.index_),
      devpts_dev_(other.devpts_dev_),
      leader_(std::exchange(other.leader_, -1)) {}

PtySession::~PtySession() {
  end_leader();
}

void PtySession::end_leader() {
  end_process(std::exchange(leader_, -1));
}

void PtySession::lead_again() {
  leader_ = fork_leader(slave_.get());
}

void PtySession::type(std::string_view bytes) const {
  ASSERT_EQ(write(master(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
}

void PtySession::discard_typed() const {
  tcflush(slave(), TCIFLUSH);
}

int PtySession::unread() const {
  int bytes = 0;
  // The line discipline takes bytes in a worker of the kernel.
  for (int i = 0; i < 200 && bytes == 0; ++i) {
    EXPECT_EQ(ioctl(slave(), FIONREAD, &bytes), 0);
    if (bytes == 0) usleep(5000);
  }
  return bytes;
}

std::optional<Leader> row_of(ActivitySource& source, pid_t leader) {
  const auto leaders = source.scan();
  if (!leaders) {
    ADD_FAILURE() << leaders.error().text();
    return std::nullopt;
  }
  const auto it = std::ranges::find(*leaders, leader, &Leader::pid);
  if (it == leaders->end()) return std::nullopt;
  return *it;
}

}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// A process of the test's own that leads a session on a pty of the test's own.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/procfs.h"
#include "base/unique_fd.h"
#include "sessions/session.h"

namespace idlewarden::test {

class PtyChild {
 public:
  // Runs `script` in sh on a new tty of this devpts mount; it has started when it prints "ready".
  // `prepare` runs in the child before that.
  explicit PtyChild(
      const std::string& script, const std::string& devpts = "/dev/pts",
      const std::function<void()>& prepare = [] {}) {
    master = UniqueFd(::open((devpts + "/ptmx").c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!master) master = UniqueFd(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
    unsigned index = 0;
    const int unlock = 0;
    EXPECT_EQ(::ioctl(master.get(), TIOCSPTLCK, &unlock), 0);
    EXPECT_EQ(::ioctl(master.get(), TIOCGPTN, &index), 0);
    UniqueFd slave(::open(fmt::format("{}/{}", devpts, index).c_str(), O_RDWR | O_NOCTTY));
    EXPECT_TRUE(slave);
    struct stat st {};
    EXPECT_EQ(::fstat(slave.get(), &st), 0);
    pid = ::fork();
    if (pid == 0) lead(slave.get(), script, prepare);
    slave.reset();
    session.tty_name = fmt::format("pts/{}", index);
    session.tty = {.address = 0xffff888000000000ULL + index,
                   .major = major(st.st_rdev),
                   .minor = minor(st.st_rdev),
                   .index = index,
                   .devpts_dev = static_cast<std::uint32_t>(st.st_dev)};
    EXPECT_TRUE(wait_for("ready"));
    const auto stat = Procfs().stat(pid);
    EXPECT_TRUE(stat);
    session.id = {pid, from_start_ticks(stat ? stat->start_ticks : 0), session.tty.address};
  }
  ~PtyChild() {
    ::kill(pid, SIGKILL);
    ::kill(pid, SIGCONT);
    reap();
  }
  PtyChild(const PtyChild&) = delete;
  PtyChild& operator=(const PtyChild&) = delete;

  // Reads what the child printed until `text` is in it.
  bool wait_for(std::string_view text) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (std::chrono::steady_clock::now() < deadline) {
      if (printed.find(text) != std::string::npos) return true;
      pollfd p{.fd = master.get(), .events = POLLIN, .revents = 0};
      if (::poll(&p, 1, 100) != 1) continue;
      char buffer[4096];
      const ssize_t n = ::read(master.get(), buffer, sizeof buffer);
      if (n <= 0) return false;
      printed.append(buffer, static_cast<std::size_t>(n));
    }
    return false;
  }
  void reap() {
    if (!std::exchange(reaped_, true)) ::waitpid(pid, nullptr, 0);
  }

  UniqueFd master;
  pid_t pid = 0;
  Session session;
  std::string printed;

 private:
  [[noreturn]] static void lead(int slave, const std::string& script,
                                const std::function<void()>& prepare) {
    ::setsid();
    prepare();
    if (::ioctl(slave, TIOCSCTTY, 0) != 0) ::_exit(126);
    for (int fd = 0; fd < 3; ++fd) ::dup2(slave, fd);
    ::execl("/bin/sh", "sh", "-c", script.c_str(), nullptr);
    ::_exit(127);
  }
  bool reaped_ = false;
};

// Whether the pidfd's process ends within this time.
inline bool ends_within(int pidfd, std::chrono::milliseconds time) {
  pollfd p{.fd = pidfd, .events = POLLIN, .revents = 0};
  return ::poll(&p, 1, static_cast<int>(time.count())) == 1;
}

}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
#include "kernel/self_test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace idlewarden {
namespace {

constexpr auto kPatience = std::chrono::seconds(2);
constexpr auto kPoll = std::chrono::milliseconds(5);

// A child that leads a session on a pty of its own, until the object goes.
class ProbeSession {
 public:
  static Result<ProbeSession> start() {
    ProbeSession probe;
    probe.master_.reset(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!probe.master_) return fail_errno("self-test: opening a pty");
    int unlock = 0;
    if (ioctl(probe.master_.get(), TIOCSPTLCK, &unlock) != 0) {
      return fail_errno("self-test: unlocking a pty");
    }
    probe.slave_.reset(ioctl(probe.master_.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    struct stat info {};
    if (!probe.slave_ || fstat(probe.slave_.get(), &info) != 0) {
      return fail_errno("self-test: opening a pty's slave");
    }
    probe.minor_ = minor(info.st_rdev);
    probe.devpts_dev_ = static_cast<std::uint32_t>(info.st_dev);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return fail_errno("self-test: pipe");
    const UniqueFd end_of_session(ends[0]);
    probe.session_.reset(ends[1]);
    probe.leader_ = fork();
    if (probe.leader_ < 0) return fail_errno("self-test: fork");
    if (probe.leader_ == 0) {
      close(ends[1]);
      lead(probe.slave_.get(), ends[0]);
    }
    return probe;
  }
  ProbeSession(ProbeSession&& other) noexcept
      : master_(std::move(other.master_)),
        slave_(std::move(other.slave_)),
        session_(std::move(other.session_)),
        minor_(other.minor_),
        devpts_dev_(other.devpts_dev_),
        leader_(std::exchange(other.leader_, -1)) {}
  ProbeSession& operator=(ProbeSession&&) = delete;
  ~ProbeSession() {
    if (leader_ <= 0) return;
    session_.reset();
    waitpid(leader_, nullptr, 0);
  }

  // Asks for the tty instead of the pid, which may have another number in another pid namespace.
  bool is(const Leader& leader) const {
    return leader.tty && leader.tty->is_pts() && leader.tty->minor == minor_ &&
           leader.tty->devpts_dev == devpts_dev_;
  }
  Result<void> type() const {
    if (write(master_.get(), "x", 1) != 1) return fail_errno("self-test: writing to a pty");
    return {};
  }

 private:
  ProbeSession() = default;

  // Between fork and _exit only system calls: the parent may have threads.
  // Leads until nobody holds the other end of the pipe.
  [[noreturn]] static void lead(int slave, int end_of_session) {
    if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) != 0) _exit(1);
    char never = 0;
    (void)!read(end_of_session, &never, 1);
    _exit(0);
  }

  UniqueFd master_;
  UniqueFd slave_;
  UniqueFd session_;  // the session ends when this is closed
  unsigned minor_ = 0;
  std::uint32_t devpts_dev_ = 0;
  pid_t leader_ = -1;
};

Result<std::optional<Leader>> find(KernelSource& source, const ProbeSession& probe) {
  const auto leaders = source.scan();
  if (!leaders) return std::unexpected(leaders.error());
  const auto it = std::ranges::find_if(*leaders, [&](const Leader& l) { return probe.is(l); });
  if (it == leaders->end()) return std::optional<Leader>();
  return std::optional(*it);
}

// Asks again and again until `done` is content with the probe's row.
template <class Done>
Result<Leader> await(KernelSource& source, const ProbeSession& probe, const std::string& what,
                     Done done) {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  do {
    const auto leader = find(source, probe);
    if (!leader) return std::unexpected(leader.error());
    if (*leader && done(**leader)) return **leader;
    std::this_thread::sleep_for(kPoll);
  } while (std::chrono::steady_clock::now() < give_up);
  return fail("the self-test failed: " + what,
              "try again; if it stays like that, `idlewarden doctor` says what works here");
}

}  // namespace

Result<void> self_test(KernelSource& source) {
  const auto probe = ProbeSession::start();
  if (!probe) return std::unexpected(probe.error());
  const auto leader = await(source, *probe, "the task iterator does not show a session",
                            [](const Leader&) { return true; });
  if (!leader) return std::unexpected(leader.error());
  if (const auto watched = source.watch(*leader->tty); !watched) return watched;
  Result<void> result = probe->type();
  if (result) {
    // The scans see it too; a hook has to see it by itself.
    const bool hooked = source.backend() != Backend::sampler;
    const auto seen = await(source, *probe, "a typed byte was not seen", [&](const Leader& l) {
      return hooked ? source.stamped(*l.tty) : source.input(*l.tty).last_input.has_value();
    });
    if (!seen) result = std::unexpected(seen.error());
  }
  source.unwatch(*leader->tty);
  return result;
}

}  // namespace idlewarden

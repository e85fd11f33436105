// SPDX-License-Identifier: Apache-2.0
#include "enforce/terminate.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "base/text.h"
#include "base/unique_fd.h"
#include "enforce/own_scope.h"
#include "base/pidfd.h"
#include "enforce/stuck_host.h"
#include "enforce/tty_of.h"

namespace idlewarden {
namespace {

std::unexpected<Error> gone(std::string what) {
  Error error;
  error.what = std::move(what);
  error.code = ESRCH;
  return std::unexpected(std::move(error));
}

// A pidfd becomes readable when the last thread of its process has ended, reaped or not.
bool has_exited(int pidfd) {
  pollfd p{.fd = pidfd, .events = POLLIN, .revents = 0};
  return ::poll(&p, 1, 0) != 0;
}

Result<void> send(int pidfd, int signal, std::string_view whom) {
  if (::pidfd_send_signal(pidfd, signal, nullptr, 0) == 0 || errno == ESRCH) return {};
  return fail_errno(fmt::format("cannot signal {}", whom));
}

class SystemGrip final : public Grip {
 public:
  SystemGrip(const Procfs& procfs, pid_t leader, UniqueFd leader_fd, UniqueFd tty)
      : procfs_(procfs), leader_(leader), leader_fd_(std::move(leader_fd)), tty_(std::move(tty)) {}

  void hold_host(pid_t host, UniqueFd fd) {
    host_ = host;
    host_fd_ = std::move(fd);
  }
  void hold_scope(Result<OwnScope> scope) { scope_ = std::move(scope); }

  Result<void> say(std::string_view text) override {
    if (!tty_) return fail_errno("the tty is hung up", EIO);
    const ssize_t n = ::write(tty_.get(), text.data(), text.size());
    if (n < 0) return fail_errno("cannot write to the tty");
    if (static_cast<std::size_t>(n) < text.size()) {
      return fail_errno("the tty took only a part of the text", EAGAIN);
    }
    return {};
  }

  Result<void> hang_up() override {
    if (!tty_) return fail_errno("the tty is hung up already", EIO);
    if (::ioctl(tty_.get(), TIOCVHANGUP) != 0) return fail_errno("cannot hang the tty up");
    // The host process waits for the last descriptor of the slave side to be closed.
    tty_.reset();
    return {};
  }

  Result<void> signal_leader(int signal) override {
    return send(leader_fd_.get(), signal, "the leader");
  }

  Result<void> signal_host(int signal) override {
    if (!host_fd_) return fail("no host process is held");
    return send(host_fd_.get(), signal, "the host process");
  }

  Result<void> kill_survivors() override {
    if (!scope_) return std::unexpected(scope_.error());
    if (host_fd_ && !has_exited(host_fd_.get())) {
      const auto other = other_child(procfs_, host_, leader_);
      if (other != 0) return fail("its connection also serves another process");
    }
    return scope_->kill();
  }

  Alive alive() override {
    Alive now;
    now.leader = leader_fd_ && !has_exited(leader_fd_.get());
    now.host_stuck = !now.leader && host_fd_ && !has_exited(host_fd_.get()) &&
                     stuck_.look(procfs_, host_, host_fd_.get());
    return now;
  }

  int leader_fd() const noexcept override { return leader_fd_.get(); }

 private:
  Procfs procfs_;
  pid_t leader_;
  UniqueFd leader_fd_;
  UniqueFd tty_;
  pid_t host_ = 0;
  UniqueFd host_fd_;
  StuckHost stuck_;
  Result<OwnScope> scope_ = fail("its scope is not known, because its leader had ended");
};

class SystemTerminator final : public Terminator {
 public:
  explicit SystemTerminator(Procfs procfs) : procfs_(std::move(procfs)) {}

  Result<std::unique_ptr<Grip>> seize(const Session& session) override {
    const pid_t leader = session.id.leader;
    if (session.id.tty == 0) return fail("it has no terminal that could be hung up");
    auto leader_fd = open_process(leader);
    if (!leader_fd) return std::unexpected(leader_fd.error());
    auto tty = open_tty(procfs_, session);
    if (!tty) return std::unexpected(tty.error());
    if (auto proven = prove(session, tty->get()); !proven) return std::unexpected(proven.error());
    // What was proven of the pid holds for the descriptor only if that has not ended by now.
    if (has_exited(leader_fd->get())) return gone("the leader has ended");

    auto grip =
        std::make_unique<SystemGrip>(procfs_, leader, std::move(*leader_fd), std::move(*tty));
    if (auto host = hold_host(session)) grip->hold_host(session.host, std::move(*host));
    grip->hold_scope(OwnScope::of(procfs_, leader));
    return grip;
  }

  Result<std::unique_ptr<Grip>> seize_again(const Session& session) override {
    const pid_t leader = session.id.leader;
    auto leader_fd = open_process(leader);
    if (!leader_fd && leader_fd.error().code != ESRCH) return std::unexpected(leader_fd.error());
    const auto lives = leader_fd ? lives_without_tty(session) : false;
    if (!lives) return std::unexpected(lives.error());
    auto scope = OwnScope::of(procfs_, leader);
    // What was found of the pid holds for the leader only if that has not ended by now.
    const bool proven = *lives && !has_exited(leader_fd->get());
    auto grip = std::make_unique<SystemGrip>(
        procfs_, proven ? leader : 0, proven ? std::move(*leader_fd) : UniqueFd(), UniqueFd());
    if (proven) grip->hold_scope(std::move(scope));
    if (auto host = hold_host(session)) grip->hold_host(session.host, std::move(*host));
    return grip;
  }

 private:
  static Result<UniqueFd> open_process(pid_t pid) {
    if (pid <= 1) return fail(fmt::format("process {} is never touched", pid));
    UniqueFd fd(::pidfd_open(pid, 0));
    if (!fd) return fail_errno(fmt::format("cannot open process {}", pid));
    return fd;
  }

  // That the process is the session's leader, and this its controlling tty.
  Result<void> prove(const Session& session, int tty) const {
    const pid_t leader = session.id.leader;
    struct stat st {};
    if (::fstat(tty, &st) != 0) return fail_errno("cannot examine the tty");
    const auto stat = procfs_.stat(leader);
    if (!stat) {
      return stat.error().code == ENOENT ? gone("the leader has ended")
                                         : std::unexpected(stat.error());
    }
    if (stat->state == 'Z' || stat->state == 'X') return gone("the leader has ended");
    if (stat->start_ticks != start_ticks(session.id.start)) {
      return gone("the leader's pid belongs to another process now");
    }
    if (stat->session != leader) return fail("the process does not lead a session");
    if (stat->tty_nr != static_cast<std::uint32_t>(st.st_rdev)) {
      return gone(fmt::format("{} is not the leader's controlling tty any more", session.tty_name));
    }
    return {};
  }

  // Whether the leader lives on without the tty that it had.
  Result<bool> lives_without_tty(const Session& session) const {
    const auto stat = procfs_.stat(session.id.leader);
    if (!stat && stat.error().code == ENOENT) return false;
    if (!stat) return std::unexpected(stat.error());
    if (stat->state == 'Z' || stat->state == 'X') return false;
    if (stat->start_ticks != start_ticks(session.id.start)) return false;
    const auto tty = static_cast<std::uint32_t>(makedev(session.tty.major, session.tty.minor));
    if (session.id.tty == 0 || stat->tty_nr == tty) {
      return fail_errno("the leader has not lost its tty", EBUSY);
    }
    return true;
  }

  // A host process that cannot be proven is not held, and so never signalled.
  std::optional<UniqueFd> hold_host(const Session& session) const {
    auto fd = open_process(session.host);
    if (!fd) return std::nullopt;
    const auto stat = procfs_.stat(session.host);
    if (!stat || stat->start_ticks != start_ticks(session.host_start)) return std::nullopt;
    return has_exited(fd->get()) ? std::nullopt : std::optional(std::move(*fd));
  }

  Procfs procfs_;
};

}  // namespace

std::unique_ptr<Terminator> system_terminator(Procfs procfs) {
  return std::make_unique<SystemTerminator>(std::move(procfs));
}

}  // namespace idlewarden

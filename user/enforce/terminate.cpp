// SPDX-License-Identifier: Apache-2.0
#include "enforce/terminate.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <sys/sysmacros.h>
#include <sys/types.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/pidfd.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "enforce/connection_use.h"
#include "enforce/own_scope.h"
#include "enforce/process_tree.h"
#include "enforce/stuck_host.h"
#include "enforce/tty_hand.h"
#include "kernel/connection_probe.h"
#include "sessions/connection.h"
#include "sessions/host_process.h"

namespace idlewarden {
namespace {

using Programs = std::vector<HostProgram>;

// So long may pass between the second look at a session and its hang-up.
constexpr std::chrono::milliseconds kStillTrue{100};

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

// What every session has, with or without a tty.
class SystemGrip : public Grip {
 public:
  // `programs` is to outlive it.
  SystemGrip(const Procfs& procfs, const Programs& programs, pid_t leader, UniqueFd leader_fd)
      : procfs_(procfs), programs_(programs), leader_(leader), leader_fd_(std::move(leader_fd)) {}

  void hold_host(pid_t host, UniqueFd fd) {
    host_ = host;
    host_fd_ = std::move(fd);
    if (const auto stat = procfs_.stat(host)) monitor_ = stat->parent;
  }
  void hold_scope(Result<OwnScope> scope) { scope_ = std::move(scope); }

  Result<void> signal_leader(int signal) override {
    return send(leader_fd_.get(), signal, "the leader");
  }

  Result<void> signal_host(int signal) override {
    if (!host_fd_) return fail("no host process is held");
    return send(host_fd_.get(), signal, "the host process");
  }

  Result<void> kill_survivors() override {
    if (!scope_) return std::unexpected(scope_.error());
    if (host_lives() && other_child(procfs_, host_, leader_) != 0) {
      return fail("its connection also serves another process");
    }
    if (const auto alone = nobody_else_logs_in(); !alone) return alone;
    return scope_->kill();
  }

  Result<std::string> scope() const override {
    if (!scope_) return std::unexpected(scope_.error());
    return scope_->path();
  }

  int leader_fd() const noexcept override { return leader_fd_.get(); }

 protected:
  // That no other program in the scope brings people in: mosh-server, say, whose session may be too
  // young to be known.
  Result<void> nobody_else_logs_in() const {
    const auto all = scope_->processes();
    if (!all) return std::unexpected(all.error());
    for (const pid_t pid : *all) {
      if (pid == host_ || pid == monitor_) continue;
      const auto executable = procfs_.executable(pid);
      if (!executable && executable.error().code == ENOENT) continue;
      if (!executable) return std::unexpected(executable.error());
      if (find_program(programs_, *executable) == nullptr) continue;
      return fail(fmt::format("{} (pid {}) may serve somebody in its scope", *executable, pid));
    }
    return {};
  }

  bool leader_lives() const noexcept { return leader_fd_ && !has_exited(leader_fd_.get()); }
  bool host_lives() const { return host_fd_ && !has_exited(host_fd_.get()); }

  Procfs procfs_;
  const Programs& programs_;
  pid_t leader_;
  UniqueFd leader_fd_;
  pid_t host_ = 0;
  pid_t monitor_ = 0;  // the host process's parent
  UniqueFd host_fd_;
  Result<OwnScope> scope_ = fail("its scope is not known, because its leader had ended");
};

class TtyGrip final : public SystemGrip {
 public:
  // Without a hand on the tty the leader can be held all the same.
  TtyGrip(const Procfs& procfs, const Programs& programs, pid_t leader, UniqueFd leader_fd,
          Result<std::unique_ptr<TtyHand>> tty)
      : SystemGrip(procfs, programs, leader, std::move(leader_fd)), tty_(std::move(tty)) {}

  Result<void> say(std::string_view text) override {
    if (!tty_) return std::unexpected(tty_.error());
    return (*tty_)->ask([text = std::string(text)](int tty) -> Result<void> {
      const ssize_t n = ::write(tty, text.data(), text.size());
      if (n < 0) return fail_errno("cannot write to the tty");
      if (static_cast<std::size_t>(n) < text.size()) {
        return fail_errno("the tty took only a part of the text", EAGAIN);
      }
      return {};
    });
  }

  Result<std::string> hang_up() override {
    // The host process waits for the last descriptor of the slave side to be closed.
    const auto tty = std::exchange(tty_, hung_up());
    bool begun = false;
    Result<void> done = tty ? Result<void>() : std::unexpected(tty.error());
    if (tty) {
      const bool lost = (*tty)->lost();
      done = (*tty)->ask(
          [](int fd) -> Result<void> {
            if (::ioctl(fd, TIOCVHANGUP) == 0) return {};
            if (errno == EIO) return gone("its tty has hung up by itself");
            return fail_errno("cannot hang the tty up");
          },
          kStillTrue);
      begun = !lost && (*tty)->lost();
    }
    if (done) return "hang-up";
    if (done.error().code != ETIMEDOUT) return std::unexpected(done.error());
    // What a hang-up begins with, and this one may not have got to. The end of the leader is one
    // too.
    auto sent = signal_leader(SIGHUP);
    if (sent) sent = signal_leader(SIGCONT);
    if (!sent && !begun) return std::unexpected(sent.error());
    return begun ? "hang-up that does not come back, SIGHUP"
                 : fmt::format("hang-up failed ({}), SIGHUP", done.error().text());
  }

  Alive alive() override {
    Alive now;
    now.leader = leader_lives();
    now.host_stuck = !now.leader && host_lives() && stuck_.look(procfs_, host_);
    return now;
  }

  static std::unexpected<Error> hung_up() { return fail_errno("the tty is hung up", EIO); }

 private:
  Result<std::unique_ptr<TtyHand>> tty_;
  StuckHost stuck_;
};

// A command on a connection: there is no tty whose hang-up reaches its processes, so each is told.
class TreeGrip final : public SystemGrip {
 public:
  TreeGrip(const Procfs& procfs, const Programs& programs, ProcessTree::Member leader,
           UniqueFd leader_fd, ConnectionUse use)
      : SystemGrip(procfs, programs, leader.pid, std::move(leader_fd)),
        tree_(procfs, leader),
        use_(std::move(use)) {}

  Result<void> say(std::string_view) override { return fail("it has no terminal"); }

  Result<std::string> hang_up() override {
    for (const int signal : {SIGHUP, SIGCONT}) {
      const auto sent = signal_leader(signal);
      // Who does not answer is not waited for: the others have had it.
      if (!sent && sent.error().code != EAGAIN) return std::unexpected(sent.error());
    }
    return "hang-up";
  }

  Result<void> signal_leader(int signal) override {
    tree_.grow();
    Result<void> result = SystemGrip::signal_leader(signal);
    for (const auto& member : tree_.members()) {
      if (member.pid == leader_) continue;
      const UniqueFd process(::pidfd_open(member.pid, 0));
      if (!process) continue;
      const auto lives = tree_.lives(member);
      if (!lives) {
        result = fail_errno(fmt::format("process {} does not answer", member.pid), EAGAIN);
      } else if (*lives) {
        if (auto sent = send(process.get(), signal, "a process of the session"); !sent) {
          result = sent;
        }
      }
    }
    return result;
  }

  // A leader that has ended has told what it can: the rest of its tree is looked at by time.
  int leader_fd() const noexcept override { return leader_lives() ? SystemGrip::leader_fd() : -1; }

  Alive alive() override {
    Alive now;
    now.leader = leader_lives() || tree_.any_alive();
    const auto use = host_lives() ? use_.look() : ConnectionUse::Since::some;
    const bool alone = other_child(procfs_, host_, leader_) == 0;
    now.host_stuck = !now.leader && alone && use == ConnectionUse::Since::none;
    now.host_unsettled = alone && use == ConnectionUse::Since::none_yet;
    return now;
  }

  Result<void> kill_survivors() override {
    if (host_lives() && use_.look() != ConnectionUse::Since::none) {
      return fail("its connection is used, or may be");
    }
    return SystemGrip::kill_survivors();
  }

 private:
  ProcessTree tree_;
  ConnectionUse use_;
};

// A connection on which nothing runs: its sshd is its leader.
class ConnectionGrip final : public SystemGrip {
 public:
  using SystemGrip::SystemGrip;

  Result<void> say(std::string_view) override { return fail("it has no terminal"); }
  Result<std::string> hang_up() override {
    if (auto sent = signal_leader(SIGTERM); !sent) return std::unexpected(sent.error());
    if (auto sent = signal_leader(SIGCONT); !sent) return std::unexpected(sent.error());
    return "hang-up";
  }
  Alive alive() override { return {.leader = leader_lives(), .host_stuck = false}; }
};

class SystemTerminator final : public Terminator {
 public:
  SystemTerminator(Procfs procfs, Programs programs)
      : procfs_(std::move(procfs)), programs_(std::move(programs)) {}

  Result<std::unique_ptr<Grip>> seize(const Session& session) override {
    const pid_t leader = session.id.leader;
    auto leader_fd = open_process(leader);
    if (!leader_fd) return std::unexpected(leader_fd.error());
    if (!session.has_tty()) return seize_no_pty(session, std::move(*leader_fd));
    // First, too: for a leader that does not answer no further thread is to hang.
    if (const auto proven = prove(session); !proven) return std::unexpected(proven.error());
    auto tty = TtyHand::open(tty_threads_, procfs_, session);
    if (!tty && tty.error().code != ETIMEDOUT) return std::unexpected(tty.error());
    if (auto proven = prove(session); !proven) return std::unexpected(proven.error());
    // What was proven of the pid holds for the descriptor only if that has not ended by now.
    if (has_exited(leader_fd->get())) return gone("the leader has ended");

    auto grip = std::make_unique<TtyGrip>(procfs_, programs_, leader, std::move(*leader_fd),
                                          std::move(tty));
    complete(*grip, session);
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
    auto grip =
        std::make_unique<TtyGrip>(procfs_, programs_, proven ? leader : 0,
                                  proven ? std::move(*leader_fd) : UniqueFd(), TtyGrip::hung_up());
    if (proven) grip->hold_scope(std::move(scope));
    // Without a tty it cannot be told any more whether its connection was used since.
    auto host = session.has_tty() ? hold_host(session) : std::nullopt;
    if (host) grip->hold_host(session.host, std::move(*host));
    return grip;
  }

  Result<std::string> cgroup_of(pid_t process) const override {
    return idlewarden::cgroup_of(procfs_, process);
  }

 private:
  Result<std::unique_ptr<Grip>> seize_no_pty(const Session& session, UniqueFd leader_fd) {
    const bool bare = session.host == session.id.leader;
    const auto proven = bare ? prove_bare(session) : prove_channel(session);
    if (!proven) return std::unexpected(proven.error());
    if (has_exited(leader_fd.get())) return gone("the leader has ended");
    std::unique_ptr<SystemGrip> grip;
    if (bare) {
      grip = std::make_unique<ConnectionGrip>(procfs_, programs_, session.id.leader,
                                              std::move(leader_fd));
    } else {
      grip = std::make_unique<TreeGrip>(
          procfs_, programs_, ProcessTree::Member{session.id.leader, start_ticks(session.id.start)},
          std::move(leader_fd),
          ConnectionUse(*probe_, procfs_, connection_end(session), session.id.leader));
      complete(*grip, session);
    }
    return grip;
  }

  void complete(SystemGrip& grip, const Session& session) const {
    if (auto host = hold_host(session)) grip.hold_host(session.host, std::move(*host));
    grip.hold_scope(OwnScope::of(procfs_, session.id.leader));
  }

  static Result<UniqueFd> open_process(pid_t pid) {
    if (pid <= 1) return fail(fmt::format("process {} is never touched", pid));
    UniqueFd fd(::pidfd_open(pid, 0));
    // Not a process, but a thread: pidfd_open(2).
    if (!fd && (errno == EINVAL || errno == ENOENT)) return gone("its pid is another's now");
    if (!fd) return fail_errno(fmt::format("cannot open process {}", pid));
    return fd;
  }

  Result<ProcStat> living(const SessionId& id) const {
    auto stat = procfs_.stat(id.leader);
    if (!stat && is_gone(stat.error())) return gone("the leader has ended");
    // It may answer yet; until then nothing has been done to it.
    if (!stat && stat.error().code == ETIMEDOUT) stat.error().code = EAGAIN;
    if (!stat) return std::unexpected(stat.error());
    if (stat->ended()) return gone("the leader has ended");
    if (stat->start_ticks != start_ticks(id.start)) {
      return gone("the leader's pid belongs to another process now");
    }
    return stat;
  }

  // That the process leads a session without a tty, which its host process has started.
  Result<void> prove_channel(const Session& session) const {
    const auto stat = living(session.id);
    if (!stat) return std::unexpected(stat.error());
    if (stat->session != stat->pid) return fail("the process does not lead a session");
    if (stat->tty_nr != 0) return gone("the leader has a tty now");
    if (stat->parent != session.host) return gone("the leader's host process is gone");
    return {};
  }

  // That nothing runs on the connection of this process.
  Result<void> prove_bare(const Session& session) const {
    if (const auto stat = living(session.id); !stat) return std::unexpected(stat.error());
    const auto child = other_child(procfs_, session.host, 0);
    if (!child) return fail("it cannot be told whether something runs on the connection");
    if (*child != 0) return gone("something runs on the connection now");
    return {};
  }

  static std::uint32_t tty_nr(const Session& session) {
    return static_cast<std::uint32_t>(makedev(session.tty.major, session.tty.minor));
  }

  // That the process is the session's leader, and the tty its controlling one.
  Result<void> prove(const Session& session) const {
    const pid_t leader = session.id.leader;
    const auto stat = living(session.id);
    if (!stat) return std::unexpected(stat.error());
    if (stat->session != leader) return fail("the process does not lead a session");
    if (stat->tty_nr != tty_nr(session)) {
      return gone(fmt::format("{} is not the leader's controlling tty any more", session.tty_name));
    }
    return {};
  }

  // Whether the leader lives on without the tty that it had.
  Result<bool> lives_without_tty(const Session& session) const {
    const auto stat = procfs_.stat(session.id.leader);
    if (!stat && stat.error().code == ENOENT) return false;
    if (!stat) return std::unexpected(stat.error());
    if (stat->ended() || stat->start_ticks != start_ticks(session.id.start)) return false;
    if (session.id.tty == 0 || stat->tty_nr == tty_nr(session)) {
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
  Programs programs_;
  std::unique_ptr<ConnectionProbe> probe_ = system_connection_probe(procfs_);
  std::shared_ptr<TtyThreads> tty_threads_ = std::make_shared<TtyThreads>();
};

}  // namespace

std::unique_ptr<Terminator> system_terminator(Procfs procfs, std::vector<HostProgram> programs) {
  return std::make_unique<SystemTerminator>(std::move(procfs), std::move(programs));
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// /proc of the processes that matter (proc(5)). The folder is injected, so tests read a made one.
// Every answer may be out of date when it arrives: whoever acts on it checks the identity again.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/patience.h"
#include "base/result.h"

namespace idlewarden {

struct ProcStat {
  pid_t pid = 0;
  std::string comm;  // raw, as the process set it
  char state = '?';
  pid_t parent = 0;
  pid_t pgrp = 0;
  pid_t session = 0;
  std::uint32_t tty_nr = 0;           // as new_encode_dev() packs it; 0: none
  pid_t foreground_pgrp = -1;         // of the controlling tty; -1: none
  std::uint64_t children_faults = 0;  // cminflt: of the children that it has waited for
  int threads = 1;
  std::uint64_t start_ticks = 0;  // since boot (CLOCK_BOOTTIME), in units of sysconf(_SC_CLK_TCK)
  // A process whose first thread has exited is shown as a zombie too, and lives by the others.
  bool ended() const noexcept { return state == 'X' || (state == 'Z' && threads <= 1); }
};

// Bytes that the first thread of a process moved by system calls since it started, whatever lay
// behind the descriptor (rchar and wchar). Of the process as a whole the kernel has no such count:
// to /proc/PID/io it adds all that a child had moved when that is waited for.
struct ProcIo {
  std::uint64_t read = 0;
  std::uint64_t written = 0;
};

// Of the error of a look at a process: that there is none, or none any more.
bool is_gone(const Error& error) noexcept;

class Procfs {
 public:
  explicit Procfs(std::string directory = "/proc");

  const std::string& directory() const noexcept { return directory_; }
  std::string path(pid_t pid, const std::string& entry) const;

  // Of all processes, as they were found one after the other.
  Result<std::vector<pid_t>> processes() const;
  // A file of no process: "tty/drivers".
  Result<std::string> read(const std::string& entry) const;
  Result<ProcStat> stat(pid_t pid) const;
  // Whether the process can be looked at and has not ended; the second: and is the one that started
  // then, not another with its pid.
  bool lives(pid_t pid) const;
  bool lives(pid_t pid, std::uint64_t start_ticks) const;
  // The process's name, raw: at most 15 bytes, whatever the process or the kernel put there.
  Result<std::string> comm(pid_t pid) const;
  // The path of the executable, without the " (deleted)" that an upgrade leaves behind.
  Result<std::string> executable(pid_t pid) const;
  // argv; one element with blanks in it where the process rewrote its title (setproctitle).
  Result<std::vector<std::string>> command_line(pid_t pid) const;
  // What `look` finds of a process, by what its user can let hang: its memory (the command line),
  // and all that waits while the process executes a program, for which the kernel closes
  // descriptors and may wait for their file system (exec_update_lock: pidfd_getfd(2), io, auxv, in
  // newer kernels stat and each link too). It is left to another thread and waited for 250 ms.
  // ETIMEDOUT, and a shortage: no answer; at once for the next processes of the same user until it
  // has come, and for seconds more if many are late. The functions here that need it ask so by
  // themselves; who has much to ask does it once: what `look` is given asks at once. It may outlive
  // the caller, and has no descriptors of it.
  template <class T>
  Result<T> ask(pid_t pid, std::function<Result<T>(const Procfs&)> look) const {
    return ask(patience_->all, pid, std::move(look));
  }
  // Who is no process of a user's in this: root's, and who is `apart`, in which the user whose uid
  // it has no say. They hang for themselves alone. Who has root's real uid is root's; any other
  // process is theirs who logged in on the way to it, whatever uid namespaces of theirs give it,
  // else its real uid's.
  bool is_a_users(pid_t pid) const { return whose(pid).alone == 0; }
  // For all copies; may call everything here that hangs with nobody, and ask about root's.
  void set_apart(std::function<bool(const Procfs&, pid_t)> apart) const;
  // These four hang with nobody. Of stat() what decides whether it has ended, parent and session;
  // the session only where the kernel shows it (CONFIG_PID_NS), else it asks stat().
  Result<ProcStat> status(pid_t pid) const;
  Result<uid_t> real_uid(pid_t pid) const;
  Result<pid_t> parent(pid_t pid) const;
  // Whether it is the init of a PID namespace: who has lost its parent becomes a child of it.
  Result<bool> is_init(pid_t pid) const;
  // Whether the process ignores the signal (SigIgn).
  Result<bool> ignores(pid_t pid, int signal) const;
  // audit's; none if nobody logged in on the way to this process, or without audit in the kernel.
  Result<std::optional<uid_t>> loginuid(pid_t pid) const;
  // The target of one of the links: "cwd", "root", "ns/mnt", "fd/3".
  Result<std::string> link(pid_t pid, const std::string& entry) const;
  // Open file descriptors, ascending. Needs PTRACE_MODE_READ (ptrace(2)), as link() does.
  Result<std::vector<int>> descriptors(pid_t pid) const;
  // Living and dead ones, of all threads. ENOENT where the kernel has no such list
  // (CONFIG_PROC_CHILDREN), or when the process is gone.
  Result<std::vector<pid_t>> children(pid_t pid) const;
  // Needs PTRACE_MODE_READ; ENOENT also where the kernel does not count
  // (CONFIG_TASK_IO_ACCOUNTING).
  Result<ProcIo> io(pid_t pid) const;
  // Of a descriptor on /dev/ptmx: the number of the pts whose master it is (Linux 5.0); else none.
  Result<std::optional<std::uint32_t>> pts_of_master(pid_t pid, int fd) const;

 private:
  struct Whose {
    uid_t user = 0;
    pid_t alone = 0;  // the process, if it hangs for itself; then no user's
    friend auto operator<=>(const Whose&, const Whose&) = default;
  };
  struct WithPatience {
    std::recursive_mutex mutex;
    std::function<bool(const Procfs&, pid_t)> apart;
    // Where stat and links do not hang, whatever else does keeps nobody from them.
    PatienceWithEach<Whose> stat_and_links{8};
    PatienceWithEach<Whose> all{8};
    PatienceWithEach<Whose> of_nobody{8};  // no user can use up its threads
  };
  template <class T>
  Result<T> ask(PatienceWithEach<Whose>& patience, pid_t pid,
                std::function<Result<T>(const Procfs&)> look) const {
    if (at_once_) return look(*this);
    Procfs at_once = *this;
    at_once.at_once_ = true;
    if (pid == ::getpid()) return look(at_once);
    const std::lock_guard lock(patience_->mutex);
    // To find out whose it is takes as long as most answers; as long as all of them come, it is all
    // the same.
    std::optional<Whose> known;
    if (patience.somebody_is_late()) known = whose(pid);
    auto& asked = known && known->alone != 0 ? patience_->of_nobody : patience;
    auto answer = asked.template ask<Result<T>>(
        [&] { return known ? *known : whose(pid); },
        [look = std::move(look), at_once = std::move(at_once)] { return look(at_once); });
    return answer ? *std::move(answer) : unanswered(pid);
  }
  Whose whose(pid_t pid) const;
  Whose whose_it_seems(pid_t pid) const;
  static std::unexpected<Error> unanswered(pid_t pid);

  std::string directory_;
  bool at_once_ = false;
  std::shared_ptr<WithPatience> patience_;  // all copies wait for the same
};

// Start time in clock ticks as /proc shows a task's start_boottime.
std::uint64_t start_ticks(BootTime start);
// The other way, to the precision of a tick: start_ticks(from_start_ticks(t)) == t.
BootTime from_start_ticks(std::uint64_t ticks);

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "sessions/host_process.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/text.h"

namespace idlewarden {
namespace {

// A chain of parents is rarely longer than ten; the bound only has to be one.
constexpr std::size_t kMostAncestors = 256;

// Which file system an absolute path leads to as the process has it.
Result<dev_t> device_of(const Procfs& procfs, pid_t pid, const std::string& path,
                        OthersRoots& roots) {
  const std::string tree = procfs.path(pid, "root");
  const auto look = [path](const std::string& root) -> Result<dev_t> {
    struct stat st {};
    if (::stat((root + path).c_str(), &st) == 0) return st.st_dev;
    return fail_errno(fmt::format("cannot stat {}{}", root, path));
  };
  // A user can make as many roots as they like, and each as slow.
  if (procfs.is_a_users(pid)) {
    return procfs.ask<dev_t>(pid, [tree, look](const Procfs&) { return look(tree); });
  }
  const auto found = roots.ask<Result<dev_t>>(tree, look);
  if (found) return *found;
  return fail_errno(fmt::format("the root of process {} does not answer", pid), ETIMEDOUT);
}

// Every devpts mount (of a container) numbers its ptys from 0. Which mount the master belongs to is
// not shown anywhere; it is the one that the process itself sees.
Result<bool> sees_same_devpts(const Procfs& procfs, pid_t pid, const Tty& pts, OthersRoots& roots) {
  if (pts.devpts_dev == 0) return true;
  const auto slave = device_of(procfs, pid, fmt::format("/dev/pts/{}", pts.index), roots);
  if (slave) return *slave == pts.devpts_dev;
  // sshd's ChrootDirectory needs no devpts: then its other half, outside, is the one that sees it.
  const int error = slave.error().code;
  if ((error == ENOENT || error == ENOTDIR) && procfs.stat(pid)) return false;
  return std::unexpected(slave.error());
}

Result<bool> holds_master(const Procfs& procfs, pid_t pid, const Tty& pts, OthersRoots& roots) {
  auto one_of_that_index =
      procfs.ask<bool>(pid, [pid, index = pts.index](const Procfs& proc) -> Result<bool> {
        const auto fds = proc.descriptors(pid);
        if (!fds) return std::unexpected(fds.error());
        return std::ranges::any_of(*fds, [&](int fd) {
          const auto target = proc.link(pid, fmt::format("fd/{}", fd));
          // "/dev/ptmx", or "/dev/pts/ptmx" of a devpts of its own.
          if (!target || !target->ends_with("/ptmx")) return false;
          const auto held = proc.pts_of_master(pid, fd);
          return held && *held == index;
        });
      });
  if (!one_of_that_index || !*one_of_that_index) return one_of_that_index;
  return sees_same_devpts(procfs, pid, pts, roots);
}

// Empty for a process that has none: a kernel thread, one that is ending.
Result<std::string> executable_of(const Procfs& procfs, pid_t pid) {
  auto executable = procfs.executable(pid);
  if (!executable && executable.error().code == ENOENT) return std::string();
  return executable;
}

Result<std::vector<Process>> ancestry_of(const Procfs& procfs, Process process) {
  std::vector<Process> ancestry{std::move(process)};
  while (ancestry.size() < kMostAncestors) {
    const auto parent = procfs.parent(ancestry.back().pid);
    if (!parent) return std::unexpected(parent.error());
    if (*parent <= 0) break;
    auto executable = procfs.executable(*parent);
    // One that may not be looked at (init, from inside a container) counts as no host program.
    ancestry.push_back({*parent, executable ? std::move(*executable) : std::string()});
  }
  return ancestry;
}

}  // namespace

HostProgram host_program(std::string executable) {
  const std::string_view name = base_name(executable);
  Kind kind = Kind::ssh;
  if (name.find("dropbear") != std::string_view::npos) kind = Kind::dropbear;
  if (name.find("mosh-server") != std::string_view::npos) kind = Kind::mosh;
  if (name.find("telnetd") != std::string_view::npos) kind = Kind::telnet;
  return {std::move(executable), kind};
}

const HostProgram* find_program(const std::vector<HostProgram>& programs,
                                const std::string& executable) {
  const auto found = std::ranges::find(programs, executable, &HostProgram::executable);
  return found == programs.end() ? nullptr : &*found;
}

bool is_forked_by_sshd(const Procfs& procfs, const std::vector<HostProgram>& programs, pid_t pid) {
  const auto parent = procfs.parent(pid);
  if (!parent || procfs.real_uid(*parent) != 0) return false;
  const auto executable = procfs.executable(*parent);
  if (!executable || find_program(programs, *executable) == nullptr) return false;
  const auto init = procfs.is_init(*parent);
  return base_name(*executable).starts_with("sshd") && init && !*init;
}

Result<HostProcess> host_process(const Procfs& procfs, Process process, Kind kind) {
  const pid_t pid = process.pid;
  const auto stat = procfs.stat(pid);
  if (!stat) return std::unexpected(stat.error());
  auto ancestry = ancestry_of(procfs, std::move(process));
  if (!ancestry) return std::unexpected(ancestry.error());
  return HostProcess{pid, stat->start_ticks, kind, std::move(*ancestry)};
}

Result<std::optional<HostProcess>> find_host(const Procfs& procfs,
                                             const std::vector<HostProgram>& programs, pid_t parent,
                                             const Tty& pts, OthersRoots& roots) {
  pid_t pid = parent;
  for (std::size_t i = 0; pid > 1 && i < kMostAncestors; ++i) {
    const auto stat = procfs.stat(pid);
    if (!stat) return std::unexpected(stat.error());
    const auto executable = executable_of(procfs, pid);
    if (!executable) return std::unexpected(executable.error());
    if (const HostProgram* program = find_program(programs, *executable)) {
      const auto holds = holds_master(procfs, pid, pts, roots);
      if (!holds) return std::unexpected(holds.error());
      if (*holds) {
        return host_process(procfs, {pid, *executable}, program->kind);
      }
    }
    pid = stat->parent;
  }
  return std::nullopt;
}

std::vector<HostProgram> default_host_programs() {
  return {
      // OpenSSH up to 9.7, and the listener since. Where /usr/sbin is /usr/bin: Fedora 42, Arch.
      {"/usr/sbin/sshd", Kind::ssh},
      {"/usr/bin/sshd", Kind::ssh},
      {"/usr/local/sbin/sshd", Kind::ssh},
      {"/usr/sbin/sshd.pam", Kind::ssh},  // Alpine's openssh-server-pam
      // OpenSSH since 9.8 runs a connection in a program of its own.
      {"/usr/lib/openssh/sshd-session", Kind::ssh},      // Debian, Ubuntu
      {"/usr/libexec/openssh/sshd-session", Kind::ssh},  // Fedora, RHEL
      {"/usr/libexec/ssh/sshd-session", Kind::ssh},      // openSUSE
      {"/usr/lib/ssh/sshd-session", Kind::ssh},          // Arch, Alpine, SUSE
      {"/usr/lib/ssh/sshd-session.pam", Kind::ssh},      // Alpine
      {"/usr/lib64/misc/sshd-session", Kind::ssh},       // Gentoo
      {"/usr/libexec/sshd-session", Kind::ssh},
      {"/usr/local/libexec/sshd-session", Kind::ssh},  // built from source
      {"/usr/sbin/dropbear", Kind::dropbear},
      {"/usr/bin/dropbear", Kind::dropbear},
      {"/usr/sbin/dropbearmulti", Kind::dropbear},
      {"/usr/bin/dropbearmulti", Kind::dropbear},
      {"/usr/local/sbin/dropbear", Kind::dropbear},
      {"/usr/bin/mosh-server", Kind::mosh},
      {"/usr/local/bin/mosh-server", Kind::mosh},
      {"/usr/sbin/in.telnetd", Kind::telnet},  // netkit
      {"/usr/bin/in.telnetd", Kind::telnet},
      {"/usr/sbin/telnetd", Kind::telnet},  // inetutils
      {"/usr/bin/telnetd", Kind::telnet},
  };
}

}  // namespace idlewarden

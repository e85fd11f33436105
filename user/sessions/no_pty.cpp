// SPDX-License-Identifier: Apache-2.0
#include "sessions/no_pty.h"

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "sessions/accepting_sshd.h"

namespace idlewarden {
namespace {

bool is_sshd(const Procfs& procfs, const std::vector<HostProgram>& programs, pid_t pid) {
  const auto executable = procfs.executable(pid);
  if (!executable) return false;
  const HostProgram* program = find_program(programs, *executable);
  return program != nullptr && program->kind == Kind::ssh;
}

constexpr std::string_view kInternalSftp = "internal-sftp";
constexpr std::string_view kSftpServer = "sftp-server";

enum class Title {
  listener,
  unset,         // argv as it was started
  monitor,       // "sshd: alice [priv]"
  private_part,  // another in brackets: "[accepted]", "[net]", "[pam]"
  user,          // "sshd: alice", "sshd: alice@notty", "sshd: alice@pts/0,pts/1"
};
Result<Title> title_of(const Procfs& procfs, pid_t pid) {
  const auto command_line = procfs.command_line(pid);
  if (!command_line) return std::unexpected(command_line.error());
  if (command_line->empty()) return Title::unset;
  SshdArguments ignored;
  switch (parse_sshd_command_line(*command_line, ignored)) {
    case SshdTitle::listener: return Title::listener;
    case SshdTitle::arguments: return Title::unset;
    case SshdTitle::other: break;
  }
  const std::string_view title = trim(command_line->front());
  if (!title.ends_with(']')) return Title::user;
  return title.ends_with(" [priv]") ? Title::monitor : Title::private_part;
}

// The process to which the monitor of a connection has handed it over, once somebody is logged in.
Result<pid_t> user_side(const Procfs& procfs, const std::vector<HostProgram>& programs,
                        pid_t monitor) {
  const auto children = procfs.children(monitor);
  if (!children) return std::unexpected(children.error());
  for (const pid_t child : *children) {
    if (!is_sshd(procfs, programs, child)) continue;
    const auto title = title_of(procfs, child);
    if (title && *title == Title::user) return child;
  }
  return 0;
}

// The living child that a process waits for, if it has one and only one in its own session.
pid_t only_child(const Procfs& procfs, pid_t pid, pid_t session) {
  pid_t found = 0;
  for (const pid_t child : procfs.children(pid).value_or(std::vector<pid_t>())) {
    const auto stat = procfs.status(child);
    if (!stat || stat->session != session || stat->ended()) continue;
    if (found != 0) return 0;
    found = child;
  }
  return found;
}

Result<bool> is_internal_sftp(const Procfs& procfs, pid_t sshd) {
  const auto command_line = procfs.command_line(sshd);
  if (!command_line) return std::unexpected(command_line.error());
  return !command_line->empty() && trim(command_line->front()).ends_with(kInternalSftp);
}

}  // namespace

Result<NoPtyPart> no_pty_part(const Procfs& procfs, const std::vector<HostProgram>& programs,
                              const Leader& leader) {
  using What = NoPtyPart::What;
  const bool own = is_sshd(procfs, programs, leader.pid);
  if (is_sshd(procfs, programs, leader.parent)) {
    const auto above = title_of(procfs, leader.parent);
    if (!above) return std::unexpected(above.error());
    if (*above == Title::user) return NoPtyPart{What::channel, leader.parent, own};
  }
  if (!own) return NoPtyPart{};
  const auto title = title_of(procfs, leader.pid);
  if (!title) return std::unexpected(title.error());
  switch (*title) {
    case Title::listener: return NoPtyPart{What::listener};
    case Title::unset:
    case Title::private_part: return NoPtyPart{What::not_yet};
    case Title::user: return NoPtyPart{What::connection, leader.pid};
    case Title::monitor: break;
  }
  const auto user = user_side(procfs, programs, leader.pid);
  if (!user) return std::unexpected(user.error());
  return *user == 0 ? NoPtyPart{What::not_yet} : NoPtyPart{What::connection, *user};
}

std::string command_name(const Procfs& procfs, pid_t leader) {
  constexpr int kDeep = 8;  // sh -c 'cd src && nice make'
  pid_t pid = leader;
  for (int i = 0; i < kDeep; ++i) {
    const pid_t child = only_child(procfs, pid, leader);
    if (child == 0) break;
    pid = child;
  }
  std::string name = procfs.comm(pid).value_or(std::string());
  if (!name.starts_with("sshd")) return name;
  // One whose memory does not answer may be it; anybody can have a job's name, and so its limit.
  const auto internal = is_internal_sftp(procfs, pid);
  const bool silent = !internal && internal.error().code == ETIMEDOUT;
  return silent || internal.value_or(false) ? std::string(kInternalSftp) : name;
}

Channel channel_of(const Procfs& procfs, pid_t leader) {
  const auto name = procfs.comm(leader);
  if (name && *name == kSftpServer) return Channel::sftp;
  if (name && name->starts_with("sshd")) {
    return is_internal_sftp(procfs, leader).value_or(false) ? Channel::sftp : Channel::unknown;
  }
  const auto command_line = procfs.command_line(leader);
  if (!name || !command_line || command_line->empty()) return Channel::unknown;
  if (command_line->front().starts_with('-')) return Channel::shell;
  if (command_line->size() < 3 || (*command_line)[1] != "-c") return Channel::command;
  const std::string program = split(trim((*command_line)[2]), ' ').front();
  return base_name(program) == kSftpServer ? Channel::sftp : Channel::command;
}

bool is_there(const Procfs& procfs, const std::vector<Leader>& leaders, const Session& session) {
  const SessionId& id = session.id;
  if (!session.has_tty() && session.host == id.leader) {
    return procfs.lives(session.host, start_ticks(session.host_start)) &&
           std::ranges::find(leaders, session.host, &Leader::parent) == leaders.end();
  }
  return std::ranges::any_of(leaders, [&](const Leader& leader) {
    return leader.pid == id.leader && leader.start == id.start &&
           (leader.tty ? *leader.tty == session.tty : !session.has_tty());
  });
}

}  // namespace idlewarden

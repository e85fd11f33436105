// SPDX-License-Identifier: Apache-2.0
#include "sessions/accepting_sshd.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "base/files.h"
#include "base/text.h"

namespace idlewarden {
namespace {

constexpr std::string_view kWithValue = "CEbcfghkopu";  // sshd.c's getopt string, 5.x to 10.x

// "Keyword value", "Keyword=value", "Keyword = value" (sshd_config(5)) -> "Keyword=value".
std::string normalised_option(std::string_view raw) {
  const std::string_view text = trim(raw);
  const auto end = text.find_first_of(" \t=");
  if (end == std::string_view::npos) return std::string(text);
  std::string_view value = trim(text.substr(end));
  if (value.starts_with('=')) value = trim(value.substr(1));
  return fmt::format("{}={}", text.substr(0, end), value);
}

// `joined`: one argument may have become several at its blanks.
SshdArguments parse(const std::vector<std::string>& args, bool joined) {
  SshdArguments result;
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--") break;
    if (!args[i].starts_with('-')) continue;
    const std::string letters = args[i].substr(1);
    const auto at = letters.find_first_of(kWithValue);
    if (at == std::string::npos) continue;
    std::string value = letters.substr(at + 1);
    if (value.empty() && i + 1 < args.size()) value = args[++i];
    while (joined && i + 1 < args.size() && !args[i + 1].starts_with('-')) value += ' ' + args[++i];
    if (letters[at] == 'f') result.config_file = value;
    if (letters[at] == 'o') result.options.push_back(normalised_option(value));
  }
  return result;
}

// The file that a build of sshd reads when it is not told another.
Result<std::string> default_config_file(const std::string& executable, const std::string& root,
                                        OthersRoots& roots) {
  if (!executable.starts_with("/usr/local/")) return AcceptingSshd().config_file;
  const std::string file = "/usr/local/etc/sshd_config";
  const auto exists =
      roots.ask<bool>(root, [file](const std::string& in) { return Root(in).exists(file); });
  if (!exists) return fail_errno("the root of an sshd does not answer", ETIMEDOUT);
  return *exists ? file : AcceptingSshd().config_file;
}

// The tree that the process sees as "/", if it is another than ours; the host's by a name that
// lasts.
std::string root_of(const Procfs& procfs, pid_t pid, OthersRoots& roots) {
  const auto ours = procfs.link(::getpid(), "ns/mnt");
  const auto theirs = procfs.link(pid, "ns/mnt");
  const auto root = procfs.link(pid, "root");
  const bool elsewhere = (ours && theirs && *ours != *theirs) || (root && *root != "/");
  if (!elsewhere) return "/";
  const std::string tree = procfs.path(pid, "root");
  return roots.own(tree).value_or(tree);
}

// sshd reads its files when it is executed, and gives what it read to the processes of its
// connections. For SIGHUP it executes itself again (sshd.c, sighup_restart), which keeps pid and
// start time. What does not stay the same is where the kernel has put the program (auxv, where
// addresses are randomised) and the sockets that it listens on (where they are its own).
Result<std::string> reading_of(const Procfs& procfs, pid_t pid) {
  const auto stat = procfs.stat(pid);
  auto mark = procfs.read(fmt::format("{}/auxv", pid));
  if (!stat || !mark || mark->empty()) return std::string();
  for (const int fd : procfs.descriptors(pid).value_or(std::vector<int>())) {
    if (fd < 3) continue;  // the journal, perhaps
    const auto socket = procfs.link(pid, fmt::format("fd/{}", fd));
    if (!socket || !socket->starts_with("socket:")) continue;
    *mark += *socket;
    break;  // later ones come and go with connections
  }
  return fmt::format("{}-{}-{:x}", pid, stat->start_ticks, std::hash<std::string>()(*mark));
}

}  // namespace

SshdTitle parse_sshd_command_line(const std::vector<std::string>& command_line,
                                  SshdArguments& arguments) {
  if (command_line.empty()) return SshdTitle::other;
  // setproctitle(3) begins with the program's name and a colon; argv does not.
  const std::string_view title = command_line.front();
  const auto colon = title.find(": ");
  if (colon == std::string_view::npos || title.find_first_of("/ ") < colon) {
    arguments = parse({command_line.begin() + 1, command_line.end()}, false);
    return SshdTitle::arguments;
  }
  const auto end = title.find(" [listener]", colon + 1);
  if (end == std::string_view::npos) return SshdTitle::other;
  auto words = split(title.substr(colon + 2, end - std::min(end, colon + 2)), ' ');
  words.erase(words.begin());
  arguments = parse(words, true);
  return SshdTitle::listener;
}

Result<AcceptingSshd> accepting_sshd(const Procfs& procfs, const std::vector<HostProgram>& programs,
                                     const HostProcess& host, OthersRoots& roots) {
  AcceptingSshd result;
  SshdArguments arguments;
  Process top;
  for (const Process& process : host.ancestry) {
    const HostProgram* program = find_program(programs, process.executable);
    if (program == nullptr || program->kind != Kind::ssh) break;
    top = process;
    const auto command_line = procfs.command_line(process.pid);
    if (!command_line) continue;
    const SshdTitle title = parse_sshd_command_line(*command_line, arguments);
    if (title == SshdTitle::other) continue;
    if (title == SshdTitle::listener || process.pid != host.pid) result.listener = process.pid;
    break;
  }
  // An sshd that a user runs says nothing about how long that user may be idle.
  if (const auto uid = procfs.real_uid(top.pid); !uid || *uid != 0) {
    return result;
  }
  result.root = root_of(procfs, top.pid, roots);
  result.reading =
      procfs
          .ask<std::string>(top.pid,
                            [pid = top.pid](const Procfs& proc) { return reading_of(proc, pid); })
          .value_or("");
  result.options = std::move(arguments.options);
  if (arguments.config_file.empty()) {
    auto file = default_config_file(top.executable, result.root, roots);
    if (!file) return std::unexpected(file.error());
    result.config_file = *std::move(file);
  } else if (arguments.config_file.starts_with('/')) {
    result.config_file = std::move(arguments.config_file);
  } else {
    const auto cwd = procfs.link(top.pid, "cwd");
    if (!cwd) return std::unexpected(cwd.error());
    result.config_file = fmt::format("{}/{}", *cwd == "/" ? "" : *cwd, arguments.config_file);
  }
  return result;
}

}  // namespace idlewarden

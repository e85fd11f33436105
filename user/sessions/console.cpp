// SPDX-License-Identifier: Apache-2.0
#include "sessions/console.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/kd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <span>

#include "base/text.h"
#include "base/unique_fd.h"

namespace idlewarden {
namespace {

bool is_virtual_console(const Tty& tty) {
  return tty.major == 4 && tty.minor < 64;
}  // devices.txt

// "64", "1-63"
bool parse_minors(std::string_view text, TtyDriver& driver) {
  const char* end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, driver.first_minor);
  if (error != std::errc()) return false;
  driver.last_minor = driver.first_minor;
  if (rest == end) return true;
  return *rest == '-' && std::from_chars(rest + 1, end, driver.last_minor).ec == std::errc();
}

bool is_any_of(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

constexpr std::array<std::string_view, 2> kPrompts{"login", "sulogin"};
constexpr std::array<std::string_view, 9> kGettys{
    "agetty", "getty", "mingetty", "fgetty", "mgetty", "uugetty", "rungetty", "ngetty", "fbgetty"};

// By executable; of busybox, which is every program, by the name it runs under.
Result<std::string> program_of(const Procfs& procfs, pid_t pid) {
  const auto executable = procfs.executable(pid);
  if (!executable) return std::unexpected(executable.error());
  std::string name(base_name(*executable));
  return name == "busybox" ? procfs.comm(pid) : std::move(name);
}

Result<bool> has_login_uid_of_its_own(const Procfs& procfs, const Leader& leader) {
  if (!leader.loginuid) return false;
  const auto parents = procfs.loginuid(leader.parent);
  if (!parents) return std::unexpected(parents.error());
  return *parents != leader.loginuid;
}

// Of the leader's child that the foreground process descends from: what runs in front may be
// anybody's, by sudo or su.
Result<uid_t> uid_of_child_in_front(const Procfs& procfs, const Leader& leader) {
  constexpr int kMostAncestors = 256;
  pid_t pid = leader.foreground_pgrp;
  for (int i = 0; i < kMostAncestors; ++i) {
    const auto stat = procfs.stat(pid);
    if (!stat) return std::unexpected(stat.error());
    if (stat->parent == leader.pid || stat->parent <= 1) break;
    pid = stat->parent;
  }
  return procfs.real_uid(pid);
}

}  // namespace

std::vector<TtyDriver> parse_tty_drivers(const std::string& text) {
  std::vector<TtyDriver> drivers;
  for (const std::string& line : split(text, '\n')) {
    // "unknown              /dev/tty        4 1-63 console"; the first column may hold blanks.
    auto words = split(line, ' ');
    std::erase(words, std::string());
    if (words.size() < 5) continue;
    const auto column = words.end() - 4;
    const std::string& major = column[1];
    const std::string& type = column[3];
    TtyDriver driver;
    driver.name = base_name(column[0]);
    driver.kind = type == "serial" ? Kind::serial : Kind::console;
    if (type != "serial" && type != "console" && type != "system") continue;
    if (std::from_chars(major.data(), major.data() + major.size(), driver.major).ec !=
            std::errc() ||
        !parse_minors(column[2], driver)) {
      continue;
    }
    // 5 holds /dev/tty, /dev/console and /dev/ptmx, never what a leader sits at.
    if (driver.major != 5) drivers.push_back(std::move(driver));
  }
  return drivers;
}

std::optional<TtyName> tty_name(const std::vector<TtyDriver>& drivers, const Tty& tty) {
  for (const TtyDriver& driver : drivers) {
    if (driver.major != tty.major || tty.minor < driver.first_minor ||
        tty.minor > driver.last_minor) {
      continue;
    }
    // Virtual consoles are numbered from 1, as their minors are; everything else from 0.
    const std::uint32_t number =
        is_virtual_console(tty) ? tty.minor : tty.minor - driver.first_minor;
    return TtyName{fmt::format("{}{}", driver.name, number), driver.kind};
  }
  return std::nullopt;
}

Result<bool> is_login_prompt(const Procfs& procfs, const Leader& leader) {
  if (leader.uid != 0) return false;
  const auto program = program_of(procfs, leader.pid);
  if (!program) return std::unexpected(program.error());
  if (!is_any_of(*program, kPrompts)) return false;
  if (leader.foreground_pgrp != 0 && leader.foreground_pgrp != leader.pid) return false;
  const auto own = has_login_uid_of_its_own(procfs, leader);
  if (!own) return std::unexpected(own.error());
  return !*own;
}

Result<bool> is_console_login(const Procfs& procfs, const Leader& leader) {
  const auto program = program_of(procfs, leader.pid);
  if (!program) return std::unexpected(program.error());
  if (is_any_of(*program, kGettys) && leader.uid == 0) return false;
  if (is_any_of(*program, kPrompts)) {
    const auto prompt = is_login_prompt(procfs, leader);
    if (!prompt) return std::unexpected(prompt.error());
    return !*prompt;
  }
  const auto own = has_login_uid_of_its_own(procfs, leader);
  if (!own || *own) return own;
  const auto parent = program_of(procfs, leader.parent);
  if (parent && is_any_of(*parent, kPrompts)) return true;
  // Without audit and PAM login(1) becomes the shell: the dash is what it leaves behind.
  const auto command_line = procfs.command_line(leader.pid);
  if (!command_line) return std::unexpected(command_line.error());
  return !command_line->empty() && command_line->front().starts_with('-');
}

Result<uid_t> uid_of_login(const Procfs& procfs, const Leader& leader) {
  const auto program = program_of(procfs, leader.pid);
  if (!program) return std::unexpected(program.error());
  const auto own = has_login_uid_of_its_own(procfs, leader);
  if (!own) return std::unexpected(own.error());
  const auto parent = program_of(procfs, leader.parent);
  if (*own || (leader.loginuid && parent && is_any_of(*parent, kPrompts))) return *leader.loginuid;
  if (is_any_of(*program, kPrompts) && leader.foreground_pgrp != 0) {
    return uid_of_child_in_front(procfs, leader);
  }
  // Not as it was scanned: it may have been its host's child then, before it became the user.
  return procfs.real_uid(leader.pid);
}

BootTime login_at(const Procfs& procfs, const Leader& leader, BootTime found) {
  const auto program = program_of(procfs, leader.pid);
  const auto parent = program_of(procfs, leader.parent);
  const bool started_by_login =
      program && !is_any_of(*program, kPrompts) && parent && is_any_of(*parent, kPrompts);
  if (started_by_login) return leader.start;
  for (const pid_t child : procfs.children(leader.pid).value_or(std::vector<pid_t>())) {
    const auto stat = procfs.stat(child);
    if (stat) found = std::min(found, from_start_ticks(stat->start_ticks));
  }
  return found;
}

Result<bool> keyboard_reaches(const Procfs& procfs, const Tty& tty) {
  if (!is_virtual_console(tty)) return true;
  // This process may have a /dev of its own without consoles (PrivateDevices=): then the host's.
  const std::string name = fmt::format("root/dev/tty{}", tty.minor);
  UniqueFd fd;
  for (const pid_t whose : {::getpid(), pid_t{1}}) {
    if (fd) break;
    fd = UniqueFd(
        ::open(procfs.path(whose, name).c_str(), O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  }
  // Without its code: ENOENT would mean that the process is gone.
  if (!fd) return fail(fmt::format("cannot open /dev/tty{}: {}", tty.minor, std::strerror(errno)));
  int mode = K_OFF;
  if (::ioctl(fd.get(), KDGKBMODE, &mode) == 0) return mode != K_OFF;
  if (errno == ENOTTY) return true;
  return fail_errno(fmt::format("cannot ask for the keyboard mode of /dev/tty{}", tty.minor));
}

}  // namespace idlewarden

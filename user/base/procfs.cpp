// SPDX-License-Identifier: Apache-2.0
#include "base/procfs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <climits>

#include "base/files.h"
#include "base/text.h"

namespace idlewarden {
namespace {

// /proc files have no size to trust and no symlinks to fear: an ordinary bounded read.
Result<std::string> slurp(const std::string& path) {
  return Root().read(path);
}

template <class Number>
bool to_number(std::string_view s, Number& out) {
  return std::from_chars(s.data(), s.data() + s.size(), out).ec == std::errc();
}

}  // namespace

std::string Procfs::path(pid_t pid, const std::string& entry) const {
  return fmt::format("{}/{}/{}", directory_, pid, entry);
}

Result<ProcStat> Procfs::stat(pid_t pid) const {
  const std::string file = path(pid, "stat");
  auto text = slurp(file);
  if (!text) return std::unexpected(text.error());
  // "PID (COMM) STATE ...": COMM may hold blanks and parentheses, so its end is the last one.
  const auto open = text->find('(');
  const auto close = text->rfind(')');
  if (open == std::string::npos || close == std::string::npos || close < open) {
    return fail_at({file}, "is not in the form of proc(5)");
  }
  ProcStat s;
  s.pid = pid;
  s.comm = text->substr(open + 1, close - open - 1);
  const auto fields = split(trim(std::string_view(*text).substr(close + 1)), ' ');
  constexpr std::size_t kStartTime = 19;  // field 22 of the line, counted after COMM
  if (fields.size() <= kStartTime || fields[0].size() != 1 || !to_number(fields[1], s.parent) ||
      !to_number(fields[2], s.pgrp) || !to_number(fields[3], s.session) ||
      !to_number(fields[4], s.tty_nr) || !to_number(fields[5], s.foreground_pgrp) ||
      !to_number(fields[kStartTime], s.start_ticks)) {
    return fail_at({file}, "is not in the form of proc(5)");
  }
  s.state = fields[0][0];
  return s;
}

Result<std::string> Procfs::executable(pid_t pid) const {
  char target[PATH_MAX];
  const std::string link = path(pid, "exe");
  const ssize_t n = ::readlink(link.c_str(), target, sizeof target);
  if (n < 0) return fail_errno("cannot read " + link);
  std::string exe(target, static_cast<std::size_t>(n));
  constexpr std::string_view kDeleted = " (deleted)";
  if (exe.ends_with(kDeleted)) exe.resize(exe.size() - kDeleted.size());
  return exe;
}

Result<std::vector<std::string>> Procfs::command_line(pid_t pid) const {
  auto text = slurp(path(pid, "cmdline"));
  if (!text) return std::unexpected(text.error());
  while (!text->empty() && text->back() == '\0') text->pop_back();
  if (text->empty()) return std::vector<std::string>{};
  return split(*text, '\0');
}

Result<uid_t> Procfs::real_uid(pid_t pid) const {
  const std::string file = path(pid, "status");
  auto text = slurp(file);
  if (!text) return std::unexpected(text.error());
  const auto at = text->find("\nUid:\t");
  uid_t uid = 0;
  if (at == std::string::npos || !to_number(std::string_view(*text).substr(at + 6), uid)) {
    return fail_at({file}, "has no Uid line");
  }
  return uid;
}

std::uint64_t start_ticks(BootTime start) {
  static const std::uint64_t ns_per_tick =
      1'000'000'000ULL / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return to_ns(start) / ns_per_tick;
}

}  // namespace idlewarden

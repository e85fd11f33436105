// SPDX-License-Identifier: Apache-2.0
#include "base/procfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <climits>
#include <filesystem>
#include <limits>
#include <memory>
#include <system_error>

#include "base/shortage.h"
#include "base/text.h"
#include "base/unique_fd.h"

namespace idlewarden {
namespace {

// Noted for those who take what cannot be read for what is not there.
std::unexpected<Error> unopened(const std::string& path) {
  const int code = errno;
  note_shortage(code);
  return fail_errno("cannot open " + path, code);
}

std::unexpected<Error> unreadable(const std::string& path, int code) {
  note_shortage(code);
  return fail_errno("cannot read " + path, code == ESRCH ? ENOENT : code);
}

// A file of /proc has no size to trust; a command line can be megabytes, and is cut. A process that
// ends between open and read gives ESRCH, which is ENOENT to whoever asks.
Result<std::string> slurp(const std::string& path) {
  constexpr std::size_t kMost = 1 << 20;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return unopened(path);
  std::string content;
  char buffer[4096];
  while (content.size() < kMost) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return unreadable(path, errno);
    if (n == 0) break;
    content.append(buffer, static_cast<std::size_t>(n));
  }
  return content;
}

Result<std::string> target_of(const std::string& file) {
  char target[PATH_MAX];
  const ssize_t n = ::readlink(file.c_str(), target, sizeof target);
  if (n < 0) return unreadable(file, errno);
  return std::string(target, static_cast<std::size_t>(n));
}

Result<std::vector<std::string>> arguments_in(const std::string& file) {
  auto text = slurp(file);
  if (!text) return std::unexpected(text.error());
  while (!text->empty() && text->back() == '\0') text->pop_back();
  if (text->empty()) return std::vector<std::string>{};
  return split(*text, '\0');
}

std::uint64_t ns_per_tick() {
  static const std::uint64_t ns =
      1'000'000'000ULL / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return ns;
}

template <class Number>
bool to_number(std::string_view s, Number& out) {
  return std::from_chars(s.data(), s.data() + s.size(), out).ec == std::errc();
}

// Of /proc/PID/status.
std::optional<std::string_view> field_of(std::string_view text, std::string_view name) {
  const std::string key = fmt::format("\n{}:\t", name);
  const auto at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(at + key.size());
  return line.substr(0, line.find('\n'));
}

template <class Number>
Result<Number> number_in(const std::string& file, std::string_view field) {
  const auto text = slurp(file);
  if (!text) return std::unexpected(text.error());
  Number number = 0;
  if (!to_number(field_of(*text, field).value_or(""), number)) {
    return fail_at({file}, fmt::format("has no {} line", field));
  }
  return number;
}

// The entries of a folder whose names are numbers, ascending.
Result<std::vector<int>> numbers_in(const std::string& folder) {
  const auto close = [](DIR* d) { ::closedir(d); };
  const std::unique_ptr<DIR, decltype(close)> dir(::opendir(folder.c_str()), close);
  if (!dir) return unopened(folder);
  std::vector<int> numbers;
  errno = 0;
  while (const dirent* entry = ::readdir(dir.get())) {
    int number = 0;
    if (to_number(std::string_view(entry->d_name), number)) numbers.push_back(number);
  }
  if (errno != 0) return unreadable(folder, errno);
  std::ranges::sort(numbers);
  return numbers;
}

}  // namespace

std::string Procfs::path(pid_t pid, const std::string& entry) const {
  return fmt::format("{}/{}/{}", directory_, pid, entry);
}

Result<std::string> Procfs::read(const std::string& entry) const {
  return slurp(directory_ + "/" + entry);
}

Result<ProcStat> Procfs::stat(pid_t pid) const {
  const std::string file = path(pid, "stat");
  const auto text = ask<std::string>(patience_->stat_and_links, pid,
                                     [file](const Procfs&) { return slurp(file); });
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
  constexpr std::size_t kChildrenFaults = 8;  // field 11 of the line, counted after COMM
  constexpr std::size_t kThreads = 17;
  constexpr std::size_t kStartTime = 19;
  if (fields.size() <= kStartTime || fields[0].size() != 1 || !to_number(fields[1], s.parent) ||
      !to_number(fields[2], s.pgrp) || !to_number(fields[3], s.session) ||
      !to_number(fields[4], s.tty_nr) || !to_number(fields[5], s.foreground_pgrp) ||
      !to_number(fields[kChildrenFaults], s.children_faults) ||
      !to_number(fields[kThreads], s.threads) || !to_number(fields[kStartTime], s.start_ticks)) {
    return fail_at({file}, "is not in the form of proc(5)");
  }
  s.state = fields[0][0];
  return s;
}

bool Procfs::lives(pid_t pid) const {
  const auto s = stat(pid);
  return s && !s->ended();
}

bool Procfs::lives(pid_t pid, std::uint64_t start_ticks) const {
  const auto s = stat(pid);
  return s && s->start_ticks == start_ticks && !s->ended();
}

Result<std::string> Procfs::comm(pid_t pid) const {
  auto text = slurp(path(pid, "comm"));
  if (text && text->ends_with('\n')) text->pop_back();
  return text;
}

Result<std::string> Procfs::link(pid_t pid, const std::string& entry) const {
  return ask<std::string>(patience_->stat_and_links, pid,
                          [file = path(pid, entry)](const Procfs&) { return target_of(file); });
}

Result<std::string> Procfs::executable(pid_t pid) const {
  auto exe = link(pid, "exe");
  if (!exe && exe.error().code == ENOENT) {
    // Where the first thread has exited the others know it. There may be many.
    int tries = 8;
    std::error_code error;
    for (std::filesystem::directory_iterator at(path(pid, "task"), error), end;
         !error && at != end && !exe && tries > 0; at.increment(error), --tries) {
      if (auto known = link(pid, "task/" + at->path().filename().string() + "/exe")) {
        exe = std::move(known);
      }
    }
  }
  constexpr std::string_view kDeleted = " (deleted)";
  if (exe && exe->ends_with(kDeleted)) exe->resize(exe->size() - kDeleted.size());
  return exe;
}

bool is_gone(const Error& error) noexcept {
  return error.code == ENOENT || error.code == ESRCH;
}

Procfs::Procfs(std::string directory)
    : directory_(std::move(directory)), patience_(std::make_shared<WithPatience>()) {}

void Procfs::set_apart(std::function<bool(const Procfs&, pid_t)> apart) const {
  const std::lock_guard lock(patience_->mutex);
  patience_->apart = std::move(apart);
}

Procfs::Whose Procfs::whose(pid_t pid) const {
  // Whoever asks wants to know something else: that is as certain as it was.
  ShortageWatch unheard;
  const Whose found = whose_it_seems(pid);
  unheard.take();
  return found;
}

Procfs::Whose Procfs::whose_it_seems(pid_t pid) const {
  const auto uid = real_uid(pid);
  if (!uid) return {.alone = pid};  // gone
  const std::lock_guard lock(patience_->mutex);
  if (*uid == 0 || (patience_->apart && patience_->apart(*this, pid))) return {.alone = pid};
  const auto login = loginuid(pid).value_or(std::nullopt);
  return {.user = login.value_or(0) != 0 ? *login : *uid};
}

std::unexpected<Error> Procfs::unanswered(pid_t pid) {
  note_shortage(ETIMEDOUT);
  return fail_errno(fmt::format("process {} does not answer", pid), ETIMEDOUT);
}

Result<std::vector<std::string>> Procfs::command_line(pid_t pid) const {
  return ask<std::vector<std::string>>(
      pid, [file = path(pid, "cmdline")](const Procfs&) { return arguments_in(file); });
}

Result<uid_t> Procfs::real_uid(pid_t pid) const {
  return number_in<uid_t>(path(pid, "status"), "Uid");
}

Result<pid_t> Procfs::parent(pid_t pid) const {
  return number_in<pid_t>(path(pid, "status"), "PPid");
}

Result<ProcStat> Procfs::status(pid_t pid) const {
  const std::string file = path(pid, "status");
  const auto text = slurp(file);
  if (!text) return std::unexpected(text.error());
  // As this process sees it first, then as its own namespaces do.
  const auto sessions = field_of(*text, "NSsid");
  const auto state = field_of(*text, "State");
  ProcStat s;
  s.pid = pid;
  if (!sessions || !state || state->empty() || !to_number(*sessions, s.session) ||
      !to_number(field_of(*text, "PPid").value_or(""), s.parent) ||
      !to_number(field_of(*text, "Threads").value_or(""), s.threads)) {
    return stat(pid);
  }
  s.state = state->front();
  return s;
}

Result<bool> Procfs::is_init(pid_t pid) const {
  const std::string file = path(pid, "status");
  const auto text = slurp(file);
  if (!text) return std::unexpected(text.error());
  // Its number in each namespace, its own last. Without CONFIG_PID_NS there is one, and no line.
  const auto numbers = field_of(*text, "NSpid");
  return numbers ? split(*numbers, '\t').back() == "1" : pid == 1;
}

Result<bool> Procfs::ignores(pid_t pid, int signal) const {
  const std::string file = path(pid, "status");
  auto text = slurp(file);
  if (!text) return std::unexpected(text.error());
  const std::string_view field = field_of(*text, "SigIgn").value_or("");
  std::uint64_t mask = 0;
  if (std::from_chars(field.data(), field.data() + field.size(), mask, 16).ec != std::errc()) {
    return fail_at({file}, "has no SigIgn line");
  }
  return (mask >> (signal - 1) & 1) != 0;
}

Result<std::optional<uid_t>> Procfs::loginuid(pid_t pid) const {
  const std::string file = path(pid, "loginuid");
  auto text = slurp(file);
  // Without CONFIG_AUDIT the file is missing from every process.
  if (!text && text.error().code == ENOENT) return std::nullopt;
  if (!text) return std::unexpected(text.error());
  uid_t uid = 0;
  if (!to_number(trim(*text), uid)) return fail_at({file}, "is not a number");
  if (uid == std::numeric_limits<uid_t>::max()) return std::nullopt;
  return uid;
}

Result<std::vector<int>> Procfs::descriptors(pid_t pid) const {
  return numbers_in(path(pid, "fd"));
}

Result<std::vector<pid_t>> Procfs::processes() const {
  return numbers_in(directory_);
}

Result<std::vector<pid_t>> Procfs::children(pid_t pid) const {
  const auto threads = numbers_in(path(pid, "task"));
  if (!threads) return std::unexpected(threads.error());
  std::vector<pid_t> all;
  for (const int thread : *threads) {
    const auto text = slurp(path(pid, fmt::format("task/{}/children", thread)));
    if (!text && thread != pid) continue;  // a thread that ended meanwhile
    if (!text) return std::unexpected(text.error());
    for (const std::string& field : split(trim(*text), ' ')) {
      pid_t child = 0;
      if (to_number(std::string_view(field), child)) all.push_back(child);
    }
  }
  return all;
}

Result<ProcIo> Procfs::io(pid_t pid) const {
  const std::string file = path(pid, fmt::format("task/{}/io", pid));
  const auto text = ask<std::string>(pid, [file](const Procfs&) { return slurp(file); });
  if (!text) return std::unexpected(text.error());
  constexpr std::string_view kRead = "rchar: ";
  constexpr std::string_view kWritten = "\nwchar: ";
  const auto written = text->find(kWritten);
  ProcIo io;
  if (!text->starts_with(kRead) || written == std::string::npos ||
      !to_number(std::string_view(*text).substr(kRead.size()), io.read) ||
      !to_number(std::string_view(*text).substr(written + kWritten.size()), io.written)) {
    return fail_at({file}, "is not in the form of proc(5)");
  }
  return io;
}

Result<std::optional<std::uint32_t>> Procfs::pts_of_master(pid_t pid, int fd) const {
  auto text = slurp(path(pid, fmt::format("fdinfo/{}", fd)));
  if (!text) return std::unexpected(text.error());
  constexpr std::string_view kField = "tty-index:\t";
  const auto at = text->find(kField);
  std::uint32_t index = 0;
  if (at == std::string::npos ||
      !to_number(std::string_view(*text).substr(at + kField.size()), index)) {
    return std::nullopt;
  }
  return index;
}

std::uint64_t start_ticks(BootTime start) {
  return to_ns(start) / ns_per_tick();
}

BootTime from_start_ticks(std::uint64_t ticks) {
  return boot_time(ticks * ns_per_tick());
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include <filesystem>

#include "base/shortage.h"
#include "base/unique_fd.h"

namespace idlewarden {
namespace {

// openat2(2) has no glibc wrapper in Debian 12.
UniqueFd open_in_root(const std::string& root, const std::string& path, int flags,
                      std::uint64_t resolve) {
  const UniqueFd dir(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_IN_ROOT | resolve;
  UniqueFd fd(
      dir ? static_cast<int>(::syscall(SYS_openat2, dir.get(), path.c_str(), &how, sizeof how))
          : -1);
  if (!fd) note_shortage(errno);
  return fd;
}

int note_unreadable(const char*, int code) {
  note_shortage(code);
  return 0;  // goes on with what can be read
}

// What glob(3) may still read; it hands nothing on to its functions.
thread_local std::size_t entries_left = 0;

dirent* next_entry(void* folder) {
  if (entries_left == 0) return nullptr;
  --entries_left;
  return ::readdir(static_cast<DIR*>(folder));
}

}  // namespace

FileStamp file_stamp(const struct stat& st) {
  const auto time = [](const timespec& t) { return Seconds(t.tv_sec) + Nanoseconds(t.tv_nsec); };
  return {.device = st.st_dev,
          .inode = st.st_ino,
          .size = st.st_size,
          .modified = time(st.st_mtim),
          .changed = time(st.st_ctim)};
}

Root::Root(std::string directory) : directory_(std::move(directory)) {
  while (directory_.size() > 1 && directory_.back() == '/') directory_.pop_back();
  if (directory_.empty()) directory_ = "/";
}

Result<std::string> Root::read(const std::string& path, const ReadLimits& limits) const {
  const Where where{path};
  const auto failed = [&](std::string what, int code) {
    note_shortage(code);
    return std::unexpected(
        Error{.what = std::move(what), .where = where, .hint = {}, .code = code});
  };
  int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
  if (limits.owner) flags |= O_NOFOLLOW;
  const UniqueFd fd = open_in_root(directory_, path, flags, 0);
  if (!fd) return failed("cannot open", errno);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return failed("cannot stat", errno);
  if (!S_ISREG(st.st_mode)) return fail_at(where, "is not a regular file");
  if (limits.owner && st.st_uid != *limits.owner && st.st_uid != 0) {
    return fail_at(where, "belongs to another user, so it is not read");
  }
  std::string content;
  char buffer[16384];
  while (true) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("cannot read", errno);
    if (n == 0) return content;
    content.append(buffer, static_cast<std::size_t>(n));
    if (content.size() > limits.max_bytes) {
      return fail_at(where, "is larger than " + std::to_string(limits.max_bytes) + " bytes");
    }
  }
}

bool Root::exists(const std::string& path) const {
  return static_cast<bool>(open_in_root(directory_, path, O_PATH, 0));
}

bool Root::is_directory(const std::string& path) const {
  return static_cast<bool>(open_in_root(directory_, path, O_PATH | O_DIRECTORY, 0));
}

FileStamp Root::stamp(const std::string& path) const {
  const UniqueFd fd = open_in_root(directory_, path, O_PATH, 0);
  struct stat st {};
  if (!fd) return {};
  if (::fstat(fd.get(), &st) == 0) return file_stamp(st);
  note_shortage(errno);
  return {};
}

Result<std::string> Root::resolve(const std::string& path) const {
  const UniqueFd root = open_in_root(directory_, "/", O_PATH | O_DIRECTORY, 0);
  const UniqueFd file = open_in_root(directory_, path, O_PATH, 0);
  if (!root || !file) return fail_errno("cannot open " + path);
  const auto name_of = [](const UniqueFd& fd) {
    std::error_code error;
    return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd.get()), error)
        .string();
  };
  const std::string prefix = name_of(root);
  std::string full = name_of(file);
  if (prefix != "/" && full.starts_with(prefix)) full.erase(0, prefix.size());
  if (full.empty()) full = "/";
  if (!full.starts_with('/')) return fail("cannot resolve " + path);
  return full;
}

std::vector<std::string> Root::glob(const std::string& pattern) const {
  std::size_t entries = SIZE_MAX;
  return glob(pattern, entries).value_or(std::vector<std::string>());
}

std::optional<std::vector<std::string>> Root::glob(const std::string& pattern,
                                                   std::size_t& entries) const {
  // The root's own name is not a pattern: its metacharacters are quoted.
  std::string prefix;
  if (!is_host()) {
    for (char c : directory_) {
      if (c == '*' || c == '?' || c == '[' || c == '\\') prefix += '\\';
      prefix += c;
    }
  }
  glob_t found{};
  std::vector<std::string> paths;
  found.gl_opendir = [](const char* path) -> void* { return ::opendir(path); };
  found.gl_readdir = next_entry;
  found.gl_closedir = [](void* folder) { ::closedir(static_cast<DIR*>(folder)); };
  found.gl_stat = ::stat;
  found.gl_lstat = ::lstat;
  entries_left = entries;
  const int failed = ::glob((prefix + pattern).c_str(), GLOB_ALTDIRFUNC, note_unreadable, &found);
  if (failed == GLOB_NOSPACE) note_shortage(ENOMEM);
  entries = entries_left;
  if (failed == 0 && entries > 0) {
    const std::size_t cut = is_host() ? 0 : directory_.size();
    for (std::size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i] + cut);
  }
  ::globfree(&found);
  if (entries == 0) return std::nullopt;
  return paths;
}

}  // namespace idlewarden

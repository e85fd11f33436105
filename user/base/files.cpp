// SPDX-License-Identifier: Apache-2.0
#include "base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <string_view>

#include "base/shortage.h"
#include "base/text.h"
#include "base/unique_fd.h"

namespace idlewarden {
namespace {

// As this thread has it: its descriptors may be its own.
std::string name_of(int fd) {
  return "/proc/self/task/" + std::to_string(::gettid()) + "/fd/" + std::to_string(fd);
}

bool may(uid_t viewer, const struct stat& st, mode_t users, mode_t others) {
  return viewer == 0 || (st.st_mode & (st.st_uid == viewer ? users : others)) != 0;
}

// `users`: the owner's bit of what is asked for.
bool keeps_out(const Rights& reader, int fd, const struct stat& st, mode_t users) {
  if (reader.uid == 0) return false;
  if (st.st_uid == reader.uid) return (st.st_mode & users) == 0;
  const bool group = (st.st_mode & (users >> 3)) != 0;
  const bool others = (st.st_mode & (users >> 6)) != 0;
  // The group's bits are the most that an access list gives (acl(5)).
  if (group == others) return !group;
  const auto is_in = reader.is_in(st.st_gid);
  const std::string name = name_of(fd);
  const bool listed = ::getxattr(name.c_str(), "system.posix_acl_access", nullptr, 0) > 0;
  return is_in && !listed && !(*is_in ? group : others);
}

using LetsThrough = std::function<bool(int fd, const struct stat& folder)>;

// path_resolution(7), of every folder on the way first whether it lets somebody through.
UniqueFd walk(UniqueFd root, std::string_view path, int flags, const LetsThrough& lets_through) {
  constexpr int kMaxLinks = 40;
  constexpr std::size_t kMaxFolders = 64;
  constexpr std::size_t kMaxNames = 1000;  // with those of all links
  const auto refused = [](int code) {
    errno = code;
    return UniqueFd();
  };
  struct Step {
    UniqueFd fd;
    struct stat st {};
  };
  std::vector<Step> steps(1);
  steps.front().fd = std::move(root);
  if (::fstat(steps.front().fd.get(), &steps.front().st) != 0) return {};
  std::deque<std::string> left;
  const auto put_first = [&](std::string_view names) {
    const std::vector<std::string> parts = split(names, '/');
    left.insert(left.begin(), parts.begin(), parts.end());
  };
  put_first(path);
  int links = 0;
  std::size_t names = 0;
  while (!left.empty()) {
    if (++names > kMaxNames) return refused(ENAMETOOLONG);
    const std::string name = std::move(left.front());
    left.pop_front();
    const Step& at = steps.back();
    if (!S_ISDIR(at.st.st_mode)) return refused(ENOTDIR);
    // Who is in the tree has been let into its root.
    if (steps.size() > 1 && !lets_through(at.fd.get(), at.st)) return refused(EACCES);
    if (name.empty() || name == ".") continue;
    if (steps.size() > kMaxFolders) return refused(ENAMETOOLONG);
    if (name == "..") {
      if (steps.size() > 1) steps.pop_back();
      continue;
    }
    Step next;
    next.fd.reset(::openat(at.fd.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!next.fd || ::fstat(next.fd.get(), &next.st) != 0) return {};
    if (!S_ISLNK(next.st.st_mode) || (left.empty() && (flags & O_NOFOLLOW) != 0)) {
      steps.push_back(std::move(next));
      continue;
    }
    if (++links > kMaxLinks) return refused(ELOOP);
    char target[PATH_MAX];
    const ssize_t length = ::readlinkat(next.fd.get(), "", target, sizeof target);
    if (length <= 0) return refused(ENOENT);
    const std::string_view text(target, static_cast<std::size_t>(length));
    if (text.starts_with('/')) steps.erase(steps.begin() + 1, steps.end());
    put_first(text);
  }
  return std::move(steps.back().fd);
}

// For a viewer with O_PATH in any case.
UniqueFd open_in_root(const std::string& root, const std::string& path, int flags,
                      const std::optional<uid_t>& viewer) {
  UniqueFd fd(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (fd && viewer) {
    fd = walk(std::move(fd), path, flags, [&](int, const struct stat& folder) {
      return may(*viewer, folder, S_IXUSR, S_IXOTH);
    });
  } else if (fd) {
    // openat2(2) has no glibc wrapper in Debian 12.
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
    how.resolve = RESOLVE_IN_ROOT;
    fd.reset(static_cast<int>(::syscall(SYS_openat2, fd.get(), path.c_str(), &how, sizeof how)));
  }
  if (!fd) note_shortage(errno);
  return fd;
}

int note_unreadable(const char*, int code) {
  note_shortage(code);
  return 0;  // goes on with what can be read
}

// What the functions of glob(3) need, which hands nothing on to them.
struct Globbing {
  const std::string* root = nullptr;
  std::optional<uid_t> viewer;
  std::size_t entries_left = 0;

  UniqueFd open(const char* path, int flags) const {
    const std::size_t cut = *root == "/" ? 0 : root->size();
    return open_in_root(*root, std::string(path).substr(cut), flags | O_PATH, viewer);
  }
};
thread_local Globbing globbing;

void* open_folder(const char* path) {
  const UniqueFd there = globbing.open(path, O_DIRECTORY);
  struct stat st {};
  if (!there || ::fstat(there.get(), &st) != 0) return nullptr;
  if (globbing.viewer && !may(*globbing.viewer, st, S_IRUSR, S_IROTH)) {
    errno = EACCES;
    return nullptr;
  }
  UniqueFd folder(::openat(there.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* stream = folder ? ::fdopendir(folder.get()) : nullptr;
  if (stream != nullptr) folder.release();
  return stream;
}

dirent* next_entry(void* folder) {
  if (globbing.entries_left == 0) return nullptr;
  --globbing.entries_left;
  return ::readdir(static_cast<DIR*>(folder));
}

int look_at(const char* path, struct stat* st, int flags) {
  const UniqueFd there = globbing.open(path, flags);
  return there ? ::fstat(there.get(), st) : -1;
}

// What others may not read is not shown to one of them; what a process is told of itself in /proc
// is the daemon's own.
bool is_for(const std::optional<uid_t>& viewer, int fd, const struct stat& st) {
  struct statfs system {};
  return !viewer || (may(*viewer, st, S_IRUSR, S_IROTH) && ::fstatfs(fd, &system) == 0 &&
                     system.f_type != PROC_SUPER_MAGIC);
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

bool lies_in(const std::string& path, const std::string& folder) {
  const auto plain = [](const std::string& spelt) {
    std::string normal = std::filesystem::path(spelt).lexically_normal();
    if (!normal.ends_with('/')) normal += '/';
    return normal;
  };
  const std::string within = plain(folder);
  return within.size() > 1 && plain(path).starts_with(within);
}

Root::Root(std::string directory) : directory_(std::move(directory)) {
  while (directory_.size() > 1 && directory_.back() == '/') directory_.pop_back();
  if (directory_.empty()) directory_ = "/";
}

Root Root::seen_by(uid_t user) const {
  Root root = *this;
  root.viewer_ = user;
  return root;
}

Result<std::string> Root::read(const std::string& path, const ReadLimits& limits) const {
  const Where where{path};
  const auto failed = [&](std::string what, int code) {
    note_shortage(code);
    return std::unexpected(
        Error{.what = std::move(what), .where = where, .hint = {}, .code = code});
  };
  // To open a device may be to start it, so a viewer's file is looked at first.
  int flags = viewer_ ? O_PATH : O_RDONLY | O_NONBLOCK | O_NOCTTY;
  if (limits.owner) flags |= O_NOFOLLOW;
  UniqueFd fd = open_in_root(directory_, path, flags, viewer_);
  if (!fd) return failed("cannot open", errno);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return failed("cannot stat", errno);
  if (!S_ISREG(st.st_mode)) return fail_at(where, "is not a regular file");
  if (limits.owner && st.st_uid != *limits.owner && st.st_uid != 0) {
    return fail_at(where, "belongs to another user, so it is not read");
  }
  if (!is_for(viewer_, fd.get(), st)) return failed("cannot open", EACCES);
  if (viewer_) {
    const std::string name = name_of(fd.get());
    fd.reset(::open(name.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!fd) return failed("cannot open", errno);
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

Result<mode_t> Root::mode(const std::string& path) const {
  const UniqueFd fd = open_in_root(directory_, path, O_PATH, viewer_);
  struct stat st {};
  if (fd && ::fstat(fd.get(), &st) == 0) return st.st_mode;
  note_shortage(errno);
  return fail_errno("cannot look at " + path);
}

bool Root::is_closed_to(const Rights& reader, const std::string& path, bool way_only) const {
  UniqueFd fd(::open(directory_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  bool refused = false;
  if (fd) {
    fd = walk(std::move(fd), path, O_PATH, [&](int at, const struct stat& folder) {
      refused = keeps_out(reader, at, folder, S_IXUSR);
      return !refused;
    });
  }
  struct stat st {};
  if (fd && ::fstat(fd.get(), &st) == 0) {
    return !way_only && keeps_out(reader, fd.get(), st, S_IRUSR);
  }
  if (!refused) note_shortage(errno);
  return refused;
}

FileStamp Root::stamp(const std::string& path) const {
  const UniqueFd fd = open_in_root(directory_, path, O_PATH, viewer_);
  struct stat st {};
  if (!fd) return {};
  if (::fstat(fd.get(), &st) == 0) return file_stamp(st);
  note_shortage(errno);
  return {};
}

Result<std::string> Root::resolve(const std::string& path) const {
  const UniqueFd root = open_in_root(directory_, "/", O_PATH | O_DIRECTORY, viewer_);
  const UniqueFd file = open_in_root(directory_, path, O_PATH, viewer_);
  if (!root || !file) return fail_errno("cannot open " + path);
  std::error_code error;
  const std::string prefix = std::filesystem::read_symlink(name_of(root.get()), error);
  if (error) return fail_errno("cannot resolve " + path, error.value());
  std::string full = std::filesystem::read_symlink(name_of(file.get()), error);
  if (error) return fail_errno("cannot resolve " + path, error.value());
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
  found.gl_opendir = open_folder;
  found.gl_readdir = next_entry;
  found.gl_closedir = [](void* folder) { ::closedir(static_cast<DIR*>(folder)); };
  found.gl_stat = [](const char* path, struct stat* st) { return look_at(path, st, 0); };
  found.gl_lstat = [](const char* path, struct stat* st) { return look_at(path, st, O_NOFOLLOW); };
  globbing = {.root = &directory_, .viewer = viewer_, .entries_left = entries};
  const int failed = ::glob((prefix + pattern).c_str(), GLOB_ALTDIRFUNC, note_unreadable, &found);
  if (failed == GLOB_NOSPACE) note_shortage(ENOMEM);
  entries = globbing.entries_left;
  if (failed == 0 && entries > 0) {
    const std::size_t cut = is_host() ? 0 : directory_.size();
    for (std::size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i] + cut);
  }
  ::globfree(&found);
  if (entries == 0) return std::nullopt;
  return paths;
}

}  // namespace idlewarden

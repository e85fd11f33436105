// SPDX-License-Identifier: Apache-2.0
#include "daemon/file_watch.h"

#include <dirent.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <ranges>
#include <utility>

#include "base/files.h"
#include "base/shortage.h"
#include "base/text.h"

namespace idlewarden {
namespace {

constexpr Nanoseconds kQuiet = std::chrono::milliseconds(300);
// A file that is being written and was not closed yet is given more.
constexpr Nanoseconds kQuietWhileOpen = std::chrono::milliseconds(1000);
constexpr Nanoseconds kLongestWait = std::chrono::milliseconds(1500);
constexpr Nanoseconds kPoll = Seconds(10);
constexpr Nanoseconds kPollDegraded = Seconds(2);
constexpr std::size_t kMostPerMinute = 10;
constexpr int kMostLinks = 40;  // path_resolution(7)
constexpr int kMostSilent = 32;

constexpr std::uint32_t kEntries =
    IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB;
constexpr std::uint32_t kItself = IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::uint32_t kGone = IN_UNMOUNT | kItself;

std::string print_of(const FileStamp& s) {
  return fmt::format("{} {} {} {} {}", s.device, s.inode, s.size, s.modified.count(),
                     s.changed.count());
}

// What the entries of a folder are, but hidden ones: editors put their own files there.
std::string entries_of(const std::string& folder) {
  const auto close = [](DIR* d) { ::closedir(d); };
  const std::unique_ptr<DIR, decltype(close)> dir(::opendir(folder.c_str()), close);
  if (!dir) return "";
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    if (names.size() == FileWatch::kMaxEntries) break;
  }
  std::ranges::sort(names);
  const int fd = ::dirfd(dir.get());
  std::string out;
  for (const std::string& name : names) {
    struct stat st {};
    const bool there = fd >= 0 && ::fstatat(fd, name.c_str(), &st, 0) == 0;
    // A folder's own times move with what is not looked at.
    const bool file = there && !S_ISDIR(st.st_mode);
    out += name + "/" + (file ? print_of(file_stamp(st)) : "") + "\n";
  }
  return out;
}

// nullopt: it cannot be told.
std::optional<std::uint64_t> print_of(const std::string& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) {
    return is_shortage(errno) ? std::nullopt : std::optional<std::uint64_t>(0);
  }
  const std::string text = S_ISDIR(st.st_mode)
                               ? fmt::format("{} {}\n{}", st.st_dev, st.st_ino, entries_of(path))
                               : print_of(file_stamp(st));
  return std::hash<std::string>()(text) | 1;
}

constexpr std::uint64_t kDoubtful = 2;  // no file's print

bool changed_since(const std::string& path, WallTime time) {
  constexpr Nanoseconds kCoarse = std::chrono::milliseconds(10);  // the kernel's clock for files
  struct stat st {};
  if (time == WallTime::max() || ::stat(path.c_str(), &st) != 0) return false;
  return file_stamp(st).changed + kCoarse >= time.time_since_epoch();
}

bool is_hosts(const std::string& tree) {
  return tree == "/" || tree == OthersRoots::kHosts;
}

// "/proc/PID/root" of a path in another process's tree, else ours.
std::string tree_of(const std::string& path) {
  constexpr std::string_view kRoot = "/root/";
  const auto at = path.starts_with("/proc/") ? path.find(kRoot) : std::string::npos;
  return at == std::string::npos ? "/" : path.substr(0, at + kRoot.size() - 1);
}

// What is there in this tree, whose links mean what they mean there. nullopt as above.
std::optional<std::uint64_t> print_in(const std::string& tree, const std::string& path,
                                      WallTime read_since) {
  std::string there = path;
  if (tree != "/") {
    const auto inside = Root(tree).resolve(path);
    if (!inside && is_shortage(inside.error().code)) return std::nullopt;
    if (!inside) return 0;
    there = tree + *inside;
  }
  return changed_since(there, read_since) ? kDoubtful : print_of(there);
}

// Nobody but root and this process's user can make, rename or remove its entries.
bool is_trusted(const struct stat& st) {
  return (st.st_uid == 0 || st.st_uid == ::geteuid()) && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

// Storage of the machine's own. What others serve may not answer, and inotify does not hear what
// they change there.
bool is_local(const struct statfs& storage) {
  static constexpr auto kLocal = std::to_array<unsigned>(
      {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC, OVERLAYFS_SUPER_MAGIC,
       F2FS_SUPER_MAGIC, SQUASHFS_MAGIC, EROFS_SUPER_MAGIC_V1, RAMFS_MAGIC, MSDOS_SUPER_MAGIC,
       REISERFS_SUPER_MAGIC, 0x2fc12fc1 /* zfs */, 0xca451a4e /* bcachefs */,
       0x3153464a /* jfs */});
  return std::ranges::find(kLocal, static_cast<unsigned>(storage.f_type)) != kLocal.end();
}

void push_front(std::deque<std::string>& rest, const std::string& path) {
  const std::vector<std::string> parts = split(path, '/');
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (!part->empty() && *part != ".") rest.push_front(*part);
  }
}

}  // namespace

// Each folder on the way to a path of the tree, with the name that leads on.
class FileWatch::Walk {
 public:
  explicit Walk(const std::string& tree) : prefix_(tree == "/" ? "" : tree) {}

  std::vector<Step> to(const std::string& path) {
    std::vector<Step> way;
    std::deque<std::string> rest;
    push_front(rest, path);
    std::string at;
    for (int links = 0; !rest.empty();) {
      const std::string name = std::move(rest.front());
      rest.pop_front();
      if (name == "..") {
        at.resize(at.empty() ? 0 : at.rfind('/'));
        continue;
      }
      add(at, name, way);
      const std::string child = at + "/" + name;
      struct stat st {};
      if (::lstat((prefix_ + child).c_str(), &st) != 0) {
        note(errno);
        return way;
      }
      if (S_ISLNK(st.st_mode)) {
        char target[PATH_MAX];
        const ssize_t n = ::readlink((prefix_ + child).c_str(), target, sizeof target);
        if (n < 0) note(errno);
        if (n <= 0 || ++links > kMostLinks) return way;
        if (target[0] == '/') at.clear();
        push_front(rest, std::string(target, static_cast<std::size_t>(n)));
        continue;
      }
      if (!S_ISDIR(st.st_mode)) return way;
      at = child;
    }
    add(at, "", way);
    return way;
  }
  // errno of what may have kept something back.
  int shortage() const noexcept { return shortage_; }

 private:
  void add(const std::string& at, const std::string& name, std::vector<Step>& way) {
    const std::string folder = prefix_ + (at.empty() ? "/" : at);
    auto known = can_be_watched_.find(folder);
    if (known == can_be_watched_.end()) {
      struct stat st {};
      struct statfs storage {};
      const bool seen =
          ::lstat(folder.c_str(), &st) == 0 && ::statfs(folder.c_str(), &storage) == 0;
      if (!seen) note(errno);
      known = can_be_watched_.emplace(folder, seen && is_trusted(st) && is_local(storage)).first;
    }
    if (known->second) way.push_back({folder, name});
  }
  void note(int error) {
    static constexpr std::array kNoSuchWay{ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, EACCES};
    if (std::ranges::find(kNoSuchWay, error) == kNoSuchWay.end()) shortage_ = error;
  }

  std::string prefix_;
  std::map<std::string, bool> can_be_watched_;
  int shortage_ = 0;
};

FileWatch::FileWatch(const Clock& clock, std::chrono::milliseconds patience)
    : clock_(clock),
      patience_(patience),
      storages_(kMostSilent, patience),
      roots_(patience),
      inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      refused_(inotify_ ? 0 : errno),
      next_poll_(clock.now() + poll_interval()) {}

void FileWatch::watch(const std::vector<std::string>& paths, WallTime read_since) {
  Sights wanted;
  std::vector<std::string> fresh;
  too_many_ = false;
  for (const std::string& path : paths) {
    too_many_ = wanted.size() == kMaxPaths;
    if (too_many_) break;
    const auto known = paths_.find(path);
    if (known == paths_.end()) fresh.push_back(path);
    wanted.emplace(path, known != paths_.end() ? known->second : Sight{.print = kDoubtful});
  }
  paths_ = std::move(wanted);
  for (const auto& [path, print] : look_at(fresh, read_since)) {
    paths_[path].print = print;
    if (print == kDoubtful) suspect(kQuiet);
  }
}

// A folder that is watched from now on may have changed before: then all is looked at again.
FileWatch::Prints FileWatch::look_at(const std::vector<std::string>& paths, WallTime read_since) {
  const Sights seen = ask(paths, read_since);
  Prints prints;
  for (const auto& [path, sight] : seen) {
    paths_[path].way = sight.way;
    prints[path] = sight.print;
  }
  if (place_watches(seen) && ask(paths, read_since) != seen) suspect(kQuiet);
  return prints;
}

// Of the host's storage one folder after the other, for one that does not answer hides the rest.
FileWatch::Sights FileWatch::ask(const std::vector<std::string>& paths, WallTime read_since) {
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> places;
  for (const std::string& path : paths) {
    const std::string tree = tree_of(path);
    places[{tree, is_hosts(tree) ? path.substr(0, path.rfind('/') + 1) : ""}].push_back(path);
  }
  Sights all;
  bool silence = false;
  for (const auto& [place, files] : places) {
    const auto& [tree, folder] = place;
    const std::size_t cut = tree == "/" ? 0 : tree.size();
    const auto look = [cut, files, read_since, follow = !folder.empty()](const std::string& root) {
      Seen seen;
      Walk walk(root);
      for (const std::string& path : files) {
        std::vector<Step> way = follow ? walk.to(path.substr(cut)) : std::vector<Step>();
        const auto print = print_in(root, path.substr(cut), read_since);
        if (print) seen.sights[path] = {*print, std::move(way)};
      }
      seen.shortage = walk.shortage();
      return seen;
    };
    // Where one does not answer more will not.
    const auto time = silence ? patience_ / 8 : patience_;
    auto found = folder.empty() ? roots_.ask<Seen>(tree, look)
                                : storages_.ask<Seen>(
                                      folder, [look, tree] { return look(tree); }, time);
    silence = silence || (!found && !folder.empty());
    if (!found) continue;
    all.merge(found->sights);
    if (found->shortage != 0) shortage_ = found->shortage;
  }
  return all;
}

// Whether there is one that was not watched before. What has not just answered is not touched.
bool FileWatch::place_watches(const Sights& seen) {
  if (!inotify_) return false;
  refused_ = 0;
  std::set<int> before;
  for (const auto& [path, folder] : folders_) before.insert(folder.watch);
  Folders wanted;
  for (const bool answered : {true, false}) {
    for (const auto& [path, sight] : paths_) {
      if (seen.contains(path) != answered) continue;
      for (const Step& step : sight.way) want(step, answered, wanted);
    }
  }
  std::set<int> used;
  for (const auto& [path, folder] : wanted) used.insert(folder.watch);
  for (const int watch : before) {
    if (!used.contains(watch)) ::inotify_rm_watch(inotify_.get(), watch);  // EINVAL: it is gone
  }
  folders_ = std::move(wanted);
  return !std::ranges::includes(before, used);
}

void FileWatch::want(const Step& step, bool answered, Folders& wanted) {
  auto known = wanted.find(step.folder);
  if (known == wanted.end()) {
    const auto watch = answered ? watch_of(step.folder, wanted.size()) : watched_as(step.folder);
    if (!watch) return;
    known = wanted.try_emplace(step.folder).first;
    known->second.watch = *watch;
  }
  if (step.name.empty()) {
    known->second.all = true;
  } else {
    known->second.names.insert(step.name);
  }
}

std::optional<int> FileWatch::watched_as(const std::string& folder) const {
  const auto known = folders_.find(folder);
  return known == folders_.end() ? std::nullopt : std::optional(known->second.watch);
}

std::optional<int> FileWatch::watch_of(const std::string& folder, std::size_t others) {
  if (others == kMaxFolders) {
    refused_ = ENOSPC;
    return std::nullopt;
  }
  const int watch =
      ::inotify_add_watch(inotify_.get(), folder.c_str(), kEntries | kItself | IN_ONLYDIR);
  if (watch >= 0) return watch;
  // Gone again or changed its kind meanwhile: the folder above tells.
  if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP) refused_ = errno;
  return std::nullopt;
}

bool FileWatch::matters(int watch, std::uint32_t what, const std::string& name) const {
  return std::ranges::any_of(folders_, [&](const auto& entry) {
    const Folder& folder = entry.second;
    return folder.watch == watch && ((what & kGone) != 0 || folder.names.contains(name) ||
                                     (folder.all && !name.starts_with('.')));
  });
}

void FileWatch::notice() {
  alignas(inotify_event) char buffer[16384];
  // A bounded piece of work: what is left is told again.
  for (int i = 0; i < 16; ++i) {
    const ssize_t size = ::read(inotify_.get(), buffer, sizeof buffer);
    if (size <= 0) return;
    for (const char* at = buffer; at < buffer + size;) {
      inotify_event event{};
      std::memcpy(&event, at, sizeof event);
      const std::string name(event.len > 0 ? at + sizeof event : "");
      at += sizeof event + event.len;
      if ((event.mask & IN_Q_OVERFLOW) != 0 || matters(event.wd, event.mask, name)) {
        suspect((event.mask & IN_MODIFY) != 0 ? kQuietWhileOpen : kQuiet);
      }
    }
  }
}

void FileWatch::suspect(Nanoseconds quiet) {
  const BootTime now = clock_.now();
  if (!first_) first_ = now;
  quiet_at_ = std::min(*first_ + kLongestWait, now + quiet);
}

Nanoseconds FileWatch::poll_interval() const {
  return refused_ != 0 || shortage_ != 0 ? kPollDegraded : kPoll;
}

BootTime FileWatch::due() const {
  const BootTime look = first_ ? quiet_at_ : next_poll_;
  if (changes_.size() < kMostPerMinute) return look;
  return std::max(look, changes_.front() + std::chrono::minutes(1));
}

std::vector<std::string> FileWatch::take_changes() {
  const BootTime now = clock_.now();
  if (now < due()) return {};
  first_.reset();
  shortage_ = 0;
  std::vector<std::string> changed;
  const auto paths = std::views::keys(paths_);
  const auto found = look_at({paths.begin(), paths.end()}, WallTime::max());
  next_poll_ = now + poll_interval();
  unseen_ = paths_.size() - found.size();
  for (const auto& [path, print] : found) {
    if (std::exchange(paths_[path].print, print) != print) changed.push_back(path);
  }
  if (!changed.empty()) {
    if (changes_.size() == kMostPerMinute) changes_.pop_front();
    changes_.push_back(now);
  }
  return changed;
}

std::optional<std::string> FileWatch::degraded() const {
  if (too_many_) {
    return fmt::format("the limits rest on more than {} files; not all are watched", kMaxPaths);
  }
  if (refused_ == 0 && shortage_ == 0) {
    if (unseen_ == 0) return std::nullopt;
    return fmt::format("{} files cannot be looked at: the storage that they lie on does not answer",
                       unseen_);
  }
  return fmt::format(
      "not every configuration file can be watched ({}; sysctl fs.inotify), so they are looked at "
      "every {} s",
      std::strerror(refused_ != 0 ? refused_ : shortage_),
      std::chrono::duration_cast<Seconds>(kPollDegraded).count());
}

}  // namespace idlewarden

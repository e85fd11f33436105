// SPDX-License-Identifier: Apache-2.0
#include "kernel/pins.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>

#include "kernel/refusal.h"

namespace idlewarden {
namespace {

namespace fs = std::filesystem;

constexpr const char* kActivity = "activity";
constexpr const char* kOverflow = "overflow";
constexpr const char* kMeta = "meta";
constexpr const char* kLinkPrefix = "link_";

bool is_ours(const std::string& name) {
  return name == kActivity || name == kOverflow || name == kMeta || name.starts_with(kLinkPrefix);
}

bool on_bpffs(const std::string& path) {
  struct statfs info {};
  return statfs(path.c_str(), &info) == 0 && info.f_type == BPF_FS_MAGIC;
}

// The part of the path that exists already.
fs::path existing(fs::path path) {
  std::error_code ignored;
  while (!path.empty() && path != path.root_path() && !fs::exists(path, ignored)) {
    path = path.parent_path();
  }
  return path;
}

// A BPF file system may be mounted for everybody to write to, with the sticky bit, like /tmp.
Result<void> only_root_can_change(const fs::path& folder) {
  struct stat info {};
  if (lstat(folder.c_str(), &info) != 0) return fail_errno("looking at " + folder.string());
  const bool others_write = (info.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  const bool sticky = (info.st_mode & S_ISVTX) != 0;
  if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid() || (others_write && !sticky)) {
    return fail(folder.string() + " is not a folder that only root can change",
                "remove it; it is made again");
  }
  return {};
}

std::unexpected<Error> refused(const std::string& what, int code) {
  auto error = fail_errno(what, code);
  if (code == EACCES || code == EPERM) error.error().hint = "run it as root";
  return error;
}

std::vector<std::string> pins_in(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (auto it = fs::directory_iterator(path, error); !error && it != fs::directory_iterator();
       it.increment(error)) {
    const std::string name = it->path().filename();
    if (is_ours(name)) names.push_back(name);
  }
  return names;
}

// Goes on after a failure; how many went, or the first error.
Result<int> remove_all(const std::string& path, const std::vector<std::string>& names) {
  Result<int> removed = 0;
  for (const std::string& name : names) {
    std::error_code error;
    fs::remove(fs::path(path) / name, error);
    if (error && removed) removed = refused("removing " + path + "/" + name, error.value());
    if (removed) ++*removed;
  }
  return removed;
}

enum class Kind { map, link };

// The pinned object, if it is of this kind: their infos cannot be told apart, but the kernel names
// the descriptors after them ("bpf-map", "bpf-link").
UniqueFd open_pin(const std::string& path, Kind kind) {
  UniqueFd fd(bpf_obj_get(path.c_str()));
  if (!fd) return {};
  std::error_code error;
  const std::string name = fs::read_symlink(fmt::format("/proc/self/fd/{}", fd.get()), error);
  const char* wanted = kind == Kind::map ? "bpf-map" : "bpf-link";
  return name.find(wanted) != std::string::npos ? std::move(fd) : UniqueFd();
}

UniqueFd open_map(const std::string& path, std::uint32_t type, std::uint32_t key_size,
                  std::uint32_t value_size) {
  UniqueFd fd = open_pin(path, Kind::map);
  bpf_map_info info{};
  std::uint32_t length = sizeof(info);
  if (!fd || bpf_obj_get_info_by_fd(fd.get(), &info, &length) != 0) return {};
  const bool fits = info.type == type && info.key_size == key_size &&
                    info.value_size == value_size &&
                    (type != BPF_MAP_TYPE_ARRAY || (info.map_flags & BPF_F_MMAPABLE) != 0);
  return fits ? std::move(fd) : UniqueFd();
}

}  // namespace

Result<PinDir> PinDir::open(const std::string& path) {
  const fs::path present = existing(path);
  if (!on_bpffs(present)) {
    // Elsewhere the folder that exists may be any, and / among them.
    const std::string usual = "/sys/fs/bpf";
    return fail(fmt::format("{} is not on a BPF file system", path),
                path == usual || path.starts_with(usual + "/") ? "mount -t bpf bpf " + usual
                                                               : "choose a folder below " + usual);
  }
  std::error_code error;
  const mode_t before = umask(077);
  fs::create_directories(path, error);
  umask(before);
  if (error) return fail_errno("making " + path, error.value());
  for (const fs::path& folder : {fs::path(path), fs::path(path).parent_path()}) {
    if (const auto safe = only_root_can_change(folder); !safe) return std::unexpected(safe.error());
  }
  UniqueFd lock(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock) return fail_errno("opening " + path);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail_errno(path + " is in use by another idlewarden");
  }
  return PinDir(path, std::move(lock));
}

std::vector<std::string> PinDir::pins() const {
  return pins_in(path_);
}

std::optional<KeptMaps> PinDir::take_over(std::uint32_t recorded,
                                          std::vector<std::string>& warnings) const {
  const std::vector<std::string> names = pins();
  if (names.empty()) return std::nullopt;
  const auto reject = [&](const std::string& why) {
    warnings.push_back(
        fmt::format("{}: {}; removed, every session's clock starts now", path_, why));
    if (const auto cleared = clear(); !cleared) warnings.push_back(cleared.error().text());
    return std::nullopt;
  };
  KeptMaps kept{
      .activity =
          open_map(file(kActivity), BPF_MAP_TYPE_ARRAY, sizeof(__u32), sizeof(idlewarden_activity)),
      .overflow =
          open_map(file(kOverflow), BPF_MAP_TYPE_HASH, sizeof(__u64), sizeof(idlewarden_activity)),
      .meta = open_map(file(kMeta), BPF_MAP_TYPE_ARRAY, sizeof(__u32), sizeof(idlewarden_meta))};
  if (!kept.activity || !kept.overflow || !kept.meta) {
    return reject("the pinned maps are not ones of this version");
  }
  idlewarden_meta meta{};
  const std::uint32_t zero = 0;
  if (bpf_map_lookup_elem(kept.meta.get(), &zero, &meta) != 0 || meta.magic != IDLEWARDEN_MAGIC) {
    return reject("the pinned maps are somebody else's");
  }
  if (meta.abi != IDLEWARDEN_ABI || meta.record_size != sizeof(idlewarden_activity)) {
    return reject(
        fmt::format("the pinned maps have ABI {}, this version {}", meta.abi, IDLEWARDEN_ABI));
  }
  if ((recorded & ~meta.recorded) != 0) {
    return reject("what was recorded is less than the policy counts as activity now");
  }
  const bool hooked = std::ranges::any_of(names, [this](const std::string& name) {
    return name.starts_with(kLinkPrefix) && open_pin(file(name), Kind::link);
  });
  if (!hooked) return reject("the maps are pinned, but no hook was left to fill them");
  return kept;
}

Result<void> PinDir::pin(BpfObject& object, Backend backend) const {
  const LibbpfLog log;
  const std::string link = kLinkPrefix + std::string(to_string(backend));
  const std::string fresh = link + "_new";
  const std::vector<std::string> before = pins();
  const auto failed = [&](const std::string& what) {
    const int code = errno;
    // Maps whose hook is not pinned are never taken over, so what cannot be removed does no harm.
    (void)clear();
    return fail_errno(what, code);
  };
  for (const auto& [map, name] :
       {std::pair(object.activity(), kActivity), std::pair(object.overflow(), kOverflow),
        std::pair(object.meta(), kMeta)}) {
    // A map that was taken over is there already.
    if (std::ranges::find(before, name) != before.end()) continue;
    const int fd = bpf_map__fd(map);
    if (bpf_obj_pin(fd, file(name).c_str()) != 0) return failed("pinning a map");
  }
  if (const auto removed = remove_all(path_, {fresh}); !removed) {
    return std::unexpected(removed.error());
  }
  if (bpf_obj_pin(object.hook_fd(), file(fresh).c_str()) != 0) {
    return failed("this kernel cannot pin the hook, so input is not seen while no daemon runs");
  }
  if (rename(file(fresh).c_str(), file(link).c_str()) != 0) return failed("pinning the hook");
  std::vector<std::string> old_links = pins();
  std::erase_if(old_links, [&](const std::string& name) {
    return !name.starts_with(kLinkPrefix) || name == link;
  });
  object.leave_hook();
  const auto removed = remove_all(path_, old_links);
  if (!removed) return std::unexpected(removed.error());
  return {};
}

Result<int> PinDir::clear() const {
  return remove_all(path_, pins());
}

Result<PinsRemoved> remove_pins(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return PinsRemoved{};
    return refused("looking at " + path, errno);
  }
  if (!on_bpffs(path)) return fail(path + " is not on a BPF file system");
  const UniqueFd lock(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock) return refused("opening " + path, errno);
  const bool held = flock(lock.get(), LOCK_EX | LOCK_NB) != 0;
  const auto pins = remove_all(path, pins_in(path));
  if (!pins) return std::unexpected(pins.error());
  const PinsRemoved removed{.pins = *pins, .daemon_runs = held};
  if (held) return removed;
  // The folder and the one above it ("idlewarden"), if nothing else is in them.
  std::error_code error;
  if (fs::remove(path, error)) fs::remove(fs::path(path).parent_path(), error);
  return removed;
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "base/others_roots.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <climits>
#include <filesystem>
#include <system_error>

#include "base/unique_fd.h"

namespace idlewarden {
namespace {

std::string target_of(const std::string& link) {
  char target[PATH_MAX];
  const ssize_t n = ::readlink(link.c_str(), target, sizeof target);
  if (n < 0) note_shortage(errno);
  return n > 0 ? std::string(target, static_cast<std::size_t>(n)) : std::string();
}

}  // namespace

std::optional<std::string> OthersRoots::path_of_own(const std::string& asked) {
  if (asked == "/" || asked == which("/proc/self/root")) return "/";
  if (asked == which(kHosts)) return kHosts;
  return std::nullopt;
}

// None of this asks what lies there. The root in a mount that was taken away (umount -l) is shown
// as "/" too, and no mounts with it.
std::string OthersRoots::which(const std::string& root) {
  if (root == "/") return root;
  const std::string process = root.substr(0, root.rfind('/') + 1);
  const std::string mounts = target_of(process + "ns/mnt");
  const std::string place = target_of(root);
  const UniqueFd list(::open((process + "mountinfo").c_str(), O_RDONLY | O_CLOEXEC));
  char first = 0;
  const ssize_t n = list ? ::read(list.get(), &first, 1) : -1;
  if (n < 0) note_shortage(errno);
  return mounts.empty() || place.empty() || n != 1 ? root : mounts + " " + place;
}

std::optional<std::string> OthersRoots::told_by(const std::string& root) {
  // "FOLDER/PID/root"
  const std::filesystem::path process = std::filesystem::path(root).parent_path();
  const std::string folder = process.parent_path().string();
  const std::string name = process.filename().string();
  pid_t pid = 0;
  if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc()) {
    return which(root);
  }
  if (procfs_.directory() != folder) procfs_ = Procfs(folder);
  auto told = procfs_.ask<std::string>(
      pid, [root](const Procfs&) -> Result<std::string> { return which(root); });
  return told ? std::optional(*std::move(told)) : std::nullopt;
}

}  // namespace idlewarden

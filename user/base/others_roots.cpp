// SPDX-License-Identifier: Apache-2.0
#include "base/others_roots.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "base/unique_fd.h"

namespace idlewarden {

std::optional<std::string> OthersRoots::own(const std::string& root) const {
  if (root == "/") return root;
  const std::string asked = which(root);
  if (asked == which("/proc/self/root")) return "/";
  const std::string hosts = "/proc/1/root";
  if (asked == which(hosts)) return hosts;
  return std::nullopt;
}

// None of this asks what lies there. The root in a mount that was taken away (umount -l) is shown
// as "/" too, and no mounts with it.
std::string OthersRoots::which(const std::string& root) {
  const std::filesystem::path link(root);
  std::error_code error;
  const auto mounts = std::filesystem::read_symlink(link.parent_path() / "ns/mnt", error);
  const auto place = std::filesystem::read_symlink(link, error);
  const std::string list = link.parent_path() / "mountinfo";
  const UniqueFd seen(::open(list.c_str(), O_RDONLY | O_CLOEXEC));
  char first = 0;
  const bool known =
      !mounts.empty() && !place.empty() && seen && ::read(seen.get(), &first, 1) == 1;
  return known ? mounts.string() + " " + place.string() : root;
}

}  // namespace idlewarden

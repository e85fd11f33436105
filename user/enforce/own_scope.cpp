// SPDX-License-Identifier: Apache-2.0
#include "enforce/own_scope.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string_view>
#include <utility>

#include "base/files.h"
#include "base/text.h"

namespace idlewarden {
namespace {

constexpr const char* kMounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

Result<std::string> v2_path(const std::string& proc_cgroup) {
  for (const std::string& line : split(proc_cgroup, '\n')) {
    if (line.starts_with("0::/")) return line.substr(3);
  }
  return fail("it is in no cgroup of the v2 hierarchy");
}

}  // namespace

Result<std::string> cgroup_of(const Procfs& procfs, pid_t pid) {
  const auto text = procfs.read(fmt::format("{}/cgroup", pid));
  return text ? v2_path(*text) : std::unexpected(text.error());
}

Result<std::string> scope_path(const std::string& proc_cgroup) {
  auto path = v2_path(proc_cgroup);
  if (!path) return path;
  const auto name = base_name(*path);
  if (name.starts_with("session-") && name.ends_with(".scope") && !path->contains("/../")) {
    return path;
  }
  return fail(fmt::format("its cgroup {} is not the scope of one login", printable(*path)));
}

OwnScope::OwnScope(UniqueFd folder, std::string path)
    : folder_(std::move(folder)), path_(std::move(path)) {}

Result<OwnScope> OwnScope::of(const Procfs& procfs, pid_t leader) {
  const auto text = Root().read(procfs.path(leader, "cgroup"));
  if (!text) return std::unexpected(text.error());
  const auto path = scope_path(*text);
  if (!path) return std::unexpected(path.error());
  for (const std::string mount : kMounts) {
    UniqueFd folder(::open((mount + *path).c_str(), O_DIRECTORY | O_RDONLY | O_CLOEXEC));
    struct statfs fs {};
    if (folder && ::fstatfs(folder.get(), &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC) {
      return OwnScope(std::move(folder), *path);
    }
  }
  return fail(fmt::format("cgroup {} cannot be opened", *path));
}

Result<std::vector<pid_t>> OwnScope::processes() const {
  std::ifstream file(fmt::format("/proc/self/fd/{}/cgroup.procs", folder_.get()));
  std::vector<pid_t> all;
  if (!file && errno == ENOENT) return all;  // a folder that was removed
  for (pid_t pid = 0; file >> pid;) all.push_back(pid);
  if (!file.eof()) return fail(fmt::format("cannot read {}/cgroup.procs", path_));
  return all;
}

Result<void> OwnScope::kill() const {
  if (const auto own = Root().read("/proc/self/cgroup"); !own || own->contains(path_)) {
    return fail(fmt::format("idlewarden itself may run in {}", path_));
  }
  const UniqueFd file(::openat(folder_.get(), "cgroup.kill", O_WRONLY | O_CLOEXEC));
  if (!file) {
    const int error = errno;
    if (error == ENODEV) return {};
    // A folder that was removed, or a kernel without the file.
    if (error == ENOENT && ::faccessat(folder_.get(), "cgroup.procs", F_OK, 0) != 0) return {};
    return fail_errno(fmt::format("cannot open {}/cgroup.kill (it needs Linux 5.14)", path_),
                      error);
  }
  if (::write(file.get(), "1", 1) != 1 && errno != ENODEV) {
    return fail_errno(fmt::format("cannot write {}/cgroup.kill", path_));
  }
  return {};
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// The cgroup that systemd-logind made for one login: session-ID.scope in the v2 hierarchy.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/procfs.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace idlewarden {

class OwnScope {
 public:
  // Held by a descriptor, so that it stays this very scope when the leader is gone. An error where
  // the leader is in no scope of its own (no logind, cgroup v1, started by a unit).
  static Result<OwnScope> of(const Procfs& procfs, pid_t leader);

  // cgroup.kill (Linux 5.14, cgroup-v2.rst): SIGKILL to everything in it, forks included. A scope
  // that is gone already is no error.
  Result<void> kill() const;

  // Those that lie in it now (not below it).
  Result<std::vector<pid_t>> processes() const;

  const std::string& path() const noexcept { return path_; }

 private:
  OwnScope(UniqueFd folder, std::string path);
  UniqueFd folder_;
  std::string path_;
};

// Where the process lies in the v2 hierarchy now. code is ENOENT when it has ended.
Result<std::string> cgroup_of(const Procfs& procfs, pid_t pid);

// The path under the hierarchy's mount point in the text of /proc/PID/cgroup; an error unless its
// last component is a session-*.scope.
Result<std::string> scope_path(const std::string& proc_cgroup);

}  // namespace idlewarden

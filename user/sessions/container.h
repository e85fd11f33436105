// SPDX-License-Identifier: Apache-2.0
// Containers: which one a process lives in, as its cgroup says. What it says of itself is not
// asked.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/procfs.h"

namespace idlewarden {

// Where the process lies in the tree that systemd or the container's manager arranges: the v2
// hierarchy's path, or where that is the root, the v1 hierarchy "name=systemd"; "/" if neither says
// anything.
std::string cgroup_path_of(const Procfs& procfs, pid_t pid);

// The name that the innermost manager on the path gave: "web" of lxc.payload.web, machine-web.scope
// and systemd-nspawn@web.service; the first 12 digits, as their own tools show them, of the ids of
// docker, podman, containerd and cri-o. Empty if none is recognised.
std::string container_name(std::string_view cgroup_path);

// Of a process in another pid namespace than ours: its container's name, else the path of its
// cgroup, else the namespace ("pid:[4026532178]"). Empty for a process of the host, and where it
// cannot be told.
std::string container_of(const Procfs& procfs, pid_t pid);

// Whether the process is in our user namespace: root there is root here, so only root can have made
// the rest of its surroundings.
bool shares_user_namespace(const Procfs& procfs, pid_t pid);

}  // namespace idlewarden

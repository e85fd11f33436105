// SPDX-License-Identifier: Apache-2.0
#include "kernel/leader_row.h"

#include <sys/sysmacros.h>

namespace idlewarden {
namespace {

constexpr std::uint32_t kUnset = 0xffffffff;  // audit's "no login yet"

// The kernel packs a device as major << 20 | minor (linux/kdev_t.h), stat(2) another way.
std::uint32_t as_stat_gives(std::uint32_t kernel_dev) {
  return static_cast<std::uint32_t>(makedev(kernel_dev >> 20, kernel_dev & 0xfffff));
}

std::optional<std::uint32_t> set(std::uint32_t id) {
  if (id == kUnset) return std::nullopt;
  return id;
}

}  // namespace

Leader to_leader(const idlewarden_leader& row) {
  Leader leader{.pid = static_cast<pid_t>(row.tgid),
                .parent = static_cast<pid_t>(row.parent_tgid),
                .grandparent = static_cast<pid_t>(row.grandparent_tgid),
                .start = boot_time(row.start_ns),
                .uid = row.uid,
                .loginuid = set(row.loginuid),
                .audit_session = set(row.audit_session),
                .cgroup_id = row.cgroup_id,
                .foreground_pgrp = static_cast<pid_t>(row.foreground_pgrp),
                .tty = std::nullopt,
                .no_input_yet = row.tty != 0 && row.read_head == 0 && row.flip_used == 0};
  if (row.tty != 0) {
    leader.tty = Tty{.address = row.tty,
                     .major = row.tty_major,
                     .minor = row.tty_minor,
                     .index = row.tty_index,
                     .devpts_dev = as_stat_gives(row.devpts_dev)};
  }
  return leader;
}

LineState line_state(const idlewarden_leader& row) {
  return {.read_head = row.read_head,
          .flip = row.flip,
          .flip_used = row.flip_used,
          .recorded = row.activity.inputs + row.activity.replies};
}

}  // namespace idlewarden

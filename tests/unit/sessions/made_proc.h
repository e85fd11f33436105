// SPDX-License-Identifier: Apache-2.0
// A /proc for one test: processes that never ran. Pids are beyond the kernel's largest (4194304),
// so that a system call on one of them can only fail.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/procfs.h"
#include "kernel/activity_source.h"
#include "support/temp_dir.h"

namespace idlewarden::test {

constexpr pid_t kInit = 5'000'001;
constexpr std::uint64_t kAddress = 0xffff'8880'0000'0000;

struct MadeProcess {
  pid_t pid = 0;
  pid_t parent = kInit;
  std::string executable{};
  std::string command_line{};  // with its NULs
  std::string comm = "some";
  uid_t uid = 0;
  std::optional<uid_t> loginuid{};
  std::uint64_t start_ticks = 100;
  std::map<int, std::uint32_t> masters{};  // descriptor -> pts number
};

class MadeProc {
 public:
  MadeProc() { add({.pid = kInit, .parent = 0, .executable = "/usr/lib/systemd/systemd"}); }

  Procfs procfs() const { return Procfs(dir_.path()); }
  const std::string& path() const { return dir_.path(); }

  void add(const MadeProcess& p) const {
    const std::string pid = std::to_string(p.pid);
    file(p.pid, "stat",
         pid + " (" + p.comm + ") S " + std::to_string(p.parent) + " " + pid + " " + pid +
             " 34816 " + pid + " 4194304 1 2 3 4 5 6 7 8 20 0 1 0 " +
             std::to_string(p.start_ticks) + " 1 2 3\n");
    file(p.pid, "comm", p.comm + "\n");
    file(p.pid, "cmdline", p.command_line);
    file(p.pid, "status",
         "Name:\t" + p.comm + "\nPPid:\t" + std::to_string(p.parent) + "\nUid:\t" +
             std::to_string(p.uid) + "\t0\t0\t0\nGid:\t0\n");
    file(p.pid, "loginuid", p.loginuid ? std::to_string(*p.loginuid) : "4294967295");
    std::filesystem::create_directories(dir_.path() + "/" + pid + "/fd");
    if (!p.executable.empty()) link(p.pid, "exe", p.executable);
    for (const auto& [fd, index] : p.masters) {
      link(p.pid, "fd/" + std::to_string(fd), "/dev/ptmx");
      file(p.pid, "fdinfo/" + std::to_string(fd),
           "pos:\t0\nflags:\t02\ntty-index:\t" + std::to_string(index) + "\n");
    }
  }
  void link(pid_t pid, const std::string& name, const std::string& target) const {
    const std::filesystem::path at = dir_.path() + "/" + std::to_string(pid) + "/" + name;
    std::filesystem::create_directories(at.parent_path());
    std::filesystem::remove(at);
    std::filesystem::create_symlink(target, at);
  }
  void file(pid_t pid, const std::string& name, const std::string& content) const {
    dir_.file(std::to_string(pid) + "/" + name, content);
  }
  void children(pid_t pid, const std::vector<pid_t>& children) const {
    std::string line;
    for (const pid_t child : children) line += std::to_string(child) + " ";
    file(pid, "task/" + std::to_string(pid) + "/children", line);
  }
  void drivers(const std::string& text) const { dir_.file("tty/drivers", text); }
  // A keyboard that goes to its tty: anything that is not a virtual console's node.
  void keyboard(const std::string& node) const { file(1, "root/dev/" + node, ""); }
  void end(pid_t pid) const {
    std::filesystem::remove_all(dir_.path() + "/" + std::to_string(pid));
  }

 private:
  TempDir dir_;
};

// A leader on pts/`index`, started 1 s after boot.
inline Leader leader_on_pts(pid_t pid, pid_t parent, std::uint32_t index, uid_t uid = 1000) {
  Leader leader;
  leader.pid = pid;
  leader.parent = parent;
  leader.start = boot_time(1'000'000'000);
  leader.uid = uid;
  leader.foreground_pgrp = pid;
  leader.tty = Tty{kAddress + index, 136, index, index, 0};
  return leader;
}

inline Leader leader_on_console(pid_t pid, pid_t parent, std::uint32_t major, std::uint32_t minor) {
  Leader leader = leader_on_pts(pid, parent, 0, 0);
  leader.tty = Tty{kAddress + 0x10000 + minor, major, minor, 0, 0};
  return leader;
}

}  // namespace idlewarden::test

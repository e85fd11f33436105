// SPDX-License-Identifier: Apache-2.0
// A process with a root of its own, as a container has it, whose storage can stop answering.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>

#include "support/silent_fs.h"
#include "support/temp_dir.h"

namespace idlewarden::test {

class FarTree {
 public:
  // Takes this process to mounts of its own, so it must have one thread only.
  FarTree();
  ~FarTree();
  FarTree(const FarTree&) = delete;
  FarTree& operator=(const FarTree&) = delete;

  const std::string& why_not() const noexcept { return why_not_; }
  std::string root() const { return "/proc/" + std::to_string(pid_) + "/root"; }
  void file(const std::string& path, std::string_view content) const {
    folder_.file(path, content);
  }
  // A link that means something else outside.
  void link(const std::string& path, const std::string& target) const;

  // Whoever looks below this folder waits: until it recovers, or ten seconds.
  void stall(const std::string& folder);
  // Whoever looks below this folder is told that its server is gone.
  void break_off(const std::string& folder);
  void recover();

 private:
  pid_t pid_ = -1;
  std::string why_not_;
  TempDir folder_;
  std::unique_ptr<SilentFs> silent_;
};

}  // namespace idlewarden::test

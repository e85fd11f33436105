// SPDX-License-Identifier: Apache-2.0
// A process of a user's in whose memory nobody can look, nor can the process itself take more of
// it: one thread of it holds the lock of the memory and waits for a page of a file on a file system
// that does not answer, another one waits for the lock. This is what ps(1) is known to hang on.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "support/silent_fs.h"
#include "support/temp_dir.h"

namespace idlewarden::test {

class HungProcess {
 public:
  // Takes this process to mounts of its own, so it must have one thread only.
  explicit HungProcess(uid_t user);
  ~HungProcess();
  HungProcess(const HungProcess&) = delete;
  HungProcess& operator=(const HungProcess&) = delete;

  const std::string& why_not() const noexcept { return why_not_; }
  pid_t pid() const noexcept { return pid_; }

 private:
  pid_t pid_ = -1;
  std::string why_not_;
  TempDir folder_;
  std::unique_ptr<SilentFs> silent_;
};

}  // namespace idlewarden::test

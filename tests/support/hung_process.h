// SPDX-License-Identifier: Apache-2.0
// A process of a user's that hangs on a file system that does not answer, and whoever asks for it
// in a certain way with it.
//
// `memory`: nobody can look in its memory, nor can the process itself take more of it: one thread
// of it holds the lock of the memory and waits for a page of a file there, another one waits for
// the lock. This is what ps(1) is known to hang on. `exec`: it executes a program, and the kernel,
// which closes a descriptor of such a file for it, waits for the file system to take note of that;
// as long as that takes the process holds its exec_update_lock.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "support/silent_fs.h"
#include "support/temp_dir.h"

namespace idlewarden::test {

class HungProcess {
 public:
  enum class In { memory, exec };
  // Takes this process to mounts of its own, so it must have one thread only. In exec it keeps the
  // descriptors that are not closed by that.
  explicit HungProcess(uid_t user, In in = In::memory);
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

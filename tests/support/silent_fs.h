// SPDX-License-Identifier: Apache-2.0
// A file system that has stopped answering, as a server of NFS does: whoever opens a file on it
// hangs, for SIGKILL too, until it goes; of the file kOpened only who reads it, touches a page of
// it, or closes it. FUSE, without a library (linux/fuse.h). Inside a private host, or mounts of
// one's own, only.
#pragma once

#include <chrono>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace idlewarden::test {

// A private mount namespace for the rest of this process, which must have one thread only if it
// forks afterwards. False: not allowed.
bool own_mounts();

class SilentFs {
 public:
  static constexpr const char* kOpened = "opened";

  // Mounted over `folder`, which must be there. why_not() says whether it could not be.
  explicit SilentFs(std::string folder);
  ~SilentFs();  // whoever hangs gets an error
  SilentFs(const SilentFs&) = delete;
  SilentFs& operator=(const SilentFs&) = delete;

  // It goes by itself then: who waits for it all the same has taken too long, but is let go.
  void go_after(std::chrono::milliseconds time);
  // Whoever comes from now on gets ENOTCONN, and so does who hangs.
  void break_off();

  const std::string& why_not() const noexcept { return why_not_; }

 private:
  void serve(const std::stop_token& stop) const;
  void go();

  std::string folder_;
  std::string why_not_;
  UniqueFd fuse_;
  std::jthread server_;
  std::jthread rescue_;
};

}  // namespace idlewarden::test

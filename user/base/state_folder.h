// SPDX-License-Identifier: Apache-2.0
// A folder in which the daemon keeps what must outlive it. One process at a time has it (flock(2),
// until the object goes); what is in it is for root only (0700, files 0600).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace idlewarden {

class StateFolder {
 public:
  // Makes the folder if it is missing (not the folders above it). An error if it is not a folder,
  // if another process has it (code EWOULDBLOCK), or if somebody else could write to it.
  static Result<StateFolder> open(const std::string& path);

  const std::string& path() const noexcept { return path_; }
  // At most max_bytes of a regular file; code is ENOENT when there is none.
  Result<std::string> read(const std::string& name, std::size_t max_bytes) const;
  // The file is the old one or the new one whatever happens (rename(2)), and on disk on return.
  // Any thread.
  Result<void> replace(const std::string& name, std::string_view content) const;
  // Out of the way, and kept: NAME.broken.
  Result<void> put_aside(const std::string& name) const;

 private:
  StateFolder(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  Result<void> write_new(const std::string& name, std::string_view content) const;

  std::string path_;
  UniqueFd fd_;
};

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// A directory tree for one test, removed at its end.
#pragma once

#include <string>
#include <string_view>

namespace idlewarden::test {

class TempDir {
 public:
  // Made in `parent`; empty: where temporary files belong.
  explicit TempDir(const std::string& parent = {});
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const noexcept { return path_; }
  // Writes (folders are made) and returns the absolute path. `name` may start with '/'.
  std::string file(std::string_view name, std::string_view content, unsigned mode = 0644) const;

 private:
  std::string path_;
};

}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// What the fuzzers share: a tree of files held in memory, and the cutting of an input into files.
// Only for programs that may abort: what cannot be done ends the process.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "limits/limit.h"

namespace idlewarden::fuzz {

inline void require(bool holds) {
  if (!holds) std::abort();
}

// Removed with the process.
class Tree {
 public:
  explicit Tree(std::initializer_list<const char*> folders = {}) {
    char made[] = "/dev/shm/idlewarden-fuzz.XXXXXX";
    require(::mkdtemp(made) != nullptr);
    path_ = made;
    for (const char* folder : folders) std::filesystem::create_directories(path_ + folder);
  }
  ~Tree() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  const std::string& path() const { return path_; }
  void write(const std::string& name, std::string_view content) const {
    const int fd = ::open((path_ + name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    require(fd >= 0 && ::write(fd, content.data(), content.size()) >= 0);
    ::close(fd);
  }

 private:
  std::string path_;
};

// The part of the input before the next 0x1e (record separator), which goes too.
inline std::string_view take_part(std::string_view& input) {
  const std::size_t end = input.find('\x1e');
  const std::string_view part = input.substr(0, end);
  input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
  return part;
}

inline void require_printable(std::string_view text) {
  require(text.find('\x1b') == std::string_view::npos);
}

// What is said of a line has a place, a limit is a time, and others' text is printable.
inline void require_sound(const LimitSource& source) {
  require(!source.where.file.empty());
  require(!source.limit || *source.limit > Seconds(0));
  require_printable(source.text);
  require_printable(source.reason);
}
inline void require_explained(const std::vector<LimitSource>& sources) {
  for (const LimitSource& source : sources) {
    require_sound(source);
    require(!source.reason.empty());
  }
}
inline void require_sound(const Error& error) {
  require(!error.what.empty());
  require_printable(error.text());
}

}  // namespace idlewarden::fuzz

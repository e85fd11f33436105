// SPDX-License-Identifier: Apache-2.0
// The events file: one JSON line an event, appended. Follows log rotation by itself.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace idlewarden {

class EventsFile {
 public:
  // Makes the file (mode 0640) if it is missing; its folder must be there.
  static Result<EventsFile> open(std::string path);

  // Appends `line` and a newline. Opens the file again if it was moved away or removed. On an error
  // (a full disk) the line is lost; what was written of it is closed by a newline before the next.
  Result<void> append(std::string_view line);
  // Whether the end of the file has such an event of that session. The last 4 MiB are looked at; of
  // what cannot be read, nothing is known.
  bool has(std::string_view event, std::string_view session) const;

  const std::string& path() const noexcept { return path_; }

 private:
  explicit EventsFile(std::string path) : path_(std::move(path)) {}
  Result<void> reopen_if_moved();

  std::string path_;
  UniqueFd fd_;
  bool torn_ = false;  // the last line was written in part
};

}  // namespace idlewarden

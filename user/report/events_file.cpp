// SPDX-License-Identifier: Apache-2.0
#include "report/events_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "base/unique_fd.h"

namespace idlewarden {

Result<EventsFile> EventsFile::open(std::string path) {
  EventsFile file(std::move(path));
  if (auto opened = file.reopen_if_moved(); !opened) return std::unexpected(opened.error());
  return file;
}

Result<void> EventsFile::reopen_if_moved() {
  struct stat now {};
  struct stat ours {};
  if (fd_ && ::stat(path_.c_str(), &now) == 0 && ::fstat(fd_.get(), &ours) == 0 &&
      now.st_dev == ours.st_dev && now.st_ino == ours.st_ino) {
    return {};
  }
  // O_NONBLOCK: a FIFO that nobody reads is an error, not a daemon that hangs.
  fd_.reset(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                   0640));
  if (!fd_) return fail_errno("cannot open the events file " + path_);
  torn_ = false;
  return {};
}

bool EventsFile::has(std::string_view event, std::string_view session) const {
  constexpr off_t kMost = 4 << 20;
  const UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat st {};
  if (!fd || ::fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode)) return false;
  std::string text(static_cast<std::size_t>(std::min(st.st_size, kMost)), '\0');
  const ssize_t n =
      ::pread(fd.get(), text.data(), text.size(), std::max<off_t>(st.st_size - kMost, 0));
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  const auto member = [](std::string_view name, std::string_view value) {
    return std::string("\"").append(name).append("\":\"").append(value).append("\"");
  };
  // As to_json_line() writes them: no text of a user can spell a quotation mark.
  const std::string wanted_event = member("event", event);
  const std::string wanted_session = member("session", session);
  for (const std::string& line : split(text, '\n')) {
    if (line.find(wanted_event) != std::string::npos &&
        line.find(wanted_session) != std::string::npos) {
      return true;
    }
  }
  return false;
}

Result<void> EventsFile::append(std::string_view line) {
  if (auto opened = reopen_if_moved(); !opened) return opened;
  std::string text = torn_ ? "\n" : "";
  text.append(line).push_back('\n');
  const ssize_t written = ::write(fd_.get(), text.data(), text.size());
  if (written == static_cast<ssize_t>(text.size())) {
    torn_ = false;
    return {};
  }
  const int code = written < 0 ? errno : ENOSPC;
  if (written > 0) torn_ = text[static_cast<std::size_t>(written) - 1] != '\n';
  return fail_errno("cannot write to the events file " + path_, code);
}

}  // namespace idlewarden

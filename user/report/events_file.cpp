// SPDX-License-Identifier: Apache-2.0
#include "report/events_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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

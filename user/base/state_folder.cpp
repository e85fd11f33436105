// SPDX-License-Identifier: Apache-2.0
#include "base/state_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"

namespace idlewarden {

Result<StateFolder> StateFolder::open(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail_errno("cannot make the folder " + path);
  }
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno("cannot open the folder " + path);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail_errno("cannot stat the folder " + path);
  if (st.st_uid != ::geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail("the folder " + path + " can be written by others", "chmod 0700, and its own user");
  }
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    const int code = errno;
    return fail_errno(code == EWOULDBLOCK ? "another process keeps its state in " + path
                                          : "cannot lock the folder " + path,
                      code);
  }
  return StateFolder(path, std::move(fd));
}

Result<std::string> StateFolder::read(const std::string& name, std::size_t max_bytes) const {
  return Root().read(path_ + "/" + name, {.max_bytes = max_bytes, .owner = ::geteuid()});
}

Result<void> StateFolder::write_new(const std::string& name, std::string_view content) const {
  const UniqueFd file(
      ::openat(fd_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return fail_errno("cannot make " + path_ + "/" + name);
  while (!content.empty()) {
    const ssize_t n = ::write(file.get(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail_errno("cannot write " + path_ + "/" + name, n < 0 ? errno : ENOSPC);
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(file.get()) != 0) return fail_errno("cannot write " + path_ + "/" + name);
  return {};
}

Result<void> StateFolder::replace(const std::string& name, std::string_view content) const {
  const std::string fresh = name + ".new";
  // What a crash left behind.
  if (::unlinkat(fd_.get(), fresh.c_str(), 0) != 0 && errno != ENOENT) {
    return fail_errno("cannot remove " + path_ + "/" + fresh);
  }
  auto written = write_new(fresh, content);
  if (written && ::renameat(fd_.get(), fresh.c_str(), fd_.get(), name.c_str()) != 0) {
    written = fail_errno("cannot replace " + path_ + "/" + name);
  }
  if (!written) {
    ::unlinkat(fd_.get(), fresh.c_str(), 0);
    return written;
  }
  if (::fsync(fd_.get()) != 0) return fail_errno("cannot sync the folder " + path_);
  return {};
}

Result<void> StateFolder::put_aside(const std::string& name) const {
  if (::renameat(fd_.get(), name.c_str(), fd_.get(), (name + ".broken").c_str()) != 0) {
    return fail_errno("cannot rename " + path_ + "/" + name);
  }
  return {};
}

}  // namespace idlewarden

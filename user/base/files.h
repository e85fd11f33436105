// SPDX-License-Identifier: Apache-2.0
// Reading files that are not ours. A Root is the tree that is read as "/": the host's own, that of
// an image (--root DIR), or a container's (/proc/PID/root). Every path is resolved inside it, so a
// symlink in the tree cannot lead out of it (openat2(2), RESOLVE_IN_ROOT).
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace idlewarden {

struct ReadLimits {
  std::size_t max_bytes = 1 << 20;
  // If set: the file must belong to this user or root, and a symlink may not be the last component.
  // For files that an unprivileged user controls.
  std::optional<uid_t> owner;
};

// What changes when a file is written, replaced, or made readable (stat(2)). All 0: there is none.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  Nanoseconds modified{0};
  Nanoseconds changed{0};
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};
FileStamp file_stamp(const struct stat& st);

// Whether a path is that of the folder or leads below it, however either is spelt; links are not
// followed. Nothing lies in /.
bool lies_in(const std::string& path, const std::string& folder);

// A user as permissions ask for one.
struct Rights {
  uid_t uid = 0;
  std::function<std::optional<bool>(gid_t)> is_in;  // nullopt: not known
};

class Root {
 public:
  explicit Root(std::string directory = "/");

  const std::string& directory() const noexcept { return directory_; }
  bool is_host() const noexcept { return directory_ == "/"; }
  // The same tree as this user sees it who is in no group: what is not theirs counts by the
  // permissions for others. For paths that an unprivileged user chooses: whoever reads them with
  // more rights than that tells what they may not know. Of files that read() gives, see `owner`.
  Root seen_by(uid_t user) const;

  // The whole content of a regular file. Never blocks on a FIFO or a device, never reads more than
  // the limit: both are errors. code is ENOENT when there is no such file.
  Result<std::string> read(const std::string& path, const ReadLimits& limits = {}) const;
  // Of what the path leads to (st_mode). code is ENOENT or ENOTDIR when there is no such file, and
  // EACCES where it is not to be seen whether there is.
  Result<mode_t> mode(const std::string& path) const;
  // Whether permissions certainly keep this user from reading what the path leads to; of
  // `way_only`, from seeing it.
  bool is_closed_to(const Rights& reader, const std::string& path, bool way_only = false) const;
  bool exists(const std::string& path) const { return mode(path).has_value(); }
  bool is_directory(const std::string& path) const { return S_ISDIR(mode(path).value_or(0)); }
  FileStamp stamp(const std::string& path) const;  // of what the path leads to
  // The path, seen from inside, that remains when every symlink on the way is followed.
  Result<std::string> resolve(const std::string& path) const;
  // glob(3) inside the root, in lexical order; paths come back as seen from inside. No match, an
  // unreadable folder: empty.
  std::vector<std::string> glob(const std::string& pattern) const;
  // For patterns that others choose: at most `entries` names of folders are looked at, and those
  // are taken from it. nullopt: there are more.
  std::optional<std::vector<std::string>> glob(const std::string& pattern,
                                               std::size_t& entries) const;

 private:
  std::string directory_;
  std::optional<uid_t> viewer_;
};

}  // namespace idlewarden

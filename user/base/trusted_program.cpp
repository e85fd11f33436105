// SPDX-License-Identifier: Apache-2.0
#include "base/trusted_program.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <deque>
#include <filesystem>

#include "base/text.h"

namespace idlewarden {
namespace {

constexpr int kMaxLinks = 40;  // as path_resolution(7)

// Symlinks are followed by hand, so that each is looked at, and none leads out of the tree.
class Walk {
 public:
  explicit Walk(const Root& root) : prefix_(root.is_host() ? "" : root.directory()) {}

  Result<void> to(const std::string& path) {
    add(path);
    if (auto good = look("/"); !good) return good;
    owner_ = st_.st_uid;
    if (auto good = check("/"); !good) return good;
    while (!ahead_.empty()) {
      if (auto good = step(); !good) return good;
    }
    const std::string name = printable(at_.empty() ? "/" : at_);
    if (!S_ISREG(st_.st_mode)) return fail(name + " is not a regular file");
    if ((st_.st_mode & S_IXUSR) == 0) return fail(name + " is not executable", "chmod 0755");
    return {};
  }

 private:
  void add(const std::string& path) {
    auto parts = split(path, '/');
    ahead_.insert(ahead_.begin(), parts.begin(), parts.end());
  }

  Result<void> look(const std::string& path) {
    if (::lstat((prefix_ + path).c_str(), &st_) == 0) return {};
    return fail_errno("cannot find " + printable(path));
  }

  Result<void> check(const std::string& path) const {
    const std::string name = printable(path);
    if (st_.st_uid != 0 && st_.st_uid != owner_) {
      return fail(fmt::format("{} belongs to uid {}, who could have anything run as root", name,
                              st_.st_uid),
                  "chown root");
    }
    const bool is_link = S_ISLNK(st_.st_mode);  // a link's own mode says nothing
    const bool sticky = S_ISDIR(st_.st_mode) && (st_.st_mode & S_ISVTX) != 0;
    if (!is_link && !sticky && (st_.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
      return fail(fmt::format("{} can be written by others than root", name), "chmod go-w");
    }
    return {};
  }

  Result<void> step() {
    const std::string part = ahead_.front();
    ahead_.pop_front();
    if (part.empty() || part == ".") return {};
    if (part == "..") {
      at_.erase(std::min(at_.rfind('/'), at_.size()));
      return look(at_.empty() ? "/" : at_);
    }
    const std::string path = at_ + "/" + part;
    if (auto good = look(path); !good) return good;
    if (auto good = check(path); !good) return good;
    if (!S_ISLNK(st_.st_mode)) {
      at_ = path;
      return {};
    }
    if (++links_ > kMaxLinks) return fail_errno("cannot follow " + printable(path), ELOOP);
    std::error_code error;
    const std::string target = std::filesystem::read_symlink(prefix_ + path, error).string();
    if (error) return fail_errno("cannot follow " + printable(path), error.value());
    if (target.starts_with('/')) at_.clear();
    add(target);
    return {};
  }

  const std::string prefix_;
  std::deque<std::string> ahead_;
  std::string at_;  // what has been walked, without links; "" is the top
  struct stat st_ {};
  uid_t owner_ = 0;
  int links_ = 0;
};

}  // namespace

Result<void> check_trusted_program(const Root& root, const std::string& path) {
  if (!path.starts_with('/')) {
    return fail(fmt::format("\"{}\" is not an absolute path", printable(path, 60)),
                "there is no folder that it could be meant from");
  }
  return Walk(root).to(path);
}

}  // namespace idlewarden

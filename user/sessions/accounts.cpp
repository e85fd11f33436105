// SPDX-License-Identifier: Apache-2.0
#include "sessions/accounts.h"

#include <pwd.h>

#include <cerrno>
#include <vector>

namespace idlewarden {
namespace {

constexpr Seconds kKeep{60};
constexpr std::size_t kMostKept = 4096;
constexpr std::size_t kMostBytes = 1 << 20;  // of one entry

std::string text_of(const char* s) {
  return s == nullptr ? std::string() : std::string(s);
}

Account look_up(uid_t uid) {
  std::vector<char> buffer(1024);
  passwd entry{};
  passwd* found = nullptr;
  while (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == ERANGE &&
         buffer.size() < kMostBytes) {
    buffer.resize(buffer.size() * 4);
  }
  if (found == nullptr)
    return {.name = std::to_string(uid), .home = {}, .shell = {}, .gid = kNoGroup};
  // passwd(5): an empty shell is /bin/sh.
  std::string shell = text_of(entry.pw_shell);
  return {.name = text_of(entry.pw_name),
          .home = text_of(entry.pw_dir),
          .shell = shell.empty() ? "/bin/sh" : std::move(shell),
          .gid = entry.pw_gid};
}

}  // namespace

Account Accounts::of(uid_t uid, BootTime now) {
  const auto known = kept_.find(uid);
  if (known != kept_.end() && now < known->second.until) return known->second.account;
  if (kept_.size() >= kMostKept) kept_.clear();
  return kept_.insert_or_assign(uid, Kept{look_up(uid), now + kKeep}).first->second.account;
}

}  // namespace idlewarden

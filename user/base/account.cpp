// SPDX-License-Identifier: Apache-2.0
#include "base/account.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include "base/shortage.h"
#include "base/text.h"
#include "base/unique_fd.h"

namespace idlewarden {
namespace {

constexpr std::size_t kMostBuffer = 1 << 20;
constexpr ReadLimits kDatabase{.max_bytes = 16 << 20, .owner = {}};

std::optional<unsigned> number(const std::string& text) {
  unsigned value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

// Calls a getXXX_r() function with a buffer that grows while it says ERANGE; its error.
int with_buffer(const auto& lookup) {
  int error = ERANGE;
  for (std::vector<char> buffer(1024); buffer.size() <= kMostBuffer;
       buffer.resize(buffer.size() * 4)) {
    error = lookup(buffer);
    note_shortage(error);
    if (error != ERANGE && error != EINTR) break;
  }
  return error;
}

// A source of NSS that fails is passed over, and what only it knew is "not found". The first one is
// mostly the local files: where they cannot be opened, "not found" means nothing.
void note_closed_databases() {
  for (const char* file : {"/etc/passwd", "/etc/group"}) {
    const UniqueFd fd(::open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd) note_shortage(errno);
  }
}

// What getpwuid_r(3) names as other ways to say that there is no such account.
bool is_no_answer(int error) {
  return error != 0 && error != ENOENT && error != ESRCH && error != EBADF && error != EPERM;
}

std::string shell_or_default(const std::string& shell) {
  return shell.empty() ? "/bin/sh" : shell;
}

// `ask` is a call like getpwnam_r(3) that fills the buffer. An error: NSS could not tell.
Result<std::optional<Account>> account_by_nss(const auto& ask) {
  std::optional<Account> account;
  const int code = with_buffer([&](std::vector<char>& buffer) {
    passwd entry{};
    passwd* found = nullptr;
    const int error = ask(&entry, buffer, &found);
    if (error == 0 && found != nullptr) {
      account = Account{.name = entry.pw_name,
                        .uid = entry.pw_uid,
                        .gid = entry.pw_gid,
                        .home = entry.pw_dir,
                        .shell = shell_or_default(entry.pw_shell)};
    }
    return error;
  });
  if (is_no_answer(code)) return fail_errno("NSS does not know its accounts", code);
  return account;
}

Result<std::optional<Account>> account_by_nss(uid_t uid) {
  return account_by_nss([uid](passwd* entry, std::vector<char>& buffer, passwd** found) {
    return ::getpwuid_r(uid, entry, buffer.data(), buffer.size(), found);
  });
}

Result<std::optional<Account>> account_by_nss(const std::string& user) {
  return account_by_nss([&](passwd* entry, std::vector<char>& buffer, passwd** found) {
    return ::getpwnam_r(user.c_str(), entry, buffer.data(), buffer.size(), found);
  });
}

Account unknown_account(uid_t uid) {
  return {.name = std::to_string(uid), .uid = uid, .gid = kNoGroup, .home = {}, .shell = {}};
}

std::string group_name_by_nss(gid_t gid) {
  std::string name = std::to_string(gid);
  with_buffer([&](std::vector<char>& buffer) {
    group entry{};
    group* found = nullptr;
    const int error = ::getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found);
    if (error == 0 && found != nullptr) name = entry.gr_name;
    return error;
  });
  return name;
}

std::vector<gid_t> gids_by_nss(const std::string& user, gid_t primary) {
  std::vector<gid_t> gids(64);
  int count = static_cast<int>(gids.size());
  while (::getgrouplist(user.c_str(), primary, gids.data(), &count) < 0) {
    if (gids.size() > NGROUPS_MAX) break;  // the kernel allows no more
    gids.resize(std::max(gids.size() * 2, static_cast<std::size_t>(count)));
    count = static_cast<int>(gids.size());
  }
  gids.resize(std::min(gids.size(), static_cast<std::size_t>(count)));
  return gids;
}

// getgrouplist(3) does not say that a source failed: what two calls agree on holds.
std::vector<std::string> groups_by_nss(const std::string& user, gid_t primary) {
  constexpr int kMostCalls = 4;
  std::vector<gid_t> gids = gids_by_nss(user, primary);
  for (int i = 1; i < kMostCalls; ++i) {
    std::vector<gid_t> again = gids_by_nss(user, primary);
    if (again == gids) break;
    gids = std::move(again);
  }
  note_closed_databases();
  std::vector<std::string> names;
  for (const gid_t gid : gids) names.push_back(group_name_by_nss(gid));
  return names;
}

// The lines of a colon-separated database that have at least `fields` fields.
std::vector<std::vector<std::string>> entries(const Root& root, const std::string& file,
                                              std::size_t fields) {
  std::vector<std::vector<std::string>> found;
  const auto text = root.read(file, kDatabase);  // notes a shortage
  if (!text) return found;
  for (const std::string& line : split(*text, '\n')) {
    std::vector<std::string> entry = split(trim(line), ':');
    if (entry.size() >= fields) found.push_back(std::move(entry));
  }
  return found;
}

// In /etc/passwd or /etc/group of another tree; an error where these are not all that it goes by.
Result<bool> has_entry(const Root& root, const std::string& database, const std::string& name) {
  const auto text = root.read("/etc/" + database, kDatabase);
  if (!text) return std::unexpected(text.error());
  for (const std::string& line : split(root.read("/etc/nsswitch.conf").value_or(""), '\n')) {
    const std::string_view said = trim(std::string_view(line).substr(0, line.find('#')));
    if (!said.starts_with(database + ":")) continue;
    for (const std::string& word : split(said.substr(database.size() + 1), ' ')) {
      const std::string_view source = trim(word);
      if (source.empty() || source == "files" || source == "compat" || source == "systemd")
        continue;
      return fail(fmt::format("{} of {} are also in {}", database, root.directory(), source));
    }
  }
  return std::ranges::any_of(entries(root, "/etc/" + database, 3),
                             [&](const auto& entry) { return entry[0] == name; });
}

// The first of which `member` is `value`.
template <class Member>
std::optional<Account> account_by_file(const Root& root, Member Account::*member,
                                       const Member& value) {
  std::vector<Account> all = local_accounts(root);
  const auto found = std::ranges::find(all, value, member);
  if (found == all.end()) return std::nullopt;
  return std::move(*found);
}

bool is_member(const std::string& members, const std::string& user) {
  const std::vector<std::string> names = split(members, ',');
  return std::ranges::find(names, user) != names.end();
}

std::vector<std::string> groups_by_file(const Root& root, const std::string& user, gid_t primary) {
  std::vector<std::string> names{std::to_string(primary)};
  for (const std::vector<std::string>& entry : entries(root, "/etc/group", 4)) {
    if (number(entry[2]) == primary) {
      names.front() = entry[0];
    } else if (is_member(entry[3], user)) {
      names.push_back(entry[0]);
    }
  }
  return names;
}

}  // namespace

Result<bool> has_account(const Root& root, const std::string& user) {
  if (!root.is_host()) return has_entry(root, "passwd", user);
  const auto found = account_by_nss(user);
  if (!found) return std::unexpected(found.error());
  return found->has_value();
}

Result<bool> has_group(const Root& root, const std::string& name) {
  if (!root.is_host()) return has_entry(root, "group", name);
  bool known = false;
  const int code = with_buffer([&](std::vector<char>& buffer) {
    group entry{};
    group* found = nullptr;
    const int error = ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    known = error == 0 && found != nullptr;
    return error;
  });
  if (is_no_answer(code)) return fail_errno("NSS does not know its groups", code);
  return known;
}

std::vector<Account> local_accounts(const Root& root) {
  std::vector<Account> all;
  for (const std::vector<std::string>& entry : entries(root, "/etc/passwd", 7)) {
    const auto uid = number(entry[2]);
    const auto gid = number(entry[3]);
    if (!uid || !gid) continue;
    all.push_back({.name = entry[0],
                   .uid = *uid,
                   .gid = *gid,
                   .home = entry[5],
                   .shell = shell_or_default(entry[6])});
  }
  return all;
}

std::optional<Account> find_account(const Root& root, const std::string& user) {
  if (!root.is_host()) return account_by_file(root, &Account::name, user);
  const auto found = account_by_nss(user);
  return found ? *found : std::nullopt;
}

Account account_of(const Root& root, uid_t uid) {
  if (root.is_host()) return look_up_account(uid).value_or(unknown_account(uid));
  return account_by_file(root, &Account::uid, uid).value_or(unknown_account(uid));
}

Result<Account> look_up_account(uid_t uid) {
  auto found = account_by_nss(uid);
  if (found && !*found) {
    found = account_by_nss(uid);
    if (found && !*found) note_closed_databases();
  }
  if (!found) return std::unexpected(found.error());
  return found->value_or(unknown_account(uid));
}

std::vector<std::string> group_names(const Root& root, const std::string& user, gid_t primary) {
  return root.is_host() ? groups_by_nss(user, primary) : groups_by_file(root, user, primary);
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// Accounts: who a user is and which groups they are in. On the host itself NSS says it
// (getpwnam_r(3), getgrouplist(3): LDAP and sssd count); in another tree its etc/passwd and
// etc/group do (passwd(5), group(5)). May block as long as NSS does. Thread-safe.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace idlewarden {

// gid of an account that NSS does not know: no group has it (chown(2) means "leave it" by it).
constexpr gid_t kNoGroup = static_cast<gid_t>(-1);

struct Account {
  std::string name;
  uid_t uid = 0;
  gid_t gid = kNoGroup;
  std::string home;
  std::string shell;  // never empty for a known account: passwd(5) makes it /bin/sh
  friend bool operator==(const Account&, const Account&) = default;
};

// nullopt: not known there (or NSS does not answer).
std::optional<Account> find_account(const Root& root, const std::string& user);

// Whether there is an account, a group of this name. An error: who would know cannot be asked (in
// another tree: its nsswitch.conf names more than its own files).
Result<bool> has_account(const Root& root, const std::string& user);
Result<bool> has_group(const Root& root, const std::string& group);

// Those that stand in the tree's etc/passwd itself, in its order.
std::vector<Account> local_accounts(const Root& root);

// By uid; one that is not known there has its digits as its name, and nothing else.
Account account_of(const Root& root, uid_t uid);
// On the host, where NSS may fail to tell.
Result<Account> look_up_account(uid_t uid);

// Names of the primary and supplementary groups; a group without a name is its number.
std::vector<std::string> group_names(const Root& root, const std::string& user, gid_t primary);

}  // namespace idlewarden

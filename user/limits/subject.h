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
#include "limits/limit.h"

namespace idlewarden {

struct Account {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string home;
  std::string shell;
};

// nullopt: not known there (or NSS does not answer).
std::optional<Account> find_account(const Root& root, const std::string& user);

// Names of the primary and supplementary groups; a group without a name is its number.
std::vector<std::string> group_names(const Root& root, const std::string& user, gid_t primary);

// The subject that a live session is.
Subject subject_of(const Session& session);

}  // namespace idlewarden

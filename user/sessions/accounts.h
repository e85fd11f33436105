// SPDX-License-Identifier: Apache-2.0
// passwd entries by uid, through NSS (getpwuid_r(3)), kept for a minute: a thousand logins of one
// user ask the directory server once.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

#include "base/clock.h"

namespace idlewarden {

// gid of an account that NSS does not know: no group has it (chown(2) means "leave it" by it).
constexpr gid_t kNoGroup = static_cast<gid_t>(-1);

struct Account {
  std::string name;  // the uid in digits if NSS does not know it
  std::string home;
  std::string shell;
  gid_t gid = kNoGroup;
  friend bool operator==(const Account&, const Account&) = default;
};

class Accounts {
 public:
  Account of(uid_t uid, BootTime now);

 private:
  struct Kept {
    Account account;
    BootTime until{};
  };
  std::map<uid_t, Kept> kept_;
};

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// passwd entries by uid, through NSS (getpwuid_r(3)), kept for a minute: a thousand logins of one
// user ask the directory server once.
#pragma once

#include <sys/types.h>

#include <map>

#include "base/account.h"
#include "base/clock.h"

namespace idlewarden {

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

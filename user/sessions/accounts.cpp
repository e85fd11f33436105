// SPDX-License-Identifier: Apache-2.0
#include "sessions/accounts.h"

namespace idlewarden {
namespace {

constexpr Seconds kKeep{60};
constexpr std::size_t kMostKept = 4096;

}  // namespace

Account Accounts::of(uid_t uid, BootTime now) {
  const auto known = kept_.find(uid);
  if (known != kept_.end() && now < known->second.until) return known->second.account;
  if (kept_.size() >= kMostKept) kept_.clear();
  return kept_.insert_or_assign(uid, Kept{account_of(uid), now + kKeep}).first->second.account;
}

}  // namespace idlewarden

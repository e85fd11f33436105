// SPDX-License-Identifier: Apache-2.0
#include "sessions/accounts.h"

#include <algorithm>
#include <utility>

#include "base/shortage.h"

namespace idlewarden {
namespace {

constexpr Seconds kKeep{60};
constexpr Seconds kAskAgain{5};  // after no answer, who is known already
constexpr std::size_t kMostKept = 65536;

}  // namespace

std::optional<Person> Accounts::ask_nss(uid_t uid) {
  const ShortageWatch shortage;
  auto account = look_up_account(uid);
  if (!account) return std::nullopt;
  std::vector<std::string> groups = group_names(Root(), account->name, account->gid);
  if (shortage.noted() != 0) return std::nullopt;
  return Person{*std::move(account), std::move(groups)};
}

void Accounts::wait_for(std::future<std::optional<Person>>& answer, BootTime now) {
  if (now != scan_) left_ = patience_;
  scan_ = now;
  const auto began = std::chrono::steady_clock::now();
  answer.wait_for(left_);
  left_ -= std::min(left_, std::chrono::nanoseconds(std::chrono::steady_clock::now() - began));
}

void Accounts::take_answer(Kept& kept, BootTime now) {
  std::optional<Person> person = kept.answer.get();
  kept.until = now + (person ? kKeep : kAskAgain);
  // A live login whom the directory has forgotten is who they were.
  const bool forgotten = person && person->account.gid == kNoGroup && kept.person;
  if (!person || forgotten) return;
  // Where the source of groups is away, NSS gives fewer without a word. Who has left one is
  // believed to have when it is said a second time.
  const bool fewer = kept.person && !std::ranges::all_of(kept.person->groups, [&](const auto& g) {
                       return std::ranges::find(person->groups, g) != person->groups.end();
                     });
  if (fewer && !std::exchange(kept.fewer_said, true)) return;
  kept.fewer_said = false;
  kept.person = std::move(person);
}

std::optional<Person> Accounts::of(uid_t uid, BootTime now) {
  if (kept_.size() >= kMostKept && !kept_.contains(uid)) {
    std::erase_if(kept_, [](const auto& item) { return !item.second.answer.valid(); });
  }
  Kept& kept = kept_[uid];
  if (!kept.answer.valid()) {
    if (kept.person && now < kept.until) return kept.person;
    kept.answer = nss_.ask<std::optional<Person>>([ask = ask_, uid] { return ask(uid); });
    if (!kept.answer.valid()) return kept.person;
  }
  if (!kept.person) wait_for(kept.answer, now);
  if (kept.answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
    take_answer(kept, now);
  }
  return kept.person;
}

}  // namespace idlewarden

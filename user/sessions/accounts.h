// SPDX-License-Identifier: Apache-2.0
// Who a uid is, through NSS (getpwuid_r(3), getgrouplist(3)), kept for a minute: a thousand logins
// of one user ask the directory server once. NSS may take as long as it likes: it is asked on
// threads of its own, and a scan waits for it for so long and no longer. Who is not known by then
// is asked for again; who was known stays what they were until NSS knows better. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <functional>
#include <future>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/account.h"
#include "base/clock.h"
#include "base/patience.h"

namespace idlewarden {

struct Person {
  Account account;
  std::vector<std::string> groups;
  friend bool operator==(const Person&, const Person&) = default;
};

class Accounts {
 public:
  // nullopt: NSS could not tell. That it knows nobody by that uid is an answer.
  using Ask = std::function<std::optional<Person>(uid_t)>;
  static constexpr int kAtATime = 8;

  explicit Accounts(std::chrono::milliseconds patience, Ask ask = ask_nss)
      : patience_(patience), ask_(std::move(ask)) {}

  // nullopt: not known yet. `now` is the scan's: the time that it may wait is for all of it.
  std::optional<Person> of(uid_t uid, BootTime now);
  static std::optional<Person> ask_nss(uid_t uid);

 private:
  struct Kept {
    std::optional<Person> person;
    BootTime until{};
    bool fewer_said = false;  // the last answer had not all of the person's groups
    std::future<std::optional<Person>> answer;
  };
  void take_answer(Kept& kept, BootTime now);
  void wait_for(std::future<std::optional<Person>>& answer, BootTime now);

  std::chrono::milliseconds patience_;
  Ask ask_;
  Patience nss_{kAtATime, Patience::Descriptors::shared};
  std::map<uid_t, Kept> kept_;
  BootTime scan_ = BootTime::min();
  std::chrono::nanoseconds left_{0};  // of the time that this scan may wait
};

}  // namespace idlewarden

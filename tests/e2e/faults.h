// SPDX-License-Identifier: Apache-2.0
// What the tests with failing system calls share: two people, of whom one types all the time, and
// what a fault may and may not lead to.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "e2e/e2e.h"
#include "e2e/ledger.h"

namespace idlewarden::test {

// A person at the keyboard all the time.
class Typist {
 public:
  explicit Typist(PtyProcess& terminal);

 private:
  std::jthread thread_;
};

// The cases of a test are dealt out, so that they run beside each other.
inline constexpr int kShards = 4;
std::vector<std::string> of_shard(const std::vector<std::string>& kinds, int shard);

// What the daemon complained of in its log; its events are no complaints.
std::string complaints(const std::string& log);
// The reasons in idlewarden_degraded{reason}.
std::vector<std::string> degraded(const MonitorProcess& monitor);
// Why such a call may fail once without a word, if it may. Of any other kind a test says that a
// fault was silent only when it was so twice: which of several calls of one kind is hit differs
// from run to run, and with it who has to say so.
std::optional<std::string> needs_no_word(const std::string& kind, bool at_start = false);

// Whether a daemon that fails in such a call need not start at all, if it says why.
bool is_needed_to_start(const std::string& kind);

std::string joined(const std::vector<std::string>& words);

}  // namespace idlewarden::test

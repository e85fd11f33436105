// SPDX-License-Identifier: Apache-2.0
// The system calls that a gated daemon made, by kind, and which of them is to fail.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "support/syscall_gate.h"

namespace idlewarden::test {

// What the kernel would say if it refused such a call for want of something.
int plausible_error(const SyscallGate::Call& call);

class Ledger {
 public:
  // From the daemon's first own call on; before it the loader and the libraries start.
  SyscallGate::Guard guard();

  std::vector<std::string> kinds() const;  // in the order in which each was seen first
  void forget();                           // what was seen until now
  // Those that came after the first call of that kind.
  std::vector<std::string> kinds_after(const std::string& kind) const;
  // The next call of that kind fails, once; if `after` is given, the next after a call of that one.
  void arm(const std::string& kind, const std::string& after = "");
  void disarm();
  std::optional<std::string> fired() const;  // the call that failed since the last arm(), and how

 private:
  SyscallGate::Verdict judge(const SyscallGate::Call& call);

  mutable std::mutex mutex_;
  bool begun_ = false;
  std::vector<std::string> calls_;  // by kind, all
  std::string armed_;
  std::string after_;
  std::optional<std::string> fired_;
};

}  // namespace idlewarden::test

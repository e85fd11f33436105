// SPDX-License-Identifier: Apache-2.0
// Verdicts that say the same are kept once: thousands of sessions have a handful between them.
#pragma once

#include <cstddef>
#include <memory>
#include <unordered_map>

#include "limits/limit.h"

namespace idlewarden {

bool same(const LimitSource& a, const LimitSource& b);
bool same(const Verdict& a, const Verdict& b);

// Not thread-safe; what it gave away may be read on any thread.
class SharedVerdicts {
 public:
  // `verdict`, or one that says the same and is still in use.
  std::shared_ptr<const Verdict> share(Verdict verdict);
  std::size_t size() const { return known_.size(); }  // with those that are out of use

 private:
  std::unordered_multimap<std::size_t, std::weak_ptr<const Verdict>> known_;
  std::size_t sweep_at_ = 64;
};

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "limits/shared_verdicts.h"

#include <algorithm>
#include <functional>
#include <string>
#include <tuple>
#include <utility>

namespace idlewarden {
namespace {

std::size_t hash_of(const Verdict& verdict) {
  std::size_t hash = static_cast<std::size_t>(verdict.limit.value_or(Seconds(-1)).count());
  const auto add = [&](const std::string& text) {
    hash = hash * 31 + std::hash<std::string>()(text);
  };
  if (verdict.rule) add(*verdict.rule);
  for (const LimitSource& source : verdict.sources) {
    hash = hash * 31 + static_cast<std::size_t>(source.where.line);
    add(source.text);
    add(source.reason);
  }
  return hash;
}

}  // namespace

bool same(const LimitSource& a, const LimitSource& b) {
  const auto all = [](const LimitSource& s) {
    return std::tie(s.origin, s.directive, s.where, s.text, s.limit, s.used, s.conditional,
                    s.reason, s.malformed);
  };
  return all(a) == all(b);
}

bool same(const Verdict& a, const Verdict& b) {
  const auto all = [](const Verdict& v) {
    return std::tie(v.limit, v.decided_by, v.rule, v.action, v.mode, v.warn, v.grace,
                    v.messages.warn, v.messages.end, v.output_counts, v.job_limit, v.jobs,
                    v.max_session, v.kill_survivors);
  };
  return all(a) == all(b) &&
         std::ranges::equal(a.sources, b.sources,
                            [](const auto& x, const auto& y) { return same(x, y); });
}

std::shared_ptr<const Verdict> SharedVerdicts::share(Verdict verdict) {
  const std::size_t hash = hash_of(verdict);
  const auto [first, last] = known_.equal_range(hash);
  for (auto at = first; at != last; ++at) {
    if (auto known = at->second.lock(); known && same(*known, verdict)) return known;
  }
  if (known_.size() >= sweep_at_) {
    std::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = std::max<std::size_t>(64, 2 * known_.size());
  }
  auto made = std::make_shared<const Verdict>(std::move(verdict));
  known_.emplace(hash, made);
  return made;
}

}  // namespace idlewarden

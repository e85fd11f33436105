// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "enforce/warden.h"

namespace idlewarden {
namespace {

BootTime active_at(const Observation& o, BootTime now) {
  if (o.last_activity < BootTime{} || o.last_activity > now) return now;
  return std::min(std::max(o.last_activity, o.session->id.start), now);
}

Due due_by(Cause cause, Seconds limit, BootTime since, Seconds warn) {
  const Nanoseconds longest = Nanoseconds(limit) / 2;
  return {cause, limit, since, since + limit,
          std::clamp(Nanoseconds(warn), Nanoseconds(0), longest)};
}

}  // namespace

std::optional<Seconds> limit_now(const Observation& o) {
  const Verdict& v = *o.verdict;
  if (!v.limit || v.limit->count() <= 0) return std::nullopt;
  if (!o.job_running || !v.job_limit) return v.limit;
  return v.job_limit->count() > 0 ? v.job_limit : std::nullopt;
}

Nanoseconds idle_time(const Observation& o, BootTime now) {
  return now - active_at(o, now);
}

std::optional<Due> due(const Observation& o, BootTime now) {
  const Verdict& v = *o.verdict;
  // Without a terminal there is nobody to read a warning.
  const Seconds warn = o.session->has_tty() ? v.warn : Seconds(0);
  std::optional<Due> first;
  if (const auto limit = limit_now(o)) {
    first = due_by(Cause::idle, *limit, active_at(o, now), warn);
  }
  if (v.max_session && v.max_session->count() > 0) {
    const BootTime login = std::max(o.session->login, o.session->id.start);
    const Due whole = due_by(Cause::max_session, *v.max_session, login, warn);
    if (!first || whole.at < first->at) first = whole;
  }
  return first;
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "limits/limit.h"

#include <utility>

namespace idlewarden {

std::string_view to_string(Origin origin) {
  switch (origin) {
    case Origin::rule: return "rule";
    case Origin::sshd_config: return "sshd_config";
    case Origin::tmout: return "tmout";
    case Origin::logind: return "logind";
  }
  std::unreachable();
}

std::string_view to_string(Mode mode) {
  return mode == Mode::audit ? "audit" : "enforce";
}

std::string_view to_string(Action action) {
  return action == Action::terminate ? "terminate" : "alert";
}

const LimitSource* Verdict::used_source() const {
  for (const LimitSource& source : sources) {
    if (source.used) return &source;
  }
  return nullptr;
}

}  // namespace idlewarden

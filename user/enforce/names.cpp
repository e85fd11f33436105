// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "enforce/warden.h"

namespace idlewarden {

std::string_view to_string(State state) {
  switch (state) {
    case State::active: return "active";
    case State::warned: return "warned";
    case State::expired: return "expired";
    case State::held: return "held";
    case State::ending: return "ending";
    case State::ended: return "ended";
  }
  std::unreachable();
}

std::string_view to_string(Happened happened) {
  switch (happened) {
    case Happened::warned: return "warned";
    case Happened::resumed: return "resumed";
    case Happened::would_terminate: return "would_terminate";
    case Happened::terminated: return "terminated";
    case Happened::terminate_failed: return "terminate_failed";
    case Happened::held: return "held";
  }
  std::unreachable();
}

std::string_view to_string(Cause cause) {
  return cause == Cause::idle ? "idle" : "max_session";
}

}  // namespace idlewarden

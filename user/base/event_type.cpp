// SPDX-License-Identifier: Apache-2.0
#include "base/event_type.h"

#include <syslog.h>

#include <utility>

namespace idlewarden {
namespace {

using enum EventType;

constexpr std::array<EventInfo, 11> kEvents{{
    {session_started, "session_started", "cf8ebcaf2c0949a4b627407f7ad05d91", LOG_INFO},
    {warned, "warned", "56b19668dd164e90b6d583017ce27d10", LOG_NOTICE},
    {resumed, "resumed", "5bf9280b84ad4964bcf8eed456a42ad1", LOG_INFO},
    {would_terminate, "would_terminate", "5b359ac298dc440f97b14e276281cb06", LOG_WARNING},
    {terminated, "terminated", "0c47ea9f01af4400b132ea3e92548943", LOG_NOTICE},
    {terminate_failed, "terminate_failed", "bff8f7ed857d436fbf6aab17fbd50b4e", LOG_ERR},
    {session_ended, "session_ended", "98ab736445394e8c99db7d06480dee2c", LOG_INFO},
    {held, "held", "580e550a2b40496685e305aa0d9d8b9c", LOG_WARNING},
    {config_reloaded, "config_reloaded", "9eb2714d08174649adc8d13db91b00c8", LOG_NOTICE},
    {config_rejected, "config_rejected", "44407dd81853457394ced12bfee6806d", LOG_ERR},
    {backend_changed, "backend_changed", "1678d848c184414cb76e8bb3fcc4b480", LOG_NOTICE},
}};

}  // namespace

const std::array<EventInfo, 11>& all_events() {
  return kEvents;
}

const EventInfo& info_of(EventType type) {
  for (const EventInfo& info : kEvents) {
    if (info.type == type) return info;
  }
  std::unreachable();
}

std::string_view to_string(EventType type) {
  return info_of(type).name;
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// The kinds of events that there are: an interface, of which names and ids never change. Known here
// and not in report/, because a policy names them, too.
#pragma once

#include <array>
#include <string_view>

namespace idlewarden {

enum class EventType {
  session_started,
  warned,
  resumed,
  would_terminate,
  terminated,
  terminate_failed,
  session_ended,
  held,
  config_reloaded,
  config_rejected,
  backend_changed,
};

// The one table of all event types.
struct EventInfo {
  EventType type;
  std::string_view name;
  std::string_view message_id;  // MESSAGE_ID, systemd.journal-fields(7): fixed for ever
  int priority;                 // syslog(3): LOG_ERR to LOG_INFO
};
const std::array<EventInfo, 11>& all_events();
const EventInfo& info_of(EventType type);
std::string_view to_string(EventType type);

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// What happened, for people and machines: one record, one JSON line, one journal entry.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/event_type.h"
#include "limits/limit.h"

namespace idlewarden {

// Text members are raw; they are made printable when the event is rendered.
struct Event {
  EventType type = EventType::session_started;
  WallTime time{};
  // Of a session; all empty for the daemon's own events.
  std::string session;
  std::string kind;
  std::string user;
  std::string tty;
  std::string container;  // that the tty is of; empty: the host's own
  std::string remote_addr;
  std::optional<std::uint16_t> remote_port;
  std::optional<double> idle_seconds;
  std::optional<std::int64_t> limit_seconds;
  std::optional<double> lateness_seconds;
  std::string decided_by;  // "sshd_config", ...
  Where source;            // file and line of what decided
  std::string detail;
};

// One JSON object; every member is always there, null where it does not apply. Valid UTF-8 whatever
// the event holds.
nlohmann::ordered_json to_json(const Event& event);
// The same on one line, without a newline at the end.
std::string to_json_line(const Event& event);
// "would end alice on pts/3 (ssh from 10.0.0.7): idle 10m, limit 10m by /etc/ssh/sshd_config:12"
std::string to_human_line(const Event& event);

}  // namespace idlewarden

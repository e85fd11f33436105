// SPDX-License-Identifier: Apache-2.0
#include "report/event.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "report/text.h"

namespace idlewarden {
namespace {

using enum EventType;

// "alice on pts/3 (ssh from 10.0.0.7)", "alice on pts/3 in web (ssh from 10.0.0.7)"
std::string who(const Event& e) {
  std::string out = e.user.empty() ? "session " + printable(e.session, kNameLimit)
                                   : printable(e.user, kNameLimit);
  if (!e.tty.empty()) out += " on " + printable(e.tty, kNameLimit);
  if (!e.container.empty()) out += " in " + printable(e.container, kNameLimit);
  std::string how = printable(e.kind, kNameLimit);
  if (!e.remote_addr.empty()) {
    how += (how.empty() ? "from " : " from ") + printable(e.remote_addr, kNameLimit);
  }
  if (!how.empty()) out += " (" + how + ")";
  return out;
}

// "10m by /etc/ssh/sshd_config:12"
std::string limit_and_source(const Event& e) {
  std::string out = short_duration(Seconds(*e.limit_seconds));
  const std::string by =
      e.source.file.empty() ? printable(e.decided_by, kNameLimit) : file_line(e.source);
  if (!by.empty()) out += " by " + by;
  return out;
}

std::string short_seconds(double seconds) {
  return short_duration(std::chrono::duration_cast<Nanoseconds>(
      std::chrono::duration<double>(to_ms_precision(seconds))));
}

// ": idle 10m, limit 10m by /etc/ssh/sshd_config:12, 0.04 s late; detail", the parts that are
// known.
std::string facts(const Event& e) {
  std::vector<std::string> parts;
  if (e.idle_seconds) parts.push_back("idle " + short_seconds(*e.idle_seconds));
  if (e.limit_seconds) parts.push_back("limit " + limit_and_source(e));
  if (e.lateness_seconds) parts.push_back(fmt::format("{:.2f} s late", *e.lateness_seconds));
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? ": " : ", ") + part;
  if (!e.detail.empty()) out += (out.empty() ? ": " : "; ") + printable(e.detail, kSentenceLimit);
  return out;
}

std::string detail_or(const Event& e, std::string_view otherwise) {
  return e.detail.empty() ? std::string(otherwise) : printable(e.detail, kSentenceLimit);
}

}  // namespace

nlohmann::ordered_json to_json(const Event& event) {
  std::optional<double> idle = event.idle_seconds;
  if (idle) idle = to_ms_precision(*idle);
  std::optional<double> lateness = event.lateness_seconds;
  if (lateness) lateness = to_ms_precision(*lateness);
  const std::string source = file_line(event.source);
  return {
      {"event", to_string(event.type)},
      {"time", rfc3339(event.time)},
      {"session", text_or_null(event.session)},
      {"kind", text_or_null(event.kind)},
      {"user", text_or_null(event.user)},
      {"tty", text_or_null(event.tty)},
      {"container", text_or_null(event.container)},
      {"remote_addr", text_or_null(event.remote_addr)},
      {"remote_port", value_or_null(event.remote_port)},
      {"idle_seconds", value_or_null(idle)},
      {"limit_seconds", value_or_null(event.limit_seconds)},
      {"lateness_seconds", value_or_null(lateness)},
      {"decided_by", text_or_null(event.decided_by)},
      {"source", text_or_null(source, kSentenceLimit)},
      {"detail", text_or_null(event.detail, kSentenceLimit)},
  };
}

std::string to_json_line(const Event& event) {
  return dump(to_json(event));
}

std::string to_human_line(const Event& e) {
  switch (e.type) {
    case session_started: {
      const std::string limit =
          e.limit_seconds ? "may be idle for " + limit_and_source(e) : "no idle limit";
      return fmt::format("watching {}: {}", who(e), limit);
    }
    case warned: return "warned " + who(e) + facts(e);
    case resumed: return who(e) + " is active again" + facts(e);
    case would_terminate: return "would end " + who(e) + facts(e);
    case terminated: return "ended " + who(e) + facts(e);
    case terminate_failed: return "could not end " + who(e) + facts(e);
    case session_ended: return who(e) + " has left" + facts(e);
    case held: return "not ending " + who(e) + " yet" + facts(e);
    case config_reloaded: return "configuration reloaded" + facts(e);
    case config_rejected:
      return "configuration rejected, the last good one stays in force: " +
             detail_or(e, "it could not be read");
    case backend_changed: return "input is now seen by " + detail_or(e, "another backend");
  }
  std::unreachable();
}

}  // namespace idlewarden

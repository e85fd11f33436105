// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "base/duration.h"
#include "base/text.h"
#include "enforce/warden.h"

namespace idlewarden {
namespace {

constexpr std::size_t kMaxLine = 1024;
constexpr std::size_t kMaxMessage = 4096;  // what a tty takes in one write

// Rounded down, so that nobody is promised time that is not left.
std::string whole_seconds(Nanoseconds d) {
  return format_duration(std::chrono::floor<Seconds>(std::max(d, Nanoseconds(0))));
}

std::string source_of(const Observation& o, Cause cause) {
  const Verdict& v = *o.verdict;
  if (cause == Cause::max_session) {
    return v.rule ? fmt::format("max_session of rule {}", *v.rule) : "max_session";
  }
  if (const LimitSource* source = v.used_source(); source && !source->where.file.empty()) {
    const Where line{.file = source->where.file, .line = source->where.line};
    return fmt::format("{} at {}", source->directive, line.text());
  }
  return v.decided_by ? std::string(to_string(*v.decided_by)) : "idlewarden";
}

std::string reason(const Observation& o, const Due& due, BootTime now) {
  if (due.cause == Cause::max_session) {
    return fmt::format("logged in on {} for {}", o.session->tty_name,
                       whole_seconds(now - due.since));
  }
  return fmt::format("no input on {} for {}", o.session->tty_name,
                     whole_seconds(idle_time(o, now)));
}

std::string advice(Cause cause) {
  return cause == Cause::max_session ? "No key keeps it: save your work."
                                     : "Press a key to keep it.";
}

}  // namespace

std::string render_message(const std::string& text, const Observation& o, const Due& due,
                           BootTime ends_at, BootTime now) {
  const auto value = [&](std::string_view name) -> std::optional<std::string> {
    if (name == "user") return o.session->user;
    if (name == "tty") return o.session->tty_name;
    if (name == "reason") return reason(o, due, now);
    if (name == "advice") return advice(due.cause);
    if (name == "idle") return whole_seconds(idle_time(o, now));
    if (name == "left") return whole_seconds(ends_at - now);
    if (name == "limit") return format_duration(due.limit);
    if (name == "source") return source_of(o, due.cause);
    return std::nullopt;
  };
  if (text.empty()) return {};
  std::string message = "\r\n";
  for (const std::string& line : split(trim(text), '\n')) {
    std::string out;
    for (std::size_t at = 0; at < line.size();) {
      const std::size_t close = line[at] == '{' ? line.find('}', at) : std::string::npos;
      const auto found = close == std::string::npos
                             ? std::nullopt
                             : value(std::string_view(line).substr(at + 1, close - at - 1));
      out += found ? printable(*found) : std::string(1, line[at]);
      at = found ? close + 1 : at + 1;
    }
    message += printable(trim(out), kMaxLine) + "\r\n";
    if (message.size() > kMaxMessage) break;
  }
  return message;
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "report/sessions_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "report/text.h"

namespace idlewarden {
namespace {

using Json = nlohmann::json;

std::string set_by(const SessionRow& row) {
  if (!row.limit) return "";
  const LimitSource* source = row.verdict->used_source();
  if (source != nullptr && !source->where.file.empty()) return file_line(source->where);
  return row.verdict->decided_by ? std::string(to_string(*row.verdict->decided_by)) : "";
}

// A member that is null or missing is an empty text.
std::string text_of(const Json& object, const char* name, std::size_t limit = kNameLimit) {
  const auto it = object.find(name);
  if (it == object.end() || it->is_null()) return "";
  return printable(it->get_ref<const std::string&>(), limit);
}

// Containers number their terminals as the host does.
std::string place(const std::string& tty, const std::string& container) {
  return container.empty() ? tty : tty + " in " + container;
}

std::optional<Nanoseconds> time_of(const Json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end() || it->is_null()) return std::nullopt;
  constexpr double kMost = 1e9;  // seconds; three decades
  const double seconds = std::clamp(it->get<double>(), -kMost, kMost);
  return Nanoseconds(std::llround(seconds * 1e3) * 1'000'000);
}

SessionLine line_of(const Json& row) {
  SessionLine line{
      .user = text_of(row, "user"),
      .tty = place(text_of(row, "tty"), text_of(row, "container")),
      .from = text_of(row, "remote_addr"),
      .state = text_of(row, "state"),
      .program = text_of(row, "foreground"),
      .set_by = text_of(row, "source", kSentenceLimit),
      .idle = time_of(row, "idle_seconds").value_or(Nanoseconds(0)),
      .limit = {},
      .left = time_of(row, "left_seconds"),
  };
  if (const auto limit = time_of(row, "limit_seconds")) {
    line.limit = std::chrono::floor<Seconds>(*limit);
    if (line.set_by.empty()) line.set_by = text_of(row, "decided_by");
  }
  return line;
}

}  // namespace

std::string scope_text(const std::vector<pid_t>& only_host_pids) {
  if (only_host_pids.empty()) return "";
  return fmt::format("only logins through pid {}", fmt::join(only_host_pids, ", "));
}

SessionsView view_of(const Snapshot& snapshot) {
  SessionsView view{.time = rfc3339(snapshot.wall),
                    .mode = std::string(to_string(snapshot.mode)),
                    .backend = std::string(to_string(snapshot.backend)),
                    .only_host_pids = snapshot.only_host_pids,
                    .sessions = {},
                    .degraded = {}};
  view.sessions.reserve(snapshot.sessions.size());
  for (const SessionRow& row : snapshot.sessions) {
    const Session& s = row.session;
    view.sessions.push_back(
        {.user = printable(s.user, kNameLimit),
         .tty = place(printable(s.tty_name, kNameLimit), printable(s.container, kNameLimit)),
         .from = printable(s.remote ? s.remote->address : "", kNameLimit),
         .state = std::string(to_string(row.state)),
         .program = printable(s.foreground, kNameLimit),
         .set_by = set_by(row),
         .idle = row.idle,
         .limit = row.limit,
         .left = row.left});
  }
  for (const auto& [reason, sentence] : snapshot.degraded) {
    view.degraded.push_back(printable(sentence.empty() ? reason : sentence, kSentenceLimit));
  }
  return view;
}

Result<SessionsView> parse_view(std::string_view json) {
  try {
    const Json all = Json::parse(json);
    SessionsView view{.time = text_of(all, "time"),
                      .mode = text_of(all, "mode"),
                      .backend = text_of(all, "backend"),
                      .only_host_pids = all.value("only_host_pids", std::vector<pid_t>()),
                      .sessions = {},
                      .degraded = {}};
    const Json& sessions = all.at("sessions");
    view.sessions.reserve(sessions.size());
    for (const Json& row : sessions) {
      static_cast<void>(row.at("user"));  // throws if this is no session
      view.sessions.push_back(line_of(row));
    }
    for (const auto& [reason, sentence] : all.at("degraded").items()) {
      view.degraded.push_back(
          sentence.is_string() ? printable(sentence.get_ref<const std::string&>(), kSentenceLimit)
                               : printable(reason));
    }
    return view;
  } catch (const Json::exception& e) {
    return fail("the daemon's answer is not the expected JSON: " + printable(e.what()),
                "is it of the same version?");
  }
}

bool more_urgent(const SessionLine& a, const SessionLine& b) {
  if (a.left.has_value() != b.left.has_value()) return a.left.has_value();
  return a.left ? *a.left < *b.left : a.idle > b.idle;
}

}  // namespace idlewarden

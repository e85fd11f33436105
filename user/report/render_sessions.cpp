// SPDX-License-Identifier: Apache-2.0
// Sessions and status as JSON.
#include "base/text.h"
#include "report/render.h"
#include "report/render_json.h"
#include "report/text.h"

namespace idlewarden {
namespace {

using Json = nlohmann::ordered_json;

void add_daemon(Json& out, const Snapshot& snapshot) {
  out["backend"] = to_string(snapshot.backend);
  out["mode"] = to_string(snapshot.mode);
  out["only_host_pids"] = snapshot.only_host_pids;
  Json degraded = Json::object();
  for (const auto& [reason, sentence] : snapshot.degraded) {
    degraded[printable(reason)] = text_or_null(sentence, kSentenceLimit);
  }
  out["degraded"] = std::move(degraded);
}

}  // namespace

nlohmann::ordered_json session_json(const Snapshot& snapshot, const SessionRow& row) {
  const Session& s = row.session;
  std::optional<std::string> decided_by;
  if (row.verdict->decided_by) decided_by = to_string(*row.verdict->decided_by);
  std::optional<std::int64_t> limit;
  if (row.limit) limit = row.limit->count();
  std::optional<double> left;
  if (row.left) left = to_ms_precision(to_seconds(*row.left));
  std::string source;
  if (const LimitSource* used = row.limit ? row.verdict->used_source() : nullptr) {
    source = file_line(used->where);
  }
  std::optional<std::uint16_t> port;
  if (s.remote) port = s.remote->port;
  std::optional<pid_t> host;
  if (s.host != 0) host = s.host;
  const WallTime last_input =
      snapshot.wall - std::chrono::duration_cast<WallTime::duration>(snapshot.now - row.last_input);
  return {
      {"id", s.id.text()},
      {"kind", to_string(s.kind)},
      {"user", text_or_null(s.user)},
      {"uid", s.uid},
      {"tty", text_or_null(s.tty_name)},
      {"container", text_or_null(s.container)},
      {"leader_pid", s.id.leader},
      {"host_pid", value_or_null(host)},
      {"remote_addr", text_or_null(s.remote ? s.remote->address : "")},
      {"remote_port", value_or_null(port)},
      {"logind_session", text_or_null(s.logind_session.value_or(""))},
      {"logind_class", text_or_null(s.logind_class)},
      {"logind_seat", text_or_null(s.logind_seat)},
      {"started", rfc3339(s.started)},
      {"last_input", rfc3339(last_input)},
      {"idle_seconds", to_ms_precision(to_seconds(row.idle))},
      {"limit_seconds", value_or_null(limit)},
      {"decided_by", value_or_null(decided_by)},
      {"state", to_string(row.state)},
      {"foreground", text_or_null(s.foreground)},
      {"left_seconds", value_or_null(left)},
      {"source", text_or_null(source, kSentenceLimit)},
  };
}

std::string sessions_json(const Snapshot& snapshot) {
  Json out;
  out["sessions"] = Json::array();
  for (const SessionRow& row : snapshot.sessions)
    out["sessions"].push_back(session_json(snapshot, row));
  add_daemon(out, snapshot);
  out["time"] = rfc3339(snapshot.wall);
  return dump(out);
}

std::string status_json(const Snapshot& snapshot) {
  Json out;
  out["version"] = text_or_null(snapshot.version);
  out["time"] = rfc3339(snapshot.wall);
  out["sessions"] = snapshot.sessions.size();
  add_daemon(out, snapshot);
  return dump(out);
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// One live session and why its limit is what it is.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "report/render.h"
#include "report/render_json.h"
#include "report/text.h"

namespace idlewarden {
namespace {

std::string who(const Session& s) {
  std::string out = printable(s.user, kNameLimit);
  if (!s.tty_name.empty()) out += " on " + printable(s.tty_name, kNameLimit);
  out += fmt::format(" ({}", to_string(s.kind));
  if (s.remote) out += " from " + printable(s.remote->address, kNameLimit);
  return out + ")";
}

std::vector<std::string> names_of(const Session& s) {
  return {s.id.text(), std::to_string(s.id.leader), s.tty_name};
}

// What may have been meant instead.
std::string hint(const Snapshot& snapshot, const std::string& name) {
  if (snapshot.sessions.empty()) return "there are no sessions";
  std::vector<std::string> all;
  for (const SessionRow& row : snapshot.sessions) {
    for (std::string& known : names_of(row.session)) all.push_back(std::move(known));
  }
  if (const std::string close = nearest(name, all); !close.empty()) {
    return fmt::format("did you mean {}?", printable(close, kNameLimit));
  }
  std::string some;
  constexpr std::size_t kShown = 5;
  for (std::size_t i = 0; i < std::min(kShown, snapshot.sessions.size()); ++i) {
    const Session& session = snapshot.sessions[i].session;
    some += fmt::format("{}{}: {}", i == 0 ? "" : ", ", session.id.text(), who(session));
  }
  const std::size_t more = snapshot.sessions.size() - std::min(kShown, snapshot.sessions.size());
  return more == 0 ? some : fmt::format("{} and {} more", some, more);
}

}  // namespace

Result<const SessionRow*> find_session(const Snapshot& snapshot, const std::string& name) {
  std::vector<const SessionRow*> found;
  for (const SessionRow& row : snapshot.sessions) {
    const std::vector<std::string> names = names_of(row.session);
    if (!name.empty() && std::ranges::find(names, name) != names.end()) found.push_back(&row);
  }
  if (found.size() == 1) return found.front();
  const std::string shown = printable(name, kNameLimit);
  if (found.empty()) {
    return fail(fmt::format("no session is called \"{}\"", shown), hint(snapshot, name));
  }
  std::string ids;
  for (const SessionRow* row : found) ids += (ids.empty() ? "" : ", ") + row->session.id.text();
  return fail(fmt::format("more than one session is called \"{}\"", shown), ids);
}

std::string explain_session_json(const Snapshot& snapshot, const SessionRow& row) {
  nlohmann::ordered_json out;
  out["session"] = session_json(snapshot, row);
  out.update(verdict_json(*row.verdict));
  return dump(out);
}

std::string explain_session_text(const SessionRow& row) {
  std::string out = fmt::format("Session {}: {}, {}, idle {}", row.session.id.text(),
                                who(row.session), to_string(row.state), short_duration(row.idle));
  if (row.left) out += fmt::format(", {} left", short_duration(*row.left));
  if (row.limit != row.verdict->limit && row.limit) {
    out += fmt::format("\nFor now its limit is {}: one of the rule's jobs runs.",
                       short_duration(*row.limit));
  }
  return out + "\n" + explain_text(*row.verdict);
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/duration.h"
#include "base/text.h"
#include "report/render_lint.h"
#include "report/wrap.h"

namespace idlewarden {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kPath = 4096;
constexpr std::size_t kSentences = 2048;

std::string spoken(ControlStatus status) {
  switch (status) {
    case ControlStatus::met: return "met";
    case ControlStatus::not_met: return "NOT MET";
    case ControlStatus::not_applicable: return "not applicable";
  }
  std::unreachable();
}

bool is_count(const Control& control) {
  return control.setting == "ClientAliveCountMax";
}

std::string amount(const Control& control, std::int64_t value) {
  return is_count(control) ? std::to_string(value) : format_duration(Seconds(value));
}

// "TMOUT at most 10m, read-only, exported".
std::string asked(const Control& control) {
  std::string out = control.setting;
  if (control.at_least && control.at_least == control.at_most) {
    out += " " + amount(control, *control.at_least);
  } else {
    if (control.at_least) out += " at least " + amount(control, *control.at_least);
    if (control.at_most) {
      out += fmt::format("{}at most {}", control.at_least ? ", " : " ",
                         amount(control, *control.at_most));
    }
  }
  if (control.readonly) out += ", read-only";
  if (control.exported) out += ", exported";
  return out;
}

std::string file_and_line(const Where& where) {
  return printable(Where{.file = where.file, .line = where.line}.text(), kPath);
}

std::string evidence_line(const ControlEvidence& evidence) {
  std::string out = evidence.good ? "" : "not so: ";
  if (!evidence.where.file.empty()) out += file_and_line(evidence.where) + ": ";
  if (!evidence.text.empty()) out += printable(evidence.text) + " -- ";
  return out + printable(evidence.says, kSentences);
}

std::string sessions_line(const ControlSessions& sessions) {
  std::string out =
      fmt::format("{}{}: {}", to_string(sessions.kind), sessions.ends ? "" : " stays open",
                  printable(sessions.why, kSentences));
  if (sessions.used) {
    out += fmt::format(
        " ({})", sessions.used->where.file.empty()
                     ? sessions.used->directive
                     : sessions.used->directive + " at " + file_and_line(sessions.used->where));
  }
  return out;
}

std::string control_text(const ControlResult& result, int width) {
  const Control& control = result.control;
  std::string out = wrap(fmt::format("{}  {}", spoken(result.status), printable(control.title)),
                         width, printable(control.id, 64) + "  ") +
                    "\n";
  if (!control.setting.empty()) out += wrap(asked(control), width, "  asks   ") + "\n";
  for (const ControlEvidence& evidence : result.evidence) {
    out += wrap(evidence_line(evidence), width, "  finds  ") + "\n";
  }
  if (control.idle_at_most) {
    out += wrap(fmt::format("{}a session without input ends within {}",
                            control.setting.empty() ? "" : "meant so that ",
                            format_duration(*control.idle_at_most)),
                width, control.setting.empty() ? "  asks   " : "  for    ") +
           "\n";
  }
  for (const ControlSessions& sessions : result.sessions) {
    out += wrap(sessions_line(sessions), width, "  real   ") + "\n";
  }
  return out;
}

// idlewarden's part in it.
std::string own_state(const LintHost& host, const Compliance& compliance) {
  std::string out =
      host.policy_error
          ? "idlewarden here: its policy cannot be read"
          : fmt::format("idlewarden here: {} mode, {}", to_string(host.policy.mode),
                        host.policy.files.empty() ? "no policy file"
                                                  : printable(host.policy.files.front(), kPath));
  out += compliance.service_enabled ? "; its service is enabled"
                                    : "; its service is not enabled in systemd";
  return out;
}

std::size_t count(const Compliance& compliance, ControlStatus status) {
  return static_cast<std::size_t>(
      std::ranges::count(compliance.results, status, &ControlResult::status));
}

Json number_or_null(int number) {
  return number > 0 ? Json(number) : Json(nullptr);
}
Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(printable(text, kPath));
}
Json seconds_or_null(const std::optional<Seconds>& limit) {
  return limit ? Json(limit->count()) : Json(nullptr);
}

Json json(const ControlSessions& sessions) {
  Json out{{"kind", to_string(sessions.kind)},
           {"user", text_or_null(sessions.user)},
           {"ends", sessions.ends},
           {"ended_by", text_or_null(sessions.ended_by)},
           {"why", printable(sessions.why, kSentences)},
           {"limit_seconds", seconds_or_null(sessions.limit)},
           {"decided_by", nullptr},
           {"file", nullptr},
           {"line", nullptr},
           {"text", nullptr}};
  if (sessions.used) {
    out["decided_by"] = to_string(sessions.used->origin);
    out["file"] = text_or_null(sessions.used->where.file);
    out["line"] = number_or_null(sessions.used->where.line);
    out["text"] = text_or_null(sessions.used->text);
  }
  return out;
}

Json json(const ControlResult& result) {
  const Control& control = result.control;
  Json out{{"id", printable(control.id)},
           {"title", printable(control.title)},
           {"status", to_string(result.status)},
           {"reason", text_or_null(result.reason)},
           {"requires", text_or_null(control.setting.empty() ? "" : asked(control))},
           {"evidence", Json::array()},
           {"intent_seconds", seconds_or_null(control.idle_at_most)},
           {"intent_met", nullptr},
           {"sessions", Json::array()}};
  if (!result.sessions.empty()) out["intent_met"] = result.intent_met;
  for (const ControlEvidence& evidence : result.evidence) {
    out["evidence"].push_back({{"good", evidence.good},
                               {"file", text_or_null(evidence.where.file)},
                               {"line", number_or_null(evidence.where.line)},
                               {"text", text_or_null(evidence.text)},
                               {"says", printable(evidence.says, kSentences)}});
  }
  for (const ControlSessions& sessions : result.sessions) {
    out["sessions"].push_back(json(sessions));
  }
  return out;
}

}  // namespace

std::string compliance_text(const LintHost& host, const Compliance& compliance, int width) {
  std::string out;
  std::map<std::string, std::string> elsewhere;  // by the reason
  for (const ControlResult& result : compliance.results) {
    if (result.status != ControlStatus::not_applicable) {
      out += control_text(result, width) + "\n";
      continue;
    }
    std::string& ids = elsewhere[printable(result.reason, 200)];
    ids += (ids.empty() ? "" : ", ") + printable(result.control.id, 64);
  }
  for (const auto& [reason, ids] : elsewhere) {
    out += wrap(fmt::format("Not applicable here, as {}: {}.", reason, ids), width, "") + "\n";
  }
  if (!elsewhere.empty()) out += "\n";
  const std::size_t met = count(compliance, ControlStatus::met);
  const std::size_t asked_for = met + count(compliance, ControlStatus::not_met);
  out += wrap(own_state(host, compliance) + ".", width, "") + "\n";
  if (asked_for == 0) {
    return out + wrap(fmt::format("{} asks nothing of {}: nothing is met.",
                                  printable(compliance.file, kPath), compliance.system),
                      width, "");
  }
  out += wrap(
      fmt::format("{} of {} controls met{}: this host {} {}.", met, asked_for,
                  compliance.system.empty() ? "" : " on " + compliance.system,
                  compliance.met() ? "meets" : "does not meet", printable(compliance.file, kPath)),
      width, "");
  return out;
}

std::string compliance_json(const LintHost& host, const Compliance& compliance) {
  Json out{{"against", printable(compliance.file, kPath)},
           {"met", compliance.met()},
           {"system", text_or_null(compliance.system)},
           {"idlewarden",
            {{"mode", to_string(host.policy.mode)},
             {"files", Json::array()},
             {"error", host.policy_error ? Json(printable(host.policy_error->text(), kSentences))
                                         : Json(nullptr)},
             {"service_enabled", compliance.service_enabled}}},
           {"controls", Json::array()}};
  for (const std::string& file : host.policy.files) {
    out["idlewarden"]["files"].push_back(printable(file, kPath));
  }
  for (const ControlResult& result : compliance.results) out["controls"].push_back(json(result));
  return out.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace idlewarden

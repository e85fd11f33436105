// SPDX-License-Identifier: Apache-2.0
// A verdict as JSON (the form that `explain --json` promises) and as text for a person.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/duration.h"
#include "base/text.h"
#include "report/render.h"
#include "report/render_json.h"
#include "report/wrap.h"

namespace idlewarden {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLineLimit = 256;

Json json_or_null(const std::string& text, std::size_t limit = kLineLimit) {
  return text.empty() ? Json(nullptr) : Json(printable(text, limit));
}

Json json_or_null(const std::optional<Seconds>& limit) {
  return limit ? Json(limit->count()) : Json(nullptr);
}

Json json(const LimitSource& source) {
  Json out{{"source", to_string(source.origin)},
           {"directive", json_or_null(source.directive)},
           {"file", json_or_null(source.where.file, 4096)},
           {"line", source.where.line > 0 ? Json(source.where.line) : Json(nullptr)},
           {"text", json_or_null(source.text)},
           {"limit_seconds", json_or_null(source.limit)},
           {"used", source.used},
           {"reason", printable(source.reason, 1024)}};
  if (source.conditional) out["conditional"] = true;
  return out;
}

std::string place(const LimitSource& source) {
  const std::string file = printable(source.where.file, 4096);
  return source.where.line > 0 ? fmt::format("{}:{}", file, source.where.line) : file;
}

using Row = std::array<std::string, 5>;

Row row(const LimitSource& source) {
  std::string verdict = printable(source.reason, 1024);
  if (source.used) verdict = verdict.empty() ? "used" : "used: " + verdict;
  if (source.conditional) verdict += verdict.empty() ? "conditional" : " (conditional)";
  return {fmt::format("{} {}", source.used ? "*" : " ", to_string(source.origin)), place(source),
          printable(source.text, 60), source.limit ? format_duration(*source.limit) : "-",
          std::move(verdict)};
}

std::string table(const std::vector<LimitSource>& sources) {
  std::vector<Row> rows{{"  SOURCE", "WHERE", "SAYS", "LIMIT", "WHY"}};
  for (const LimitSource& source : sources) rows.push_back(row(source));
  std::array<std::size_t, 5> widths{};
  for (const Row& cells : rows) {
    for (std::size_t i = 0; i < cells.size(); ++i)
      widths[i] = std::max(widths[i], columns(cells[i]));
  }
  std::string out;
  for (const Row& cells : rows) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      line += cells[i] + std::string(widths[i] - columns(cells[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += "\n" + line;
  }
  return out;
}

// How many files may hold a limit, but are not for whoever asks.
std::size_t denied_files(const Verdict& verdict) {
  const std::string denied = ": " + std::generic_category().message(EACCES);
  return static_cast<std::size_t>(
      std::ranges::count_if(verdict.sources, [&](const LimitSource& source) {
        return source.directive.empty() && source.reason.find(denied) != std::string::npos;
      }));
}

std::string headline(const Verdict& verdict) {
  std::string decided;
  if (const LimitSource* used = verdict.used_source()) {
    decided = fmt::format("{} at {}", to_string(used->origin), place(*used));
    if (used->origin == Origin::rule && verdict.rule) {
      decided = fmt::format("rule \"{}\" at {}", printable(*verdict.rule, 60), place(*used));
    }
  }
  if (verdict.limit) {
    return fmt::format("Limit {} ({} s) without input, decided by {}",
                       format_duration(*verdict.limit), verdict.limit->count(), decided);
  }
  if (!decided.empty()) return "No limit, decided by " + decided;
  if (const std::size_t denied = denied_files(verdict); denied > 0) {
    return fmt::format("No limit found, but {} {} could not be read{}", denied,
                       denied == 1 ? "file" : "files", ::geteuid() == 0 ? "" : " (run it as root)");
  }
  return "No limit: nothing here says how long this session may be idle";
}

// What follows from it, a sentence each.
std::vector<std::string> consequences(const Verdict& verdict) {
  std::vector<std::string> out;
  const std::string warned =
      verdict.warn > Seconds(0)
          ? fmt::format("warned {} before the end, then ", format_duration(verdict.warn))
          : "";
  if (verdict.limit || verdict.max_session) {
    if (verdict.action == Action::alert) {
      out.push_back("The rule only asks for an alert: the session is reported, never ended.");
    } else if (verdict.mode == Mode::audit) {
      out.push_back("Audit mode: the session is reported, never ended.");
    } else {
      out.push_back(fmt::format("Enforce mode: the session is {}ended.", warned));
    }
  }
  if (verdict.job_limit) {
    std::vector<std::string> jobs;
    for (const std::string& job : verdict.jobs) jobs.push_back(printable(job, 60));
    out.push_back(verdict.limit
                      ? fmt::format("While {} runs in the foreground, {} instead.",
                                    fmt::join(jobs, " or "), format_duration(*verdict.job_limit))
                      : "The rule's job_limit does nothing here: there is no limit to replace.");
  }
  if (verdict.max_session) {
    out.push_back(fmt::format("The whole session lasts {} at most, idle or not.",
                              format_duration(*verdict.max_session)));
  }
  if (verdict.output_counts) out.push_back("Output counts as activity, too.");
  return out;
}

}  // namespace

nlohmann::ordered_json verdict_json(const Verdict& verdict) {
  Json out{
      {"limit_seconds", json_or_null(verdict.limit)},
      {"decided_by", verdict.decided_by ? Json(to_string(*verdict.decided_by)) : Json(nullptr)},
      {"mode", to_string(verdict.mode)},
      {"action", to_string(verdict.action)},
      {"rule", verdict.rule ? Json(printable(*verdict.rule)) : Json(nullptr)},
      {"sources", Json::array()}};
  for (const LimitSource& source : verdict.sources) out["sources"].push_back(json(source));
  return out;
}

std::string explain_json(const Verdict& verdict) {
  return verdict_json(verdict).dump(2);
}

std::string explain_text(const Verdict& verdict) {
  std::string out = headline(verdict);
  for (const std::string& sentence : consequences(verdict)) out += "\n" + sentence;
  if (!verdict.sources.empty()) out += "\n" + table(verdict.sources);
  return out;
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "report/render_lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "report/wrap.h"

namespace idlewarden {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kPath = 4096;
constexpr std::size_t kSentences = 2048;

Json number_or_null(int number) {
  return number > 0 ? Json(number) : Json(nullptr);
}

Json text_or_null(const std::string& text, std::size_t limit) {
  return text.empty() ? Json(nullptr) : Json(printable(text, limit));
}

std::size_t count(const std::vector<LintFinding>& findings, Severity severity) {
  return static_cast<std::size_t>(std::ranges::count(findings, severity, &LintFinding::severity));
}

std::string counted(std::size_t number, const char* one, const char* many) {
  return fmt::format("{} {}", number, number == 1 ? one : many);
}

std::string finding_text(const LintFinding& finding, int width) {
  std::string out =
      fmt::format("{}: {}: {}\n",
                  finding.where.file.empty() ? "this host" : printable(finding.where.text(), kPath),
                  to_string(finding.severity), finding.id);
  if (!finding.text.empty()) {
    out += wrap(printable(finding.text), width, "  says     ") + "\n";
  }
  out += wrap(printable(finding.does, kSentences), width, "  does     ") + "\n";
  if (!finding.fix.empty()) {
    out += wrap(printable(finding.fix, kSentences), width, "  instead  ") + "\n";
  }
  return out;
}

}  // namespace

std::string lint_text(const LintHost& host, const std::vector<LintFinding>& findings, int width) {
  std::string out;
  for (const LintFinding& finding : findings) out += finding_text(finding, width) + "\n";
  const std::size_t errors = count(findings, Severity::error);
  const std::size_t warnings = count(findings, Severity::warning);
  const std::size_t remarks = count(findings, Severity::info);
  if (errors + warnings == 0) {
    out += "Nothing found: what is set here does what it says";
  } else {
    out += counted(errors, "error", "errors") + ", " + counted(warnings, "warning", "warnings");
  }
  if (remarks > 0) out += "; " + counted(remarks, "remark", "remarks");
  if (host.accounts_left_out > 0) {
    out += fmt::format("; {} not looked at",
                       counted(host.accounts_left_out, "more account", "more accounts"));
  }
  return out;
}

std::string lint_json(const LintHost& host, const std::vector<LintFinding>& findings) {
  Json out{{"findings", Json::array()},
           {"errors", count(findings, Severity::error)},
           {"warnings", count(findings, Severity::warning)},
           {"remarks", count(findings, Severity::info)},
           {"mode", to_string(host.policy.mode)},
           {"openssh", host.version ? Json(host.version->text()) : Json(nullptr)},
           {"accounts_left_out", host.accounts_left_out}};
  for (const LintFinding& finding : findings) {
    out["findings"].push_back({{"id", finding.id},
                               {"severity", to_string(finding.severity)},
                               {"file", text_or_null(finding.where.file, kPath)},
                               {"line", number_or_null(finding.where.line)},
                               {"column", number_or_null(finding.where.column)},
                               {"text", text_or_null(finding.text, 256)},
                               {"does", printable(finding.does, kSentences)},
                               {"fix", printable(finding.fix, kSentences)}});
  }
  return out.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace idlewarden

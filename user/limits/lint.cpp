// SPDX-License-Identifier: Apache-2.0
#include "limits/lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/text.h"
#include "limits/lint_parts.h"

namespace idlewarden {
namespace {

// Where the directive begins in its line; 0 where the line cannot be read again.
int column_of(const Root& root, const Where& where, const std::string& directive) {
  const auto text = root.read(where.file);
  if (!text || where.line < 1) return 0;
  const std::vector<std::string> lines = split(*text, '\n');
  if (static_cast<std::size_t>(where.line) > lines.size()) return 0;
  const std::string line = lower(lines[static_cast<std::size_t>(where.line) - 1]);
  const auto at = line.find(lower(directive));
  return at == std::string::npos ? 0 : static_cast<int>(at) + 1;
}

}  // namespace

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::info: return "info";
    case Severity::warning: return "warning";
    case Severity::error: return "error";
  }
  std::unreachable();
}

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 4;
  const std::size_t shown = names.size() > kMost ? kMost - 1 : names.size();
  std::string out;
  for (std::size_t i = 0; i < shown; ++i) {
    const bool last = i + 1 == names.size();
    out += (i == 0 ? "" : last ? " and " : ", ") + printable(names[i], 64);
  }
  if (shown < names.size()) out += fmt::format(" and {} others", names.size() - shown);
  return out;
}

void LintReport::add(LintFinding finding) {
  const bool known = std::ranges::any_of(findings_, [&](const LintFinding& other) {
    return other.id == finding.id && other.where == finding.where &&
           (finding.where.line > 0 || other.does == finding.does);
  });
  if (!known) findings_.push_back(std::move(finding));
}

void LintReport::add(std::string id, Severity severity, const LimitSource& source, std::string does,
                     std::string fix) {
  Where where = source.where;
  if (where.column == 0) where.column = column_of(host_.root, where, source.directive);
  add({.id = std::move(id),
       .severity = severity,
       .where = std::move(where),
       .text = source.text,
       .does = std::move(does),
       .fix = std::move(fix)});
}

Severity LintReport::weakness(std::initializer_list<Kind> kinds) const {
  const bool all = std::ranges::all_of(kinds, [&](Kind kind) { return enforced(host_, kind); });
  return all ? Severity::info : Severity::warning;
}

std::vector<LintFinding> LintReport::take() {
  std::ranges::stable_sort(findings_, [](const LintFinding& a, const LintFinding& b) {
    return std::tie(b.severity, a.where.file, a.where.line, a.where.column) <
           std::tie(a.severity, b.where.file, b.where.line, b.where.column);
  });
  return std::move(findings_);
}

std::vector<LintFinding> lint(const LintHost& host) {
  LintReport report(host);
  lint_sshd(host, report);
  lint_shells(host, report);
  lint_logind(host, report);
  lint_policy(host, report);
  return report.take();
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "report/page_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "report/text.h"

namespace idlewarden {
namespace {

constexpr std::size_t kSessionsShown = 200;
constexpr int kNearPercent = 75;  // of the limit

// The end that is due is that of the whole session, not of its idle time.
bool ends_by_length(const SessionRow& row) {
  if (!row.left) return false;
  return !row.limit || *row.left + Seconds(1) < *row.limit - row.idle;
}

std::string reason_of(const SessionRow& row) {
  const Verdict& verdict = *row.verdict;
  const std::string rule =
      verdict.rule ? fmt::format("rule \"{}\"", printable(*verdict.rule, kNameLimit)) : "";
  if (ends_by_length(row) && verdict.max_session) {
    return fmt::format("{} in all: max_session of {}", short_duration(*verdict.max_session), rule);
  }
  if (!row.limit) return "";
  std::string why = short_duration(*row.limit) + ": ";
  if (row.limit != verdict.limit) return why + "job_limit of " + rule;
  const LimitSource* source = verdict.used_source();
  if (source == nullptr || source->origin == Origin::rule) {
    return why + (rule.empty() ? "the policy" : rule);
  }
  why += printable(source->directive, kNameLimit);
  if (!source->reason.empty()) why += ", " + printable(source->reason, kNameLimit);
  return why;
}

// How much of its limit a session has used up, in percent; more than 100 once it is past.
int percent_of(const SessionLine& line) {
  if (!line.limit || line.limit->count() <= 0) return 0;
  const double part = to_seconds(line.idle) / to_seconds(*line.limit);
  return static_cast<int>(std::floor(std::clamp(part, 0.0, 10.0) * 100));
}

void add_bar(Html& page, const SessionLine& line) {
  const int percent = percent_of(line);
  page << "<svg class=\"bar";
  if (percent >= 100) {
    page << " over";
  } else if (percent >= kNearPercent) {
    page << " near";
  }
  page << "\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
       << "<rect class=\"track\" width=\"100\" height=\"1\"/>"
       << "<rect class=\"fill\" height=\"1\" width=\"";
  page.say(std::min(percent, 100)) << "\"/></svg>";
}

Markup mark_of(const std::string& state) {
  if (state == "active") return "\u25cb";
  if (state == "warned") return "\u25b2";
  if (state == "held") return "\u25c6";
  if (state == "ending") return "\u2715";
  return "\u25a0";
}

void add_row(Html& page, const PageRow& row) {
  const SessionLine& line = row.line;
  page << "<tr role=\"row\"><th class=\"who\" role=\"rowheader\" scope=\"row\">";
  page.say(line.user) << "<small>";
  page.say(row.kind).say(line.from.empty() ? "" : " from ").say(line.from) << "</small></th>";
  page << "<td class=\"where\" role=\"cell\">";
  page.say(line.tty.empty() ? "no terminal" : line.tty) << "<small>";
  page.say(line.program) << "</small></td><td class=\"idle\" role=\"cell\">";
  page.say("idle ").say(short_duration(line.idle));
  if (line.limit) {
    page.say(" of ").say(short_duration(*line.limit));
    add_bar(page, line);
  }
  const bool over = line.left && *line.left < Nanoseconds(0);
  page << "</td>"
       << (over ? Markup("<td class=\"left over\" role=\"cell\">")
                : Markup("<td class=\"left\" role=\"cell\">"));
  if (!line.left) {
    page.say("no limit");
  } else if (over) {
    page.say(short_duration(-*line.left)).say(" over");
  } else {
    page.say(short_duration(*line.left)).say(" left");
  }
  page << "</td><td class=\"state\" role=\"cell\"><span class=\"badge ";
  page.say(line.state) << "\"><i class=\"mark\" aria-hidden=\"true\">" << mark_of(line.state)
                       << "</i>";
  page.say(line.state) << "</span></td><td class=\"reason\" role=\"cell\">";
  page.say(row.reason.empty() ? "nothing limits it" : row.reason) << "<small>";
  page.say(line.set_by) << "</small></td></tr>\n";
}

}  // namespace

PageRows page_rows(const Snapshot& snapshot) {
  SessionsView view = view_of(snapshot);
  PageRows rows;
  rows.reserve(view.sessions.size());
  for (std::size_t i = 0; i < view.sessions.size(); ++i) {
    const SessionRow& row = snapshot.sessions[i];
    rows.push_back({.line = std::move(view.sessions[i]),
                    .kind = std::string(to_string(row.session.kind)),
                    .reason = reason_of(row)});
  }
  std::ranges::stable_sort(rows, more_urgent, &PageRow::line);
  return rows;
}

void add_session_table(Html& page, const PageRows& rows) {
  page << "<section id=\"sessions\" data-live>";
  if (rows.empty()) {
    page << "<h2>Sessions</h2><p class=\"empty\">Nobody is logged in</p></section>\n";
    return;
  }
  page << "<table role=\"table\"><caption>Sessions <span>what comes next first</span></caption>"
       << "<thead role=\"rowgroup\"><tr role=\"row\">"
       << "<th class=\"who\" role=\"columnheader\" scope=\"col\">User</th>"
       << "<th class=\"where\" role=\"columnheader\" scope=\"col\">Terminal, program</th>"
       << "<th class=\"idle\" role=\"columnheader\" scope=\"col\">Idle of limit</th>"
       << "<th class=\"left\" role=\"columnheader\" scope=\"col\">Left</th>"
       << "<th class=\"state\" role=\"columnheader\" scope=\"col\">State</th>"
       << "<th class=\"reason\" role=\"columnheader\" scope=\"col\">Why this limit</th>"
       << "</tr></thead>\n<tbody role=\"rowgroup\">\n";
  const std::size_t shown = std::min(rows.size(), kSessionsShown);
  for (std::size_t i = 0; i < shown; ++i) add_row(page, rows[i]);
  page << "</tbody></table>";
  if (shown < rows.size()) {
    page << "<p class=\"soft\">and ";
    page.say(rows.size() - shown) << " more: /api/v1/sessions has all of them</p>";
  }
  page << "</section>\n";
}

}  // namespace idlewarden

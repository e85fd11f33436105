// SPDX-License-Identifier: Apache-2.0
#include "report/page.h"

#include <fmt/format.h>
#include <syslog.h>

#include <algorithm>
#include <ranges>

#include "base/text.h"
#include "report/html.h"
#include "report/page_assets.h"
#include "report/page_table.h"
#include "report/sessions_view.h"
#include "report/text.h"

namespace idlewarden {
namespace {

constexpr std::ptrdiff_t kEventsShown = 20;
constexpr std::size_t kNextShown = 3;

std::string plural(std::size_t n, std::string_view one) {
  return fmt::format("{} {}{}", n == 0 ? "no" : std::to_string(n), one, n == 1 ? "" : "s");
}

// "12:06:45Z" of "2026-11-22T12:06:45.123Z"
std::string time_of_day(const std::string& rfc3339_text) {
  return rfc3339_text.substr(11, 8) + "Z";
}

void add_head(Html& page, const Snapshot& s, const PageContext& context) {
  page << "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
       << "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>";
  page.say(printable(context.host, kNameLimit)).say(": ").say(plural(s.sessions.size(), "session"));
  page << " \u2013 idlewarden</title>\n<link rel=\"icon\" href=\"data:,\">\n<style nonce=\"";
  page.say(context.nonce) << "\">";
  page.verbatim(kPageStyle) << "</style>\n</head>\n<body>\n"
                            << "<a class=\"skip\" href=\"#sessions\">To the sessions</a>\n";
}

void add_header(Html& page, const Snapshot& s, const PageContext& context) {
  const std::string time = rfc3339(s.wall);
  page << "<header>\n<h1>idlewarden <span>on ";
  page.say(printable(context.host, kNameLimit)) << "</span></h1>\n<div class=\"refresh\">"
                                                << "<span id=\"refresh-status\" role=\"status\">"
                                                << "</span><span id=\"as-of\" data-live>As of "
                                                << "<time datetime=\"";
  page.say(time) << "\">";
  page.say(time_of_day(time)) << "</time></span>"
                              << "<button id=\"refresh-toggle\" type=\"button\" hidden>Pause"
                              << "</button></div>\n</header>\n";
}

void add_health(Html& page, const Snapshot& s) {
  if (s.degraded.empty()) {
    page << "<section id=\"health\" class=\"health\" aria-live=\"polite\" data-live>"
         << "<p><i class=\"mark good\" aria-hidden=\"true\">\u2713</i>Everything is well</p>"
         << "</section>\n";
    return;
  }
  page << "<section id=\"health\" class=\"health bad\" aria-live=\"polite\" data-live>"
       << "<p><i class=\"mark\" aria-hidden=\"true\">\u26a0</i>Degraded: ";
  page.say(plural(s.degraded.size(), "reason")) << "</p><ul>";
  for (const auto& [reason, sentence] : s.degraded) {
    page << "<li>";
    page.say(printable(sentence.empty() ? reason : sentence, kSentenceLimit)) << "</li>";
  }
  page << "</ul></section>\n";
}

void add_fact(Html& page, Markup name, std::string_view value) {
  page << "<div><dt>" << name << "</dt><dd>";
  page.say(value) << "</dd></div>";
}

void add_facts(Html& page, const Snapshot& s) {
  const auto limited = std::ranges::count_if(
      s.sessions, [](const SessionRow& row) { return row.limit || row.left; });
  page << "<section id=\"facts\" data-live><dl>";
  add_fact(page, "Mode",
           s.mode == Mode::audit ? "audit: sessions are reported, none is ended"
                                 : "enforce: idle sessions are ended");
  add_fact(page, "Sessions", fmt::format("{}, {} with a limit", s.sessions.size(), limited));
  add_fact(page, "Input seen by", to_string(s.backend));
  if (!s.only_host_pids.empty()) add_fact(page, "Scope", scope_text(s.only_host_pids));
  add_fact(page, "Policy",
           fmt::format(
               "{} ago{}",
               short_duration(std::max(WallTime::duration(0), s.wall - s.counters.last_reload_ok)),
               s.counters.last_reload_failed ? "; the last reading was rejected" : ""));
  add_fact(page, "Version", printable(s.version, kNameLimit));
  page << "</dl></section>\n";
}

void add_next(Html& page, const Snapshot& s, const PageRows& rows) {
  page << "<section id=\"next\" aria-labelledby=\"next-title\" data-live><h2 id=\"next-title\">";
  page << (s.mode == Mode::audit ? Markup("What would end next") : Markup("What ends next"));
  page << "</h2>";
  std::size_t past = 0;
  std::size_t shown = 0;
  page << "<ol class=\"next\">";
  for (const PageRow& row : rows) {
    if (!row.line.left) break;  // the others come first
    if (*row.line.left < Nanoseconds(0)) {
      ++past;
      continue;
    }
    if (++shown > kNextShown) break;
    page << "<li><b>";
    page.say(row.line.user) << "</b>";
    if (!row.line.tty.empty()) (page << " on ").say(row.line.tty);
    (page << " in <b>").say(short_duration(*row.line.left)) << "</b> <span class=\"soft\">\u2013 ";
    page.say(row.reason);
    if (!row.line.set_by.empty()) page.say(", ").say(row.line.set_by);
    page << "</span></li>";
  }
  if (past > 0) {
    page << "<li class=\"care\"><i class=\"mark\" aria-hidden=\"true\">\u25b2</i>";
    page.say(plural(past, "session")).say(past == 1 ? " is" : " are") << " beyond the limit</li>";
  }
  if (shown == 0 && past == 0) page << "<li class=\"soft\">Nothing: no session has a limit</li>";
  page << "</ol></section>\n";
}

Markup weight_of(EventType type) {
  const int priority = info_of(type).priority;
  if (priority <= LOG_ERR) return "<li class=\"serious\">";
  if (priority <= LOG_WARNING || type == EventType::terminated) return "<li class=\"notable\">";
  return "<li>";
}

void add_events(Html& page, const std::vector<Event>& events) {
  page << "<section id=\"events\" aria-labelledby=\"events-title\" data-live>"
       << "<h2 id=\"events-title\">Recent events <span>newest first</span></h2>"
       << "<ol class=\"events\">";
  for (const Event& event : events | std::views::reverse | std::views::take(kEventsShown)) {
    const std::string time = rfc3339(event.time);
    page << weight_of(event.type) << "<time datetime=\"";
    page.say(time) << "\">";
    page.say(time_of_day(time)) << "</time><span class=\"what\">";
    page.say(to_string(event.type)) << "</span><span class=\"text\">";
    page.say(to_human_line(event)) << "</span></li>";
  }
  if (events.empty()) page << "<li class=\"soft\">None since the daemon was started</li>";
  page << "</ol></section>\n";
}

void add_link(Html& page, Markup target, const PageContext& context) {
  page << "<a href=\"" << target;
  page.say(context.query) << "\">" << target << "</a> ";
}

}  // namespace

std::string page_policy(const std::string& nonce) {
  return fmt::format(
      "default-src 'none'; style-src 'nonce-{0}'; script-src 'nonce-{0}'; connect-src 'self'; "
      "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      nonce);
}

std::string status_page(const Snapshot& snapshot, const std::vector<Event>& events,
                        const PageContext& context) {
  const PageRows rows = page_rows(snapshot);
  Html page;
  add_head(page, snapshot, context);
  add_header(page, snapshot, context);
  page << "<main>\n";
  add_health(page, snapshot);
  add_facts(page, snapshot);
  add_next(page, snapshot, rows);
  add_session_table(page, rows);
  add_events(page, events);
  page << "</main>\n<footer>";
  add_link(page, "/metrics", context);
  add_link(page, "/healthz", context);
  add_link(page, "/api/v1/sessions", context);
  add_link(page, "/api/v1/events", context);
  add_link(page, "/api/v1/status", context);
  page << "</footer>\n<script nonce=\"";
  page.say(context.nonce) << "\">";
  page.verbatim(kPageScript) << "</script>\n</body>\n</html>\n";
  return page.take();
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// Prometheus metrics. Names and labels are an interface: dashboards and alert rules rest on them.
// Every counter is there from the start, with 0, so that its first increase is seen as one.
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <limits>
#include <sstream>

#include "base/text.h"
#include "report/process_metrics.h"
#include "report/render.h"
#include "report/text.h"

namespace idlewarden {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr std::array kKinds{Kind::ssh,    Kind::ssh_nopty, Kind::mosh,  Kind::dropbear,
                            Kind::telnet, Kind::console,   Kind::serial};
constexpr std::array kStates{State::active, State::warned, State::expired, State::held,
                             State::ending};
constexpr std::array kHappenings{Happened::warned,           Happened::resumed,
                                 Happened::would_terminate,  Happened::terminated,
                                 Happened::terminate_failed, Happened::held};
constexpr std::array kOrigins{Origin::rule, Origin::sshd_config, Origin::tmout, Origin::logind};
// Series per session are for small hosts and have an end.
constexpr std::size_t kMaxSessionSeries = 1000;
const std::vector<double> kIdleBounds{60, 300, 600, 900, 1800, 3600, 14400, 28800, 86400};

std::string label(std::string_view raw) {
  return printable(raw, kNameLimit);
}

class Exposition {
 public:
  MetricFamily& family(std::string name, std::string help, MetricType type) {
    return families_.emplace_back(
        MetricFamily{"idlewarden_" + std::move(name), std::move(help), type, {}});
  }

  void gauge(std::string name, std::string help, double value, Labels labels = {}) {
    add_gauge(family(std::move(name), std::move(help), MetricType::Gauge), std::move(labels),
              value);
  }
  void counter(std::string name, std::string help, double value) {
    add_counter(family(std::move(name), std::move(help), MetricType::Counter), {}, value);
  }
  void histogram(std::string name, std::string help, const Histogram& source) {
    ClientMetric metric;
    ClientMetric::Histogram& out = metric.histogram;
    for (std::size_t i = 0; i < source.counts.size(); ++i) {
      out.sample_count += source.counts[i];
      const double bound =
          i < source.bounds.size() ? source.bounds[i] : std::numeric_limits<double>::infinity();
      out.bucket.push_back({out.sample_count, bound});
    }
    out.sample_sum = source.sum;
    family(std::move(name), std::move(help), MetricType::Histogram).metric.push_back(metric);
  }

  static void add_gauge(MetricFamily& to, Labels labels, double value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.gauge.value = value;
    to.metric.push_back(std::move(metric));
  }
  static void add_counter(MetricFamily& to, Labels labels, double value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.counter.value = value;
    to.metric.push_back(std::move(metric));
  }

  std::vector<MetricFamily>& families() { return families_; }

 private:
  std::vector<MetricFamily> families_;
};

void add_daemon(Exposition& out, const Snapshot& s) {
  out.gauge("build_info", "The running version; always 1.", 1, {{"version", label(s.version)}});
  out.gauge("backend_info", "How input is observed; always 1.", 1,
            {{"backend", std::string(to_string(s.backend))}});
  out.gauge("mode_info", "Whether sessions are ended or only reported; always 1.", 1,
            {{"mode", std::string(to_string(s.mode))}});
  out.gauge("max_terminations_per_minute", "How many ends of sessions may begin in a minute.",
            s.max_terminations_per_minute);
  out.gauge("degraded_reasons", "Reasons why not everything is as it should be; 0 is well.",
            static_cast<double>(s.degraded.size()));
  MetricFamily& degraded = out.family(
      "degraded", "1 for each reason why not everything is as it should be.", MetricType::Gauge);
  for (const auto& [reason, sentence] : s.degraded) {
    Exposition::add_gauge(degraded, {{"reason", label(reason)}}, 1);
  }
}

void add_sessions(Exposition& out, const Snapshot& s) {
  MetricFamily& by_state = out.family("sessions", "Live sessions.", MetricType::Gauge);
  for (const Kind kind : kKinds) {
    for (const State state : kStates) {
      const auto n = std::ranges::count_if(s.sessions, [&](const SessionRow& row) {
        return row.session.kind == kind && row.state == state;
      });
      Exposition::add_gauge(
          by_state,
          {{"kind", std::string(to_string(kind))}, {"state", std::string(to_string(state))}},
          static_cast<double>(n));
    }
  }
  Histogram idle(kIdleBounds);
  for (const SessionRow& row : s.sessions) idle.observe(to_seconds(row.idle));
  out.histogram("session_idle_seconds",
                "How long the live sessions have been without input, as of this scrape (it does "
                "not accumulate).",
                idle);
}

void add_limits(Exposition& out, const Snapshot& s) {
  MetricFamily& limited = out.family(
      "sessions_with_limit",
      "Live sessions that may not be idle for ever, by what set their limit.", MetricType::Gauge);
  for (const Origin origin : kOrigins) {
    const auto n = std::ranges::count_if(s.sessions, [&](const SessionRow& row) {
      return row.limit && row.verdict->decided_by == origin;
    });
    Exposition::add_gauge(limited, {{"decided_by", std::string(to_string(origin))}},
                          static_cast<double>(n));
  }
  Histogram limits(kIdleBounds);
  double overdue = 0;
  Nanoseconds most{0};
  for (const SessionRow& row : s.sessions) {
    if (row.limit) limits.observe(to_seconds(*row.limit));
    if (!row.left || *row.left >= Nanoseconds(0)) continue;
    ++overdue;
    most = std::max(most, -*row.left);
  }
  out.histogram("session_limit_seconds",
                "How long the live sessions may be without input, as of this scrape (it does not "
                "accumulate).",
                limits);
  out.gauge("sessions_overdue", "Live sessions that are beyond their limit.", overdue);
  out.gauge("session_overdue_max_seconds",
            "How far the live session that is furthest beyond its limit is beyond it; 0: none is.",
            to_ms_precision(to_seconds(most)));
}

void add_events(Exposition& out, const Snapshot& s) {
  Counters::ByDecision zeros;
  for (const Origin origin : kOrigins) {
    for (const Kind kind : kKinds) zeros.emplace(std::pair(to_string(origin), to_string(kind)), 0);
  }
  std::map<std::string, Counters::ByDecision> events;
  for (const Happened happened : kHappenings) events.emplace(to_string(happened), zeros);
  for (const auto& [event, counts] : s.counters.transitions) {
    for (const auto& [key, n] : counts) events[event][key] = n;
  }
  MetricFamily& total = out.family(
      "events_total", "What happened to sessions, by what set their limit.", MetricType::Counter);
  for (const auto& [event, counts] : events) {
    for (const auto& [key, n] : counts) {
      Exposition::add_counter(
          total,
          {{"event", label(event)}, {"decided_by", label(key.first)}, {"kind", label(key.second)}},
          static_cast<double>(n));
    }
  }
  out.counter("events_dropped_total",
              "Events that could not be written to the journal or the events file.",
              static_cast<double>(s.dropped_events));
}

void add_hook(Exposition& out, const HookCounts& hook) {
  MetricFamily& runs = out.family("hook_runs_total", "Runs of the program that is told of events.",
                                  MetricType::Counter);
  Exposition::add_counter(runs, {{"result", "ok"}}, static_cast<double>(hook.ok));
  Exposition::add_counter(runs, {{"result", "failed"}}, static_cast<double>(hook.failed));
  Exposition::add_counter(runs, {{"result", "timeout"}}, static_cast<double>(hook.timed_out));
  out.counter("hook_events_dropped_total",
              "Events that the program was not told of: too many waited for it.",
              static_cast<double>(hook.dropped));
}

void add_work(Exposition& out, const Snapshot& s) {
  const Counters& c = s.counters;
  out.histogram("termination_lateness_seconds", "From a session's deadline to its observed end.",
                c.lateness);
  out.counter("inputs_total", "Times that somebody typed.", static_cast<double>(s.inputs));
  out.counter("ignored_replies_total",
              "Times that a terminal answered by itself, which is not input.",
              static_cast<double>(s.replies));
  out.histogram("scan_duration_seconds", "Reading the table of sessions from the kernel.",
                c.scan_seconds);
  out.counter("scan_failures_total", "Reads of the table of sessions that failed.",
              static_cast<double>(c.scans_failed));
  out.histogram("decision_duration_seconds", "Judging all sessions once.", c.decision_seconds);

  MetricFamily& reloads = out.family(
      "policy_reloads_total", "Times that the configuration was read again.", MetricType::Counter);
  Exposition::add_counter(reloads, {{"result", "success"}}, static_cast<double>(c.reloads_ok));
  Exposition::add_counter(reloads, {{"result", "failure"}}, static_cast<double>(c.reloads_failed));
  out.gauge("policy_last_reload_successful",
            "Whether the configuration could be read when it was last read again; 1 before that.",
            c.last_reload_failed ? 0 : 1);
  out.gauge("policy_last_reload_success_timestamp_seconds",
            "When all of the configuration could be read last; at first, when the daemon started.",
            std::chrono::duration<double>(c.last_reload_ok.time_since_epoch()).count());
}

void add_each_session(Exposition& out, const Snapshot& s) {
  std::vector<const SessionRow*> rows;
  for (const SessionRow& row : s.sessions) rows.push_back(&row);
  std::ranges::sort(rows, std::ranges::greater(), &SessionRow::idle);
  if (rows.size() > kMaxSessionSeries) rows.resize(kMaxSessionSeries);

  MetricFamily idle{"idlewarden_each_session_idle_seconds",
                    "How long this session has been without input (the 1000 idlest).",
                    MetricType::Gauge,
                    {}};
  MetricFamily limit{"idlewarden_each_session_limit_seconds",
                     "How long this session may be without input; absent where nothing limits it.",
                     MetricType::Gauge,
                     {}};
  for (const SessionRow* row : rows) {
    const Labels labels{{"session", row->session.id.text()},
                        {"user", label(row->session.user)},
                        {"tty", label(row->session.tty_name)},
                        {"kind", std::string(to_string(row->session.kind))}};
    Exposition::add_gauge(idle, labels, to_ms_precision(to_seconds(row->idle)));
    if (row->limit) Exposition::add_gauge(limit, labels, static_cast<double>(row->limit->count()));
  }
  out.families().push_back(std::move(idle));
  out.families().push_back(std::move(limit));
}

}  // namespace

std::string metrics_text(const Snapshot& snapshot, bool name_people) {
  Exposition out;
  add_daemon(out, snapshot);
  add_sessions(out, snapshot);
  add_limits(out, snapshot);
  add_events(out, snapshot);
  add_hook(out, snapshot.hook);
  add_work(out, snapshot);
  if (snapshot.per_session_metrics && name_people) add_each_session(out, snapshot);
  std::ranges::move(process_metrics(snapshot.wall, snapshot.now),
                    std::back_inserter(out.families()));
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, out.families());
  return std::move(text).str();
}

}  // namespace idlewarden

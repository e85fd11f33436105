// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "base/text.h"
#include "report/render.h"
#include "samples.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Series to value, as the text has them.
std::map<std::string, std::string> series_of(const std::string& text) {
  std::map<std::string, std::string> out;
  for (const std::string& line : split(text, '\n')) {
    if (line.empty() || line.starts_with('#')) continue;
    const auto blank = line.rfind(' ');
    EXPECT_TRUE(out.emplace(line.substr(0, blank), line.substr(blank + 1)).second)
        << "twice: " << line;
  }
  return out;
}

TEST(Metrics, CountersStartAtZero) {
  const auto series = series_of(metrics_text(test::empty_snapshot()));
  for (const char* event :
       {"warned", "resumed", "would_terminate", "terminated", "terminate_failed", "held"}) {
    for (const char* by : {"rule", "sshd_config", "tmout", "logind"}) {
      for (const char* kind :
           {"ssh", "ssh-nopty", "mosh", "dropbear", "telnet", "console", "serial"}) {
        const std::string name = std::string("idlewarden_events_total{event=\"") + event +
                                 "\",decided_by=\"" + by + "\",kind=\"" + kind + "\"}";
        ASSERT_TRUE(series.contains(name)) << name;
        EXPECT_EQ(series.at(name), "0");
      }
    }
  }
  for (const char* name :
       {"idlewarden_inputs_total", "idlewarden_ignored_replies_total",
        "idlewarden_scan_failures_total", "idlewarden_events_dropped_total",
        "idlewarden_hook_runs_total{result=\"ok\"}", "idlewarden_hook_events_dropped_total",
        "idlewarden_policy_reloads_total{result=\"success\"}",
        "idlewarden_policy_reloads_total{result=\"failure\"}",
        "idlewarden_termination_lateness_seconds_count",
        "idlewarden_termination_lateness_seconds_bucket{le=\"+Inf\"}",
        "idlewarden_scan_duration_seconds_count", "idlewarden_decision_duration_seconds_count",
        "idlewarden_sessions{kind=\"ssh\",state=\"active\"}",
        "idlewarden_sessions_with_limit{decided_by=\"tmout\"}",
        "idlewarden_session_limit_seconds_count", "idlewarden_sessions_overdue",
        "idlewarden_session_overdue_max_seconds", "idlewarden_degraded_reasons"}) {
    ASSERT_TRUE(series.contains(name)) << name;
    EXPECT_EQ(series.at(name), "0") << name;
  }
}

TEST(Metrics, ShowTheSnapshot) {
  Snapshot s = test::small_snapshot();
  s.mode = Mode::enforce;
  s.inputs = 12345678901;
  s.replies = 7;
  s.dropped_events = 2;
  s.hook = {.ok = 4, .failed = 5, .timed_out = 6, .dropped = 8};
  s.degraded["pins"] = "bpffs is not mounted";
  s.counters.transitions["terminated"][{"tmout", "ssh"}] = 3;
  s.counters.lateness.observe(0.04);
  s.counters.lateness.observe(0.5);
  s.counters.lateness.observe(60);
  s.counters.reloads_failed = 1;
  s.counters.last_reload_failed = true;
  s.max_terminations_per_minute = 7;
  const auto series = series_of(metrics_text(s));
  const std::map<std::string, std::string> expected{
      {"idlewarden_build_info{version=\"0.1.0\"}", "1"},
      {"idlewarden_backend_info{backend=\"fentry\"}", "1"},
      {"idlewarden_mode_info{mode=\"enforce\"}", "1"},
      {"idlewarden_degraded{reason=\"pins\"}", "1"},
      {"idlewarden_sessions{kind=\"ssh\",state=\"active\"}", "1"},
      {"idlewarden_sessions{kind=\"ssh\",state=\"expired\"}", "1"},
      {"idlewarden_sessions{kind=\"console\",state=\"active\"}", "1"},
      {"idlewarden_sessions_with_limit{decided_by=\"sshd_config\"}", "2"},
      {"idlewarden_sessions_with_limit{decided_by=\"rule\"}", "0"},
      {"idlewarden_session_limit_seconds_bucket{le=\"300\"}", "0"},
      {"idlewarden_session_limit_seconds_bucket{le=\"600\"}", "2"},
      {"idlewarden_session_limit_seconds_count", "2"},
      {"idlewarden_session_limit_seconds_sum", "1200"},
      {"idlewarden_sessions_overdue", "1"},
      {"idlewarden_session_overdue_max_seconds", "10"},
      {"idlewarden_max_terminations_per_minute", "7"},
      {"idlewarden_degraded_reasons", "1"},
      {"idlewarden_session_idle_seconds_bucket{le=\"600\"}", "1"},
      {"idlewarden_session_idle_seconds_bucket{le=\"900\"}", "2"},
      {"idlewarden_session_idle_seconds_count", "3"},
      {"idlewarden_events_total{event=\"terminated\",decided_by=\"tmout\",kind=\"ssh\"}", "3"},
      {"idlewarden_events_dropped_total", "2"},
      {"idlewarden_hook_runs_total{result=\"ok\"}", "4"},
      {"idlewarden_hook_runs_total{result=\"failed\"}", "5"},
      {"idlewarden_hook_runs_total{result=\"timeout\"}", "6"},
      {"idlewarden_hook_events_dropped_total", "8"},
      {"idlewarden_termination_lateness_seconds_bucket{le=\"0.1\"}", "1"},
      {"idlewarden_termination_lateness_seconds_bucket{le=\"0.5\"}", "2"},
      {"idlewarden_termination_lateness_seconds_bucket{le=\"5\"}", "2"},
      {"idlewarden_termination_lateness_seconds_bucket{le=\"+Inf\"}", "3"},
      {"idlewarden_termination_lateness_seconds_count", "3"},
      {"idlewarden_inputs_total", "12345678901"},
      {"idlewarden_ignored_replies_total", "7"},
      {"idlewarden_policy_reloads_total{result=\"failure\"}", "1"},
      {"idlewarden_policy_last_reload_successful", "0"},
      {"idlewarden_policy_last_reload_success_timestamp_seconds", "1795348500"},
  };
  for (const auto& [name, value] : expected) {
    ASSERT_TRUE(series.contains(name)) << name;
    EXPECT_EQ(series.at(name), value) << name;
  }
}

TEST(Metrics, HaveTheProcess) {
  const auto series = series_of(metrics_text(test::empty_snapshot()));
  for (const char* name : {"process_cpu_seconds_total", "process_resident_memory_bytes",
                           "process_virtual_memory_bytes", "process_open_fds", "process_max_fds",
                           "process_start_time_seconds"}) {
    ASSERT_TRUE(series.contains(name)) << name;
    EXPECT_GT(std::stod(series.at(name)), 0) << name;
  }
}

TEST(Metrics, ShowNoSingleSessionUnlessAsked) {
  Snapshot s = test::small_snapshot();
  EXPECT_THAT(metrics_text(s), Not(HasSubstr("alice")));
  s.per_session_metrics = true;
  const auto series = series_of(metrics_text(s));
  const std::string labels = "{session=\"" + s.sessions[0].session.id.text() +
                             "\",user=\"alice\",tty=\"pts/3\",kind=\"ssh\"}";
  EXPECT_EQ(series.at("idlewarden_each_session_idle_seconds" + labels), "492");
  EXPECT_EQ(series.at("idlewarden_each_session_limit_seconds" + labels), "600");
  EXPECT_THAT(metrics_text(s, false), Not(HasSubstr("alice")));
}

TEST(Metrics, StayBounded) {
  Snapshot s = test::empty_snapshot();
  s.per_session_metrics = true;
  for (int i = 0; i < 5000; ++i) {
    s.sessions.push_back(
        test::row_of(s, {.user = "u" + std::to_string(i), .idle = Seconds(i), .leader = i + 1}));
  }
  EXPECT_LT(series_of(metrics_text(s)).size(), 2500U);
  s.per_session_metrics = false;
  EXPECT_LT(series_of(metrics_text(s)).size(), 300U);
}

TEST(Metrics, AreCleanForPromtool) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "promtool is missing (Debian package prometheus)";
  }
  Snapshot s = test::small_snapshot();
  s.per_session_metrics = true;
  s.degraded[test::kHostile] = "a reason";
  s.sessions.push_back(test::row_of(s, {.user = test::kHostile, .leader = 5}));
  s.counters.lateness.observe(0.2);
  for (const Snapshot& snapshot : {test::empty_snapshot(), s}) {
    const test::TempDir dir;
    const std::string input = dir.file("metrics", metrics_text(snapshot));
    const std::string output = dir.path() + "/out";
    const int status =
        std::system(("promtool check metrics <" + input + " >" + output + " 2>&1").c_str());
    std::ostringstream said;
    said << std::ifstream(output).rdbuf();
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_THAT(said.str(), IsEmpty());
  }
}

}  // namespace
}  // namespace idlewarden

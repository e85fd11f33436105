// SPDX-License-Identifier: Apache-2.0
// The daemon watched by those that watch daemons: a real Prometheus that scrapes it and evaluates
// the shipped alert rules, a real Alertmanager behind it, and each query of the shipped dashboard.
#include <gmock/gmock.h>
#include <signal.h>

#include <cmath>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "e2e/e2e.h"
#include "support/doors.h"
#include "support/http.h"

namespace idlewarden::test {
namespace {

using Json = nlohmann::json;
using ::testing::IsSupersetOf;

const std::string kRules = IDLEWARDEN_PACKAGING "/prometheus/idlewarden.rules.yml";
const std::string kDashboard = IDLEWARDEN_PACKAGING "/grafana/idlewarden.json";
// Alice is ended, Bob stays. A whole second between two scrapes is enough for what is counted here.
const std::string kPolicy =
    "mode = \"enforce\"\nwarn = \"0s\"\ngrace = \"1s\"\n"
    "[metrics]\nper_session = true\n"
    "[[rule]]\nname = \"short\"\nmatch = { users = [\"iwalice\"] }\nlimit = \"5s\"\n"
    "[[rule]]\nname = \"long\"\nlimit = \"1h\"\n";

std::string at(int port) {
  return "127.0.0.1:" + std::to_string(port);
}

std::string content_of(const std::string& file) {
  std::ostringstream out;
  out << std::ifstream(file).rdbuf();
  if (out.str().empty()) throw std::runtime_error("nothing in " + file);
  return out.str();
}

class Alertmanager {
 public:
  Alertmanager(const std::string& executable, int webhook) : port_(free_port()) {
    const std::string config = dir_.file(
        "config.yml",
        "route: { receiver: hook, group_wait: 0s, group_interval: 1s, group_by: ['...'] }\n"
        "receivers: [{ name: hook, webhook_configs: [{ url: 'http://" +
            at(webhook) + "/' }] }]\n");
    process_ = std::make_unique<Process>(
        std::vector<std::string>{executable, "--config.file=" + config,
                                 "--storage.path=" + dir_.path() + "/data",
                                 "--web.listen-address=" + at(port_), "--cluster.listen-address="},
        dir_.path() + "/log");
    if (!wait_for_http(port_, "/-/ready", 60s)) {
      throw std::runtime_error("Alertmanager: " + content_of(dir_.path() + "/log"));
    }
  }
  int port() const noexcept { return port_; }

 private:
  TempDir dir_;
  int port_;
  std::unique_ptr<Process> process_;
};

class Prometheus {
 public:
  Prometheus(int target, int alertmanager) : port_(free_port()) {
    const std::string config =
        dir_.file("config.yml",
                  "global: { scrape_interval: 1s, evaluation_interval: 1s }\n"
                  "rule_files: ['" +
                      kRules +
                      "']\n"
                      "alerting: { alertmanagers: [{ static_configs: [{ targets: ['" +
                      at(alertmanager) +
                      "'] }] }] }\n"
                      "scrape_configs: [{ job_name: idlewarden, static_configs: [{ targets: ['" +
                      at(target) + "'] }] }]\n");
    process_ = std::make_unique<Process>(
        std::vector<std::string>{"prometheus", "--config.file=" + config,
                                 "--storage.tsdb.path=" + dir_.path() + "/data",
                                 "--web.listen-address=" + at(port_)},
        dir_.path() + "/log");
    if (!wait_for_http(port_, "/-/ready", 60s)) {
      throw std::runtime_error("Prometheus: " + content_of(dir_.path() + "/log"));
    }
  }

  Json api(const std::string& target) const {
    return http_json("GET", port_, "/api/v1/" + target)["data"];
  }
  Json query(const std::string& expression) const {
    return api("query?query=" + percent_encoded(expression))["result"];
  }
  // Once it is so.
  bool wait_for(const std::string& expression, std::chrono::seconds timeout,
                const std::function<bool(const Json&)>& so) const {
    const auto until = std::chrono::steady_clock::now() + patience(timeout);
    while (!so(query(expression))) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(250ms);
    }
    return true;
  }
  std::set<std::string> metric_names() const {
    return api("label/__name__/values").get<std::set<std::string>>();
  }

 private:
  TempDir dir_;
  int port_;
  std::unique_ptr<Process> process_;
};

// A result that a panel can draw.
bool has_data(const Json& result) {
  for (const Json& series : result) {
    const std::string value = series["value"][1];
    if (std::isfinite(std::stod(value))) return true;
  }
  return false;
}

void replace_all(std::string& text, const std::string& what, const std::string& with) {
  for (auto found = text.find(what); found != std::string::npos;
       found = text.find(what, found + with.size())) {
    text.replace(found, what.size(), with);
  }
}

// What Grafana makes of a query before it asks.
std::string as_grafana_asks(std::string expression) {
  replace_all(expression, "$__rate_interval", "2m");
  replace_all(expression, "$__range", "10m");
  replace_all(expression, "$job", "idlewarden");
  replace_all(expression, "$instance", ".*");
  return expression;
}

std::set<std::string> names_in(const std::string& text) {
  static const std::regex kName("(idlewarden|process)_[a-z_]+");
  return {std::sregex_token_iterator(text.begin(), text.end(), kName), {}};
}

class Watchers : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string why = missing({"prometheus", "promtool", "prometheus-alertmanager"});
    if (!why.empty()) {
      GTEST_SKIP() << why << " (Debian packages prometheus, prometheus-alertmanager)";
    }
  }
};

// One case: it takes its time to have something of everything.
TEST_F(Watchers, ScrapeAlertAndDraw) {
  const SshServer server("");
  const Account alice = add_account("iwalice");
  const Account bob = add_account("iwbob");
  server.authorize(alice);
  server.authorize(bob);
  const int port = free_port();
  const MonitorProcess monitor({.policy = kPolicy,
                                .backend = backends().front(),
                                .only_host_pids = {server.pid()},
                                .more = {},
                                .metrics_listen = at(port)});
  const WebhookReceiver webhook;
  const Alertmanager alertmanager("prometheus-alertmanager", webhook.port());
  const Prometheus prometheus(port, alertmanager.port());
  ASSERT_TRUE(prometheus.wait_for("up{job=\"idlewarden\"} == 1", 30s, has_data))
      << prometheus.api("targets").dump(2);

  SshLogin working(server, bob);
  SshLogin idle(server, alice);
  ASSERT_FALSE(monitor.wait_event("terminated", 30s).is_null()) << monitor.log();
  working.command("true");
  monitor.write_policy("mode = \"enforce\"\nwarm = \"5s\"\n");
  monitor.process().signal(SIGHUP);
  ASSERT_FALSE(monitor.wait_event("config_rejected", 10s).is_null()) << monitor.log();

  // What happened is what Prometheus has.
  const std::string ended =
      "sum(idlewarden_events_total{event=\"terminated\",decided_by=\"rule\",kind=\"ssh\"}) == 1";
  EXPECT_TRUE(prometheus.wait_for(ended, 30s, has_data));
  EXPECT_TRUE(prometheus.wait_for("idlewarden_sessions{kind=\"ssh\",state=\"active\"} == 1", 30s,
                                  has_data));
  EXPECT_TRUE(prometheus.wait_for("idlewarden_each_session_limit_seconds{user=\"iwbob\"} == 3600",
                                  30s, has_data));
  EXPECT_TRUE(prometheus.wait_for("idlewarden_inputs_total > 0", 30s, has_data));
  EXPECT_TRUE(
      prometheus.wait_for("idlewarden_degraded{reason=\"policy_rejected\"} == 1", 30s, has_data));

  // The alert goes all the way to whoever carries a pager.
  const auto told = [&] {
    for (const Json& message : webhook.received()) {
      for (const Json& alert : message["alerts"]) {
        if (alert["labels"]["alertname"] == "IdlewardenPolicyRejected") return alert;
      }
    }
    return Json();
  };
  for (int i = 0; i < 600 && told().is_null(); ++i) std::this_thread::sleep_for(100ms);
  const Json alert = told();
  ASSERT_FALSE(alert.is_null()) << prometheus.api("alerts").dump(2);
  EXPECT_EQ(alert["status"], "firing");
  EXPECT_EQ(alert["labels"]["instance"], at(port));
  EXPECT_EQ(alert["annotations"]["summary"],
            "idlewarden on " + at(port) + " rejected its configuration");

  // Every series that a rule or a panel names is there, and every panel has something to draw.
  const std::string dashboard = content_of(kDashboard);
  const std::set<std::string> names = prometheus.metric_names();
  EXPECT_THAT(names, IsSupersetOf(names_in(content_of(kRules).substr(300))));
  int queries = 0;
  const Json parsed = Json::parse(dashboard);
  for (const Json& panel : parsed["panels"]) {
    for (const Json& target : panel.value("targets", Json::array())) {
      ++queries;
      const std::string asked = as_grafana_asks(target["expr"]);
      EXPECT_THAT(names, IsSupersetOf(names_in(asked)));
      EXPECT_TRUE(prometheus.wait_for(asked, 20s, has_data))
          << panel["title"] << ": " << asked << "\n"
          << prometheus.query(asked).dump(2);
    }
  }
  EXPECT_GT(queries, 20);

  // Prometheus' own opinion of the text.
  const TempDir dir;
  const std::string scraped = dir.file("metrics", http_get(port, "/metrics").body);
  const Finished checked = run({"sh", "-c", "promtool check metrics <\"$0\"", scraped});
  EXPECT_EQ(checked.status, 0) << checked.output;
  EXPECT_EQ(checked.output, "");

  monitor.write_policy(kPolicy);
  monitor.process().signal(SIGHUP);
  EXPECT_TRUE(prometheus.wait_for("ALERTS{alertname=\"IdlewardenPolicyRejected\"}", 30s,
                                  [](const Json& result) { return result.empty(); }));
}

}  // namespace
}  // namespace idlewarden::test

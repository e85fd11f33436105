// SPDX-License-Identifier: Apache-2.0
// [hooks]: the real daemon runs a real program for what happens to a real login.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "e2e/e2e.h"

namespace idlewarden::test {
namespace {

using Json = MonitorProcess::Json;

class Hook : public Scaled {
 protected:
  std::string program(const std::string& script) const {
    return dir_.file("hook", "#!/bin/bash\n" + script, 0755);
  }
  static std::string policy(const std::string& hooks) {
    return kAudit + std::string("[hooks]\n") + hooks;
  }
  std::string file(const std::string& name) const { return dir_.path() + "/" + name; }
  std::vector<Json> told() const {
    std::vector<Json> all;
    std::ifstream in(file("told"));
    for (std::string line; std::getline(in, line);) {
      if (!in.eof()) all.push_back(Json::parse(line));
    }
    return all;
  }
  Json wait_told(const std::string& type) const {
    const auto until = std::chrono::steady_clock::now() + 30s;
    while (std::chrono::steady_clock::now() < until) {
      for (Json& event : told()) {
        if (event["event"] == type) return event;
      }
      std::this_thread::sleep_for(20ms);
    }
    return nullptr;
  }

  const TempDir dir_;
};
// What is told does not depend on how input is seen.
INSTANTIATE_TEST_SUITE_P(Backends, Hook, testing::Values(backends().front()), backend_name);

TEST_P(Hook, IsToldWhatTheEventsFileIsTold) {
  const std::string hook = program("cat >>" + file("told"));
  MonitorProcess monitor(watching(policy("on_event = \"" + hook + "\"\n")));
  const SshLogin login(server, account);
  const Json started = monitor.wait_event("session_started", 20s);
  ASSERT_FALSE(started.is_null()) << monitor.log();
  EXPECT_EQ(wait_told("session_started"), started) << monitor.log();
  const Json ended = monitor.wait_event("would_terminate", 40s);
  ASSERT_FALSE(ended.is_null()) << monitor.log();
  EXPECT_EQ(wait_told("would_terminate"), ended) << monitor.log();
  EXPECT_EQ(told(), monitor.events());
  EXPECT_EQ(monitor.sessions()["degraded"], Json::object());
}

TEST_P(Hook, ChangesWithThePolicy) {
  const std::string hook = program("cat >>" + file("told"));
  MonitorProcess monitor(watching(kAudit));
  monitor.write_policy(policy("on_event = \"" + hook + "\"\nevents = [\"config_reloaded\"]\n"));
  EXPECT_FALSE(wait_told("config_reloaded").is_null()) << monitor.log();

  // One that anybody can replace is refused, and the good one stays.
  const std::string bad = dir_.file("bad", "#!/bin/bash\ntouch " + file("owned") + "\n", 0777);
  monitor.write_policy(policy("on_event = \"" + bad + "\"\n"));
  const Json rejected = monitor.wait_event("config_rejected", 20s);
  ASSERT_FALSE(rejected.is_null()) << monitor.log();
  EXPECT_NE(rejected["detail"].get<std::string>().find("can be written by others than root"),
            std::string::npos)
      << rejected;
  monitor.write_policy(policy("on_event = \"" + hook + "\"\n"));
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (told().size() < 2 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_EQ(told().size(), 2U) << monitor.log();
  EXPECT_NE(::access(file("owned").c_str(), F_OK), 0) << "the refused program was run";
}

TEST_P(Hook, ThatHangsDelaysNoEnd) {
  const std::string hook = program("echo >>" + file("begun") + "; sleep 600");
  MonitorProcess monitor(watching(std::string(kEnforce) + "[hooks]\non_event = \"" + hook +
                                  "\"\ntimeout = \"300s\"\n"));
  const SshLogin login(server, account);
  const Json ended = monitor.wait_event("terminated", 60s);
  ASSERT_FALSE(ended.is_null()) << monitor.log();
  EXPECT_LE(ended["lateness_seconds"].get<double>(), seconds(lateness_allowed())) << ended;
  EXPECT_EQ(std::filesystem::file_size(file("begun")), 1U) << "one at a time";
  EXPECT_EQ(monitor.process().stop(20s), 0) << "it held up the end of the daemon";
}

TEST_P(Hook, ThatFailsIsShown) {
  const std::string hook = program("echo 'no route to host' >&2; exit 7");
  MonitorProcess monitor(watching(policy("on_event = \"" + hook + "\"\n")));
  const auto until = std::chrono::steady_clock::now() + 20s;
  Json degraded;
  do {
    degraded = monitor.sessions()["degraded"];
    std::this_thread::sleep_for(50ms);
  } while (!degraded.contains("hook") && std::chrono::steady_clock::now() < until);
  EXPECT_EQ(degraded["hook"],
            "the hook " + hook + ": exit status 7, having said \"no route to host\"");
  EXPECT_NE(monitor.log().find("no route to host"), std::string::npos) << monitor.log();
  EXPECT_NE(monitor.metrics().find("idlewarden_hook_runs_total{result=\"failed\"}"),
            std::string::npos);
}

}  // namespace
}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// `idlewarden whatif`: real sessions, a real daemon, and a restart between.
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "e2e/e2e.h"

namespace idlewarden::test {
namespace {

using Json = MonitorProcess::Json;

class WhatIfProgram : public Scaled {
 protected:
  MonitorOptions keeping() const {
    MonitorOptions options = watching("mode = \"audit\"\nwarn = \"5s\"\n");
    options.state_dir = dir.path() + "/state";
    return options;
  }
  Json ask(std::vector<std::string> more) const {
    std::vector<std::string> argv{binary(), "whatif", "--json", "--limit", "5s,10s"};
    argv.insert(argv.end(), more.begin(), more.end());
    const Finished asked = run(argv);
    if (asked.status != 0) throw std::runtime_error("whatif: " + asked.output);
    return Json::parse(asked.output);
  }

  TempDir dir;
};
INSTANTIATE_TEST_SUITE_P(Backends, WhatIfProgram, testing::ValuesIn(backends()), backend_name);

// alice waits 7 s (5 s would have ended her session) and types; bob logs in, and nobody types any
// more: bob's idle time runs on over a restart of the daemon.
TEST_P(WhatIfProgram, CountsSessionsAndUsersOverARestart) {
  const Account bob = add_account("iwbob");
  server.authorize(bob);
  MonitorOptions options = keeping();
  const std::string pins = dir.path() + "/bpf";
  ASSERT_EQ(::mkdir(pins.c_str(), 0700), 0);
  const bool pinned = ::mount("bpf", pins.c_str(), "bpf", 0, nullptr) == 0;
  if (pinned) options.pin_dir = pins + "/idlewarden";

  auto monitor = std::make_unique<MonitorProcess>(options);
  auto alice = std::make_unique<SshLogin>(server, account);
  ASSERT_FALSE(monitor->wait_event("session_started", 10s).is_null()) << monitor->log();
  alice->command("true");
  std::this_thread::sleep_for(7s);
  alice->command("true");
  SshLogin sleeper(server, bob);
  sleeper.command("true");
  std::this_thread::sleep_for(4s);

  const Json before = ask({"--socket", monitor->socket()});
  EXPECT_EQ(before["sessions"], 2) << before.dump(2);
  EXPECT_EQ(before["live_sessions"], 2);
  EXPECT_EQ(before["limits"][0]["limit_seconds"], 5);
  EXPECT_EQ(before["limits"][0]["ended"], 1) << before.dump(2);
  EXPECT_EQ(before["limits"][1]["ended"], 0);
  EXPECT_EQ(before["limits"][1]["warned"], 1) << "7 s of 10 s, with a warning 5 s before";
  ASSERT_EQ(before["users"].size(), 1U) << before.dump(2);
  EXPECT_EQ(before["users"][0]["user"], account.name);

  EXPECT_EQ(WEXITSTATUS(monitor->process().stop()), 0);
  const Json kept = ask({"--state-dir", options.state_dir});
  EXPECT_EQ(kept["sessions"], 2) << kept.dump(2);
  EXPECT_EQ(kept["limits"][0]["ended"], before["limits"][0]["ended"]);
  alice.reset();  // ends while nobody looks
  std::this_thread::sleep_for(2s);

  monitor = std::make_unique<MonitorProcess>(options);
  std::this_thread::sleep_for(8s);
  const Json after = ask({"--socket", monitor->socket()});
  EXPECT_EQ(after["sessions"], 2) << after.dump(2);
  EXPECT_GT(after["not_watched_seconds"].get<double>(), 1.5);
  EXPECT_EQ(after["limits"][0]["ended"], 2) << after.dump(2);
  ASSERT_EQ(after["idle_now"].size(), 1U) << after.dump(2);
  EXPECT_EQ(after["idle_now"][0]["user"], bob.name);
  EXPECT_EQ(after["users"].size(), 2U);
  // Within a unit the daemon does not see what the test mounts.
  const bool unseen = emulated() && monitor->log().contains("is not on a BPF file system");
  if (GetParam() != "sampler" && pinned && !unseen) {
    // The kernel kept the last input: it is one gap, of more than 10 s.
    EXPECT_EQ(after["gaps_cut_by_restart"], 0) << after.dump(2);
    EXPECT_EQ(after["limits"][1]["ended"], 1) << after.dump(2);
    EXPECT_GE(after["idle_now"][0]["idle_seconds"].get<double>(), 12.0);
  } else {
    // Nothing was kept, so the clock began anew and nobody is said to have been idle for longer.
    EXPECT_EQ(after["limits"][1]["ended"], 0) << after.dump(2);
  }

  const Finished text = run({binary(), "whatif", "--limit", "7s", "--socket", monitor->socket()});
  EXPECT_EQ(text.status, 0) << text.output;
  EXPECT_NE(text.output.find("7s is counted as 5s"), std::string::npos) << text.output;
  EXPECT_NE(text.output.find(bob.name), std::string::npos) << text.output;
  monitor.reset();
  if (pinned) ::umount2(pins.c_str(), MNT_DETACH);
}

TEST_P(WhatIfProgram, WithoutADaemonAndWithoutAFileItSaysWhatToDo) {
  const Finished asked = run({binary(), "whatif", "--socket", dir.path() + "/nothing"});
  // The private host has no /var/lib of its own: a machine that runs the service has a file there.
  if (asked.status == 0) GTEST_SKIP() << "this machine keeps idle gaps in /var/lib/idlewarden";
  EXPECT_EQ(WEXITSTATUS(asked.status), 3) << asked.output;
  EXPECT_NE(asked.output.find("systemctl start idlewarden"), std::string::npos) << asked.output;
  EXPECT_NE(asked.output.find("/var/lib/idlewarden"), std::string::npos) << asked.output;
  const Finished file = run({binary(), "whatif", "--state-dir", dir.path()});
  EXPECT_EQ(WEXITSTATUS(file.status), 3) << file.output;
  dir.file("idle-gaps.json", "{}");
  const Finished broken = run({binary(), "whatif", "--state-dir", dir.path()});
  EXPECT_EQ(WEXITSTATUS(broken.status), 3) << broken.output;
  EXPECT_NE(broken.output.find("no record of idle gaps"), std::string::npos) << broken.output;
  EXPECT_EQ(WEXITSTATUS(run({binary(), "whatif", "--limit", "1s"}).status), 2);
}

// Where nothing can be written the daemon goes on, and says so.
TEST_P(WhatIfProgram, AFullDiskDegradesAndStopsNothing) {
  MonitorOptions options = keeping();
  ASSERT_EQ(::mkdir(options.state_dir.c_str(), 0700), 0);
  ASSERT_EQ(::mount("tmpfs", options.state_dir.c_str(), "tmpfs", 0, "size=8k,mode=0700"), 0);
  dir.file("state/ballast", std::string(8192, 'x'));
  MonitorProcess monitor(options);
  SshLogin login(server, account);
  ASSERT_FALSE(monitor.wait_event("session_started", 10s).is_null()) << monitor.log();
  const auto complains = [&] {
    return monitor.sessions()["degraded"].value("idle_gaps", "").contains("No space left");
  };
  EXPECT_TRUE(wait_until(complains, patience(10s))) << monitor.sessions().dump(2);
  EXPECT_EQ(ask({"--socket", monitor.socket()})["sessions"], 1);
  EXPECT_EQ(WEXITSTATUS(monitor.process().stop()), 0) << monitor.log();
  ::umount2(options.state_dir.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace idlewarden::test

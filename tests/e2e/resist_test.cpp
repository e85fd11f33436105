// SPDX-License-Identifier: Apache-2.0
// Sessions that do not want to end, or cannot: each end is seen within the graces that it takes, or
// the daemon says why not.
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "base/procfs.h"
#include "e2e/e2e.h"
#include "support/silent_fs.h"

namespace idlewarden::test {
namespace {

using Json = MonitorProcess::Json;

class Resist : public Scaled {
 protected:
  static constexpr auto kLimit = 8s;
  static constexpr auto kGrace = 2s;
  static constexpr const char* kPolicy =
      "mode = \"enforce\"\nwarn = \"1s\"\ngrace = \"2s\"\n[derive]\nclient_alive_floor = \"0s\"\n";

  Resist() : Scaled("ClientAliveInterval 4\nClientAliveCountMax 2\n") {}

  // A login and the pid of its shell, which `resist` replaces or keeps.
  struct Rebel {
    std::unique_ptr<SshLogin> login;
    pid_t leader = 0;
    PtyProcess& terminal() const { return login->terminal(); }
  };
  Rebel rebel(const std::string& resist) const {
    Rebel r{std::make_unique<SshLogin>(server, account), 0};
    r.leader = said_pid(r, "leader", "echo leader=$$;");
    if (!resist.empty()) r.login->command(resist);
    return r;
  }
  static pid_t said_pid(const Rebel& r, const std::string& mark, const std::string& command) {
    r.login->command(command);
    const std::regex number(mark + "=([0-9]+)");
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < until) {
      const std::string output = r.terminal().output();
      std::smatch found;
      if (std::regex_search(output, found, number)) return std::stoi(found[1]);
      std::this_thread::sleep_for(20ms);
    }
    throw std::runtime_error("no " + mark + " in " + r.terminal().output());
  }
  static bool of(const Json& event, pid_t leader) {
    return event["session"].get<std::string>().starts_with(std::to_string(leader) + "-");
  }
  // What the daemon says of its end, which took at most so many graces.
  Json end_of(const MonitorProcess& monitor, const Rebel& r, int graces) const {
    const auto patience = kLimit + graces * kGrace + lateness_allowed() + 15s;
    Json told = monitor.wait_event("terminated", patience,
                                   [&](const Json& event) { return of(event, r.leader); });
    if (told.is_null()) {
      ADD_FAILURE() << r.leader << " was not ended\n" << monitor.log();
      return Json{{"detail", ""}};
    }
    EXPECT_GE(told["idle_seconds"].get<double>(), seconds(kLimit)) << told;
    EXPECT_LE(told["lateness_seconds"].get<double>(), seconds(graces * kGrace + lateness_allowed()))
        << told;
    EXPECT_FALSE(Procfs().lives(r.leader)) << told;
    return told;
  }
  static std::string steps(const Json& told) { return told["detail"].get<std::string>(); }
};
// How the input is seen makes no difference to this.
INSTANTIATE_TEST_SUITE_P(Backends, Resist, testing::Values(backends().front()), backend_name);

TEST_P(Resist, SignalsIgnoredAndProgramsExchanged) {
  write_host_file(account.home + "/again",
                  "#!/bin/sh\ntrap '' HUP\nsleep 0.2\nexec /bin/sh " + account.home + "/again\n");
  MonitorProcess monitor(watching(kPolicy));
  const Rebel deaf = rebel("exec sh -c 'trap \"\" HUP TERM; while :; do sleep 0.2; done'");
  const Rebel put_aside = rebel("exec nohup sh -c 'while :; do sleep 0.2; done'");
  const Rebel again = rebel("exec sh ~/again");
  const Rebel stopped = rebel("kill -STOP $$");

  EXPECT_NE(steps(end_of(monitor, deaf, 2)).find("SIGKILL"), std::string::npos);
  const std::string aside = steps(end_of(monitor, put_aside, 1));
  EXPECT_NE(aside.find("SIGTERM"), std::string::npos) << aside;
  EXPECT_EQ(aside.find("SIGKILL"), std::string::npos) << aside;
  EXPECT_NE(steps(end_of(monitor, again, 1)).find("SIGTERM"), std::string::npos);
  EXPECT_EQ(steps(end_of(monitor, stopped, 0)), "hang-up");
  EXPECT_TRUE(monitor.events("terminate_failed").empty()) << monitor.log();
}

TEST_P(Resist, WhatIsPutAsideLivesOn) {
  MonitorProcess monitor(watching(kPolicy));
  const Rebel r = rebel("");
  const pid_t nohup = said_pid(r, "nohup", "nohup sleep 120 >/dev/null 2>&1 & echo nohup=$!;");
  const pid_t setsid =
      said_pid(r, "setsid", "setsid sh -c 'echo setsid=$$; exec sleep 120 >/dev/null 2>&1' &");
  const pid_t plain = said_pid(r, "plain", "sleep 120 & echo plain=$!;");
  EXPECT_EQ(steps(end_of(monitor, r, 0)), "hang-up");
  EXPECT_TRUE(Procfs().lives(nohup));
  EXPECT_TRUE(Procfs().lives(setsid));
  EXPECT_FALSE(Procfs().lives(plain));
  for (const pid_t pid : {nohup, setsid}) ::kill(pid, SIGKILL);
}

// Nothing that the daemon writes there may make it wait: it is as punctual with everybody else.
TEST_P(Resist, TerminalsThatTakeNothing) {
  MonitorProcess monitor(watching(kPolicy));
  const Rebel held = rebel("while :; do echo flood; sleep 0.05; done");
  ASSERT_TRUE(held.terminal().wait_for("flood", 20s));
  held.terminal().type("\x13");  // XOFF
  const Rebel deaf = rebel("yes");
  ASSERT_TRUE(deaf.terminal().wait_for("y\r\ny\r\n", 20s));
  ASSERT_EQ(::kill(deaf.terminal().pid(), SIGSTOP), 0);  // its socket fills
  const Rebel plain = rebel("");

  EXPECT_EQ(steps(end_of(monitor, held, 0)), "hang-up");
  const std::string stuck = steps(end_of(monitor, deaf, 0));
  EXPECT_NE(stuck.find("SIGTERM to host process"), std::string::npos) << stuck;
  EXPECT_EQ(steps(end_of(monitor, plain, 0)), "hang-up");
  EXPECT_TRUE(held.terminal().wait_end(10s));
  EXPECT_TRUE(plain.terminal().wait_end(10s));
  const auto unwritten =
      monitor.wait_event("warned", 1s, [&](const Json& event) { return of(event, held.leader); });
  ASSERT_FALSE(unwritten.is_null()) << monitor.log();
  EXPECT_NE(steps(unwritten).find("could not be written"), std::string::npos) << unwritten;
  EXPECT_TRUE(monitor.events("terminate_failed").empty()) << monitor.log();
}

// The kernel shows it as a zombie, and it lives on by its other threads.
TEST_P(Resist, ALeaderWhoseFirstThreadHasExited) {
  MonitorProcess monitor(watching(kPolicy));
  const Rebel r = rebel(
      "exec python3 -c 'import ctypes, threading, time; "
      "threading.Thread(target=lambda: time.sleep(1000)).start(); "
      "ctypes.CDLL(None).syscall(60, 0)'");
  EXPECT_TRUE(wait_until(
      [&] {
        const auto stat = Procfs().stat(r.leader);
        return stat && stat->state == 'Z';
      },
      10s));
  EXPECT_TRUE(Procfs().lives(r.leader));
  EXPECT_EQ(steps(end_of(monitor, r, 0)), "hang-up");
}

// Its sshd does not run, so nobody reaps the shell.
TEST_P(Resist, AZombieHasEnded) {
  MonitorProcess monitor(watching(kPolicy));
  const Rebel r = rebel("");
  const auto started = monitor.wait_event("session_started", 20s);
  ASSERT_FALSE(started.is_null()) << monitor.log();
  const auto shown = monitor.sessions();
  ASSERT_EQ(shown["sessions"].size(), 1U) << shown;
  const pid_t host = shown["sessions"][0]["host_pid"];
  ASSERT_EQ(::kill(host, SIGSTOP), 0);
  end_of(monitor, r, 0);
  const auto stat = Procfs().stat(r.leader);
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->state, 'Z');
  EXPECT_FALSE(monitor.wait_event("session_ended", 5s).is_null()) << monitor.log();
  EXPECT_TRUE(monitor.sessions()["sessions"].empty());
  EXPECT_TRUE(monitor.events("terminate_failed").empty()) << monitor.log();
  ::kill(host, SIGCONT);
}

// A leader that waits for a server which has gone: the kernel itself does not let it end.
TEST_P(Resist, WhatCannotBeEndedIsToldAndItsEndStillSeen) {
  std::filesystem::create_directories("/run/silent");
  auto silent = std::make_unique<SilentFs>("/run/silent");
  if (!silent->why_not().empty()) GTEST_SKIP() << silent->why_not();
  MonitorProcess monitor(watching(kPolicy));
  const Rebel r = rebel("exec cat /run/silent/file");
  const auto failed = monitor.wait_event("terminate_failed", kLimit + 3 * kGrace + 20s);
  ASSERT_FALSE(failed.is_null()) << monitor.log();
  EXPECT_NE(steps(failed).find("is still there 2 s after SIGKILL"), std::string::npos) << failed;
  EXPECT_TRUE(Procfs().lives(r.leader));
  EXPECT_EQ(monitor.sessions()["sessions"].size(), 0U);
  silent.reset();
  const auto ended = monitor.wait_event("terminated", 10s);
  EXPECT_FALSE(ended.is_null()) << monitor.log();
  EXPECT_EQ(monitor.events("terminate_failed").size(), 1U) << monitor.log();
}

// A process of it writes a page that does not come, and so holds a lock which the hang-up waits
// for.
TEST_P(Resist, WhatCannotBeEndedHoldsNobodyUp) {
  std::filesystem::create_directories("/run/silent");
  auto silent = std::make_unique<SilentFs>("/run/silent");
  if (!silent->why_not().empty()) GTEST_SKIP() << silent->why_not();
  write_host_file("/run/holder",
                  "import mmap, os, signal\n"
                  "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
                  "file = os.open('/run/silent/" +
                      std::string(SilentFs::kOpened) +
                      "', os.O_RDONLY)\n"
                      "page = mmap.mmap(file, 4096, prot=mmap.PROT_READ)\n"
                      "print('holds', flush=True)\n"
                      "os.write(1, memoryview(page)[:1])\n");
  MonitorProcess monitor(watching(kPolicy));
  const Rebel holder = rebel("python3 /run/holder &");
  ASSERT_TRUE(holder.terminal().wait_for("holds", 20s));
  const Rebel plain = rebel("");

  EXPECT_EQ(steps(end_of(monitor, plain, 0)), "hang-up");
  EXPECT_EQ(steps(end_of(monitor, holder, 0)), "hang-up that does not come back, SIGHUP");
  EXPECT_NE(monitor.metrics(), "");
  // What waits in the kernel keeps the daemon from ending, but not another from taking its place.
  monitor.process().signal(SIGKILL);
  EXPECT_TRUE(wait_until([&] { return monitor.refuses(); }, patience(5s)));
  silent.reset();
}

// Everybody is over the limit in the same moment. So many may be ended in a minute, the others
// wait.
TEST_P(Resist, TwoHundredAtOnce) {
  constexpr std::size_t kConnections = 4;
  constexpr std::size_t kOnEach = 50;
  constexpr std::size_t kCap = 150;
  constexpr std::size_t kAll = kConnections * kOnEach;
  const SshServer many("MaxSessions 100\n");
  many.authorize(account);
  const auto policy = [](const std::string& limit, std::size_t cap) {
    return "mode = \"enforce\"\nwarn = \"0s\"\nmax_terminations_per_minute = " +
           std::to_string(cap) + "\n[[rule]]\nname = \"all\"\nlimit = \"" + limit + "\"\n";
  };
  MonitorProcess monitor({.policy = policy("1h", kCap),
                          .backend = GetParam(),
                          .only_host_pids = {many.pid()},
                          .more = {}});
  const TempDir dir;
  std::vector<std::unique_ptr<SshLogin>> masters;
  std::vector<std::unique_ptr<PtyProcess>> others;
  for (std::size_t c = 0; c < kConnections; ++c) {
    const std::string control = "ControlPath=" + dir.path() + "/" + std::to_string(c);
    masters.push_back(std::make_unique<SshLogin>(
        many, account, std::vector<std::string>{"-o", "ControlMaster=yes", "-o", control}));
    for (std::size_t i = 1; i < kOnEach; ++i) {
      others.push_back(std::make_unique<PtyProcess>(many.client(account, {"-o", control})));
    }
  }
  for (const auto& other : others) ASSERT_TRUE(other->wait_for(kPrompt, 90s)) << other->output();
  const auto until = std::chrono::steady_clock::now() + patience(30s);
  while (monitor.events("session_started").size() < kAll) {
    ASSERT_LT(std::chrono::steady_clock::now(), until) << monitor.events("session_started").size();
    std::this_thread::sleep_for(100ms);
  }
  const auto wait_for = [&](const std::string& type, std::size_t count) {
    wait_until([&] { return monitor.events(type).size() >= count; }, patience(20s));
    return monitor.events(type).size();
  };
  std::this_thread::sleep_for(4s);

  monitor.write_policy(policy("3s", kCap));
  monitor.process().signal(SIGHUP);
  EXPECT_EQ(wait_for("terminated", kCap), kCap) << monitor.log();
  EXPECT_EQ(wait_for("held", kAll - kCap), kAll - kCap);
  const std::string metrics = monitor.metrics();
  EXPECT_NE(metrics.find("idlewarden_sessions{kind=\"ssh\",state=\"held\"} 50\n"),
            std::string::npos)
      << metrics;
  EXPECT_NE(metrics.find("idlewarden_events_total{event=\"held\",decided_by=\"rule\",kind=\"ssh\"} "
                         "50\n"),
            std::string::npos)
      << metrics;
  std::this_thread::sleep_for(2s);
  EXPECT_EQ(monitor.events("terminated").size(), kCap) << "the cap holds";

  monitor.write_policy(policy("3s", 10 * kAll));
  monitor.process().signal(SIGHUP);
  EXPECT_EQ(wait_for("terminated", kAll), kAll) << monitor.log();
  EXPECT_TRUE(monitor.events("terminate_failed").empty()) << monitor.log();
  EXPECT_EQ(monitor.events("held").size(), kAll - kCap) << "each is told once";
}

}  // namespace
}  // namespace idlewarden::test

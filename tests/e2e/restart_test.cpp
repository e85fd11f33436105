// SPDX-License-Identifier: Apache-2.0
// The service is restarted while somebody is idle, as an upgrade does it.
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "e2e/e2e.h"

namespace idlewarden::test {
namespace {

class Restart : public Scaled {
 protected:
  TempDir dir;
};
INSTANTIATE_TEST_SUITE_P(Backends, Restart, testing::ValuesIn(backends()), backend_name);

// What the kernel kept is the session's idle time, and its end comes by it; the sampler keeps
// nothing, so there it is counted from the restart.
TEST_P(Restart, TheEndComesByTheClockThatWasKept) {
  MonitorOptions options = watching(kEnforce);
  const std::string pins = dir.path() + "/bpf";
  ASSERT_EQ(::mkdir(pins.c_str(), 0700), 0);
  const bool pinned = ::mount("bpf", pins.c_str(), "bpf", 0, nullptr) == 0;
  if (pinned) options.pin_dir = pins + "/idlewarden";

  auto monitor = std::make_unique<MonitorProcess>(options);
  SshLogin login(server, account);
  ASSERT_FALSE(monitor->wait_event("session_started", 10s).is_null()) << monitor->log();
  login.command("true");
  const auto key = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(5s);
  EXPECT_EQ(WEXITSTATUS(monitor->process().stop()), 0);
  const auto restarted = std::chrono::steady_clock::now();
  monitor = std::make_unique<MonitorProcess>(options);

  ASSERT_TRUE(login.terminal().ends_within(20s + lateness_allowed())) << monitor->log();
  const auto ended = *login.terminal().ended_at();
  const bool kept = pinned && GetParam() != "sampler";
  EXPECT_GE(ended - (kept ? key : restarted), 9900ms) << monitor->log();
  if (kept) {
    EXPECT_LE(ended - key, 10s + lateness_allowed()) << monitor->log();
  }
  monitor.reset();
  if (pinned) ::umount2(pins.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// The how-to's own test: set the limits where it says, log in, do nothing, be kicked out. Scaled to
// seconds: ClientAliveInterval 5 x ClientAliveCountMax 2 is 10 s.
#include "e2e/e2e.h"

namespace idlewarden::test {
namespace {

class HowTo : public Scaled {};
INSTANTIATE_TEST_SUITE_P(Backends, HowTo, testing::ValuesIn(backends()), backend_name);

// The reason for all of this. No backend plays a part, so once is enough.
TEST(PlainSshd, LeavesAnIdleResponsiveClientForEver) {
  const Account account = add_account("iwalice");
  const SshServer server("TCPKeepAlive yes\nClientAliveInterval 5\nClientAliveCountMax 2\n");
  server.authorize(account);
  SshLogin login(server, account);
  EXPECT_FALSE(login.terminal().wait_end(20s)) << login.terminal().output();
}

TEST_P(HowTo, IdleAtThePromptIsEndedOnTime) {
  MonitorProcess monitor(watching(kEnforce));
  SshLogin login(server, account);
  ASSERT_TRUE(login.terminal().ends_within(10s + 15s)) << monitor.log();
  const auto end = *login.terminal().ended_at();
  // The session began between these two.
  EXPECT_GE(seconds(end - login.asked()), 10.0);
  EXPECT_LE(end - login.prompted(), 10s + lateness_allowed());
  const auto ended = monitor.wait_event("terminated", 5s);
  ASSERT_FALSE(ended.is_null()) << monitor.log();
  EXPECT_EQ(ended["user"], account.name);
  EXPECT_EQ(ended["decided_by"], "sshd_config");
  EXPECT_EQ(ended["limit_seconds"], 10);
  EXPECT_EQ(ended["remote_addr"], "127.0.0.1");
  EXPECT_FALSE(monitor.wait_event("session_ended", 5s).is_null());
  EXPECT_TRUE(monitor.events("terminate_failed").empty());
  EXPECT_NE(login.terminal().output().find("This session ends now"), std::string::npos)
      << "the last message did not reach the client: " << login.terminal().output();
}

struct Foreground {
  const char* command;
  const char* shows;  // what its screen has when it runs; empty: nothing
};

class HowToForeground : public HowTo {
 protected:
  void expect_end_10s_after_the_last_key(const Foreground& foreground) {
    MonitorProcess monitor(watching(kEnforce));
    SshLogin login(server, account);
    login.command(foreground.command);
    if (*foreground.shows != '\0') {
      ASSERT_TRUE(login.terminal().wait_for(foreground.shows, 10s)) << login.terminal().output();
    }
    ASSERT_TRUE(login.terminal().ends_within(10s + 15s)) << monitor.log();
    const double idle = seconds(*login.terminal().ended_at() - login.last_key());
    // The sampler knows the last key to one scan, and rounds it towards the user.
    const double late = seconds(lateness_allowed()) + (GetParam() == "sampler" ? 1.1 : 0);
    EXPECT_GE(idle, 10.0);
    EXPECT_LE(idle, 10.0 + late);
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, HowToForeground, testing::ValuesIn(backends()), backend_name);

TEST_P(HowToForeground, VimDoesNotKeepItOpen) {
  expect_end_10s_after_the_last_key({"vim.tiny /etc/hostname || vi /etc/hostname", "hostname"});
}

TEST_P(HowToForeground, TopDoesNotKeepItOpen) {
  expect_end_10s_after_the_last_key({"top -d 1", "load average"});
}

TEST_P(HowToForeground, LessDoesNotKeepItOpen) {
  expect_end_10s_after_the_last_key({"less /etc/services", "tcpmux"});
}

TEST_P(HowToForeground, SleepDoesNotKeepItOpen) {
  expect_end_10s_after_the_last_key({"sleep 1000", ""});
}

// TMOUT as the how-to writes it, scaled. bash itself only looks at it at its prompt.
class Tmout : public Scaled {
 protected:
  Tmout() : Scaled("") {
    write_host_file("/etc/bash.bashrc", "TMOUT=8\nreadonly TMOUT\nexport TMOUT\n");
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, Tmout, testing::ValuesIn(backends()), backend_name);

TEST_P(Tmout, EndsASessionThatSitsInVim) {
  MonitorProcess monitor(watching("mode = \"enforce\"\nwarn = \"0s\"\n"));
  SshLogin login(server, account);
  login.command("vim.tiny /etc/hostname || vi /etc/hostname");
  ASSERT_TRUE(login.terminal().ends_within(8s + 15s)) << monitor.log();
  const double idle = seconds(*login.terminal().ended_at() - login.last_key());
  EXPECT_GE(idle, 8.0);
  EXPECT_LE(idle, 8.0 + seconds(lateness_allowed()) + (GetParam() == "sampler" ? 1.1 : 0));
  const auto ended = monitor.wait_event("terminated", 5s);
  ASSERT_FALSE(ended.is_null()) << monitor.log();
  EXPECT_EQ(ended["decided_by"], "tmout");
  EXPECT_EQ(ended["source"], "/etc/bash.bashrc:1");
}

}  // namespace
}  // namespace idlewarden::test

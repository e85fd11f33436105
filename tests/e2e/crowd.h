// SPDX-License-Identifier: Apache-2.0
// Many people, each with a session of their own, under one daemon in audit mode that nobody's limit
// comes near to: what each does, or seems to do, shows in how long the daemon calls them idle.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "e2e/e2e.h"

namespace idlewarden::test {

class Crowd : public testing::TestWithParam<std::string> {
 protected:
  explicit Crowd(const std::string& sshd_settings = "");

  // Everybody is called something of their own; it is the account's name.
  const Account& account(const std::string& who);
  SshLogin& log_in(const std::string& who, const std::vector<std::string>& options = {},
                   const SshLogin::Terminal& terminal = {});
  SshLogin& session(const std::string& who) { return *logins_.at(who); }
  // A file in this person's home, theirs.
  std::string file_of(const std::string& who, const std::string& name, std::string_view content);
  std::string read_file_of(const std::string& who, const std::string& name);
  double since_last_key(const std::string& who) const;  // 0: of no session() of this test
  // By name, in seconds: the daemon's answer to `idlewarden sessions`.
  std::map<std::string, double> idle_times() const;
  // Waits until the daemon watches a session of each of these, and no other: their clocks start
  // then. On a slow machine a login is dear, and the scan after it comes late.
  void expect_watched(const std::multiset<std::string>& all) const;
  // Types what each of them types, at once, after all were idle for a while, and sees who counts as
  // active then.
  void expect_all_active_after(const std::map<std::string, std::string>& keys);
  // The limit is made so short that whoever is idle now is over it.
  void enforce(std::chrono::seconds limit) const;
  bool sampled() const { return GetParam() == "sampler"; }

  SshServer server_;
  MonitorProcess monitor_;

 private:
  std::map<std::string, Account> accounts_;
  std::map<std::string, std::unique_ptr<SshLogin>> logins_;
};

}  // namespace idlewarden::test

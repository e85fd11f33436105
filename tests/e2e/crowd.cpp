// SPDX-License-Identifier: Apache-2.0
#include "e2e/crowd.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace idlewarden::test {
namespace {

std::string policy(const std::string& mode, std::chrono::seconds limit) {
  return "mode = \"" + mode + "\"\nwarn = \"0s\"\n[[rule]]\nname = \"all\"\nlimit = \"" +
         std::to_string(limit.count()) + "s\"\n";
}

}  // namespace

Crowd::Crowd(const std::string& sshd_settings)
    : server_(sshd_settings + "\nMaxStartups 100\n"),
      monitor_({.policy = policy("audit", 1h),
                .backend = GetParam(),
                .only_host_pids = {server_.pid()},
                .more = {}}) {}

const Account& Crowd::account(const std::string& who) {
  auto [it, fresh] = accounts_.try_emplace(who);
  if (fresh) {
    it->second = add_account(who);
    server_.authorize(it->second);
  }
  return it->second;
}

SshLogin& Crowd::log_in(const std::string& who, const std::vector<std::string>& options,
                        const SshLogin::Terminal& terminal) {
  return *(logins_[who] = std::make_unique<SshLogin>(server_, account(who), options, terminal));
}

std::string Crowd::file_of(const std::string& who, const std::string& name,
                           std::string_view content) {
  const Account& person = account(who);
  const std::string path = person.home + "/" + name;
  write_host_file(path, content);
  struct stat home {};
  if (::stat(person.home.c_str(), &home) != 0 ||
      ::chown(path.c_str(), home.st_uid, home.st_gid) != 0 || ::chmod(path.c_str(), 0755) != 0) {
    throw std::runtime_error("cannot give " + path + " away");
  }
  return path;
}

std::string Crowd::read_file_of(const std::string& who, const std::string& name) {
  std::ostringstream out;
  out << std::ifstream(account(who).home + "/" + name).rdbuf();
  return out.str();
}

double Crowd::since_last_key(const std::string& who) const {
  const auto login = logins_.find(who);
  if (login == logins_.end()) return 0;
  return seconds(std::chrono::steady_clock::now() - login->second->last_key());
}

std::map<std::string, double> Crowd::idle_times() const {
  std::map<std::string, double> times;
  const auto answer = monitor_.sessions();
  for (const auto& session : answer["sessions"]) {
    times[session["user"]] = session["idle_seconds"];
  }
  return times;
}

void Crowd::expect_watched(const std::multiset<std::string>& all) const {
  std::multiset<std::string> watched;  // of whom there is one session each
  wait_until(
      [&] {
        std::this_thread::sleep_for(200ms);
        watched.clear();
        const auto answer = monitor_.sessions();
        for (const auto& session : answer["sessions"]) watched.insert(session["user"]);
        return watched == all;
      },
      patience(20s));
  EXPECT_EQ(watched, all) << monitor_.log();
}

void Crowd::expect_all_active_after(const std::map<std::string, std::string>& keys) {
  constexpr double kIdle = 3.5;
  std::map<std::string, double> before;
  // On a slow machine what was typed last may arrive late.
  wait_until(
      [&] {
        std::this_thread::sleep_for(250ms);
        before = idle_times();
        return std::ranges::all_of(
            keys, [&](const auto& person) { return before[person.first] >= kIdle; });
      },
      patience(10s));
  const auto typed = std::chrono::steady_clock::now();
  for (const auto& [who, bytes] : keys) {
    EXPECT_GE(before[who], kIdle) << who << " was not idle, so nothing is proven";
    session(who).terminal().type(bytes);
  }
  // Whose key is not seen grows idle as fast as the time goes by, so nobody becomes active late.
  std::map<std::string, double> after;
  double since = 0;
  const auto counts = [&](const auto& person) {
    return after.contains(person.first) && after[person.first] <= since + 1;
  };
  const auto until = typed + patience(1500ms);
  do {
    std::this_thread::sleep_for(250ms);
    after = idle_times();  // the sampler's next scan may be to come
    since = seconds(std::chrono::steady_clock::now() - typed);
  } while (!std::ranges::all_of(keys, counts) && std::chrono::steady_clock::now() < until);
  for (const auto& [who, bytes] : keys) {
    ASSERT_TRUE(after.contains(who)) << who << "\n" << monitor_.log();
    EXPECT_LE(after[who], since + 1) << who << " typed and counts as idle";
  }
}

void Crowd::enforce(std::chrono::seconds limit) const {
  monitor_.write_policy(policy("enforce", limit));
  monitor_.process().signal(SIGHUP);
}

}  // namespace idlewarden::test

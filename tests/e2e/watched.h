// SPDX-License-Identifier: Apache-2.0
// What is true of every session, whatever door it came through.
#pragma once

#include <unistd.h>

#include <optional>
#include <string>

#include "e2e/e2e.h"
#include "support/doors.h"

namespace idlewarden::test {

// With one backend, and every session that this process causes in scope, also those whose processes
// left their parents.
class AnyDoor : public testing::TestWithParam<std::string> {
 protected:
  using Json = MonitorProcess::Json;

  explicit AnyDoor(std::chrono::seconds limit = 8s) : limit_(limit) { adopt_orphans(); }

  MonitorOptions watching(const std::string& more = "") const {
    return {.policy = more +
                      "mode = \"enforce\"\nwarn = \"0s\"\n[[rule]]\nname = \"all\"\nlimit = " +
                      std::to_string(limit_.count()) + "\n",
            .backend = GetParam(),
            .only_host_pids = {::getpid()},
            .more = {}};
  }

  // How long after its last key a session may at most be seen to end.
  std::chrono::milliseconds ended_within() const {
    return limit_ + lateness_allowed() + (GetParam() == "sampler" ? 1100ms : 0ms);
  }

  // How many such events there are, once there are as many or it took too long.
  static std::size_t events_up_to(const MonitorProcess& monitor, const std::string& type,
                                  std::size_t count) {
    const auto until = std::chrono::steady_clock::now() + patience(10s);
    while (monitor.events(type).size() < count && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(50ms);
    }
    return monitor.events(type).size();
  }

  // The session of this kind once there is one, and it alone.
  static Json only_session(const MonitorProcess& monitor, const std::string& kind) {
    const auto of_kind = [&](const Json& event) { return event["kind"] == kind; };
    if (monitor.wait_event("session_started", 20s, of_kind).is_null()) return nullptr;
    const Json shown = monitor.sessions()["sessions"];
    EXPECT_EQ(shown.size(), 1U) << shown.dump(2);
    for (const Json& session : shown) {
      if (session["kind"] == kind) return session;
    }
    return nullptr;
  }

  static std::optional<double> idle_of(const MonitorProcess& monitor, const std::string& id) {
    const Json shown = monitor.sessions()["sessions"];
    for (const Json& session : shown) {
      if (session["id"] == id) return session["idle_seconds"].get<double>();
    }
    return std::nullopt;
  }

  // Nobody types, then a key is pressed, then nobody types for good.
  void expect_a_key_counts_and_silence_ends(const MonitorProcess& monitor, const Json& session,
                                            PtyProcess& terminal) {
    const std::string id = session["id"];
    std::this_thread::sleep_for(3s);
    const auto last_key = std::chrono::steady_clock::now();
    terminal.type("x");
    // A key that is not seen stays so: its session grows idle as fast as the time goes by.
    const auto seen = [&] {
      const double idle = idle_of(monitor, id).value_or(100);
      return idle <= seconds(std::chrono::steady_clock::now() - last_key);
    };
    const auto until = last_key + patience(1500ms);
    while (!seen() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(250ms);
    EXPECT_TRUE(seen()) << "the key was not seen";

    const auto of_it = [&](const Json& event) { return event["session"] == id; };
    const Json ended = monitor.wait_event("terminated", ended_within() + 10s, of_it);
    ASSERT_FALSE(ended.is_null()) << monitor.log();
    EXPECT_GE(seconds(std::chrono::steady_clock::now() - last_key), seconds(limit_));
    EXPECT_GE(ended["idle_seconds"].get<double>(), seconds(limit_));
    EXPECT_LE(ended["lateness_seconds"].get<double>(), seconds(lateness_allowed()));
    EXPECT_EQ(ended["kind"], session["kind"]);
    EXPECT_EQ(ended["user"], session["user"]);
    EXPECT_FALSE(monitor.wait_event("session_ended", 5s, of_it).is_null()) << monitor.log();
    EXPECT_TRUE(monitor.events("terminate_failed").empty()) << monitor.log();
  }

  const std::chrono::seconds limit_;
};

// The prompt of a shell, or what was there instead.
inline void expect_prompt(const PtyProcess& terminal) {
  ASSERT_TRUE(terminal.wait_for(kPrompt, 60s)) << terminal.output();
}

}  // namespace idlewarden::test

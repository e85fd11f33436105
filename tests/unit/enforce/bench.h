// SPDX-License-Identifier: Apache-2.0
// A warden on a test bench: a clock that is set by hand, sessions, and a fake Terminator that
// records what is done to whom.
#pragma once

#include <fmt/format.h>

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "enforce/warden.h"

namespace idlewarden::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr BootTime at(double s) {
  return BootTime(Nanoseconds(static_cast<std::int64_t>(s * 1e9)));
}

// What happens to one session, and how it takes it.
struct Subject {
  Session session;
  Verdict verdict;
  BootTime last_activity{};
  bool job_running = false;
  bool listed = true;                    // in the caller's list
  bool there = true;                     // for the second look
  std::optional<BootTime> typed_unseen;  // only the second look knows of it

  bool leader_alive = true;
  BootTime silent_until{};  // something that the leader has started does not answer
  bool host_alive = true;
  bool host_stuck = false;
  bool host_unsettled = false;
  std::vector<int> dies_of{0};  // 0: the hang-up
  std::vector<int> host_dies_of{15};
  int seize_error = 0;
  int say_error = 0;
  int hang_up_error = 0;
  std::string cgroup = "/";  // where the leader lies; a "session-*.scope" can be emptied
  int cgroup_error = 0;
};

class Bench final : public Terminator {
 public:
  explicit Bench(Warden::Settings settings = {}) : warden(*this, std::move(settings)) {}

  struct Killed {};
  // A place where a daemon can be killed: before each second look and each thing that is done. At
  // place number `killed_at` it is, by this exception; its warden is of no use any more.
  void place() {
    if (places++ == killed_at) throw Killed{};
  }
  int places = 0;
  int killed_at = -1;

  // A session of "alice" on pts/N whose leader is 1000 + N, started at second 100, in enforce mode
  // with a limit of 600 s and a warning 60 s before.
  Subject& add(unsigned n = 0) {
    Subject& s = subjects.emplace_back();
    s.session.id = {static_cast<pid_t>(1000 + n), at(100), 0xffff0000ULL + n};
    s.session.tty_name = fmt::format("pts/{}", n);
    s.session.user = "alice";
    s.session.host = static_cast<pid_t>(5000 + n);
    s.session.host_start = at(99);
    s.session.clock_start = at(100);
    s.last_activity = at(100);
    s.verdict.limit = Seconds(600);
    s.verdict.warn = Seconds(60);
    s.verdict.mode = Mode::enforce;
    s.verdict.messages = {"ends in {left}", ""};
    return s;
  }

  std::vector<Transition> step(double second) {
    now = at(second);
    std::vector<Observation> all;
    for (const Subject& s : subjects) {
      if (s.listed) all.push_back(observe(s));
    }
    auto result = running->step(now, all, [this](const SessionId& id) { return look(id); });
    wake = result.wake;
    for (const Transition& t : result.transitions) log.push_back(line(t));
    return result.transitions;
  }
  // Steps as the daemon does: when the warden asks for it, and when a leader ends; until `second`.
  std::vector<Transition> run_until(double second) {
    std::vector<Transition> all = step(std::max(101.0, to_seconds(now.time_since_epoch())));
    for (int i = 0; i < 10000; ++i) {
      BootTime next = wake.value_or(at(second));
      if (a_leader_has_ended()) next = now + milliseconds(10);
      next = std::min(next, at(second));
      auto some = step(to_seconds(std::max(next, now).time_since_epoch()));
      all.insert(all.end(), some.begin(), some.end());
      if (now >= at(second)) return all;
    }
    log.push_back("the warden wakes for ever");
    return all;
  }
  State state(const Subject& s) const { return running->state(s.session.id); }

  Result<std::unique_ptr<Grip>> seize(const Session& session) override {
    Subject& s = *find(session.id);
    log.push_back("seize " + session.tty_name);
    if (s.seize_error != 0) return fail_errno("cannot seize", s.seize_error);
    return std::make_unique<FakeGrip>(*this, s);
  }
  Result<std::unique_ptr<Grip>> seize_again(const Session& session) override {
    Subject& s = *find(session.id);
    log.push_back("seize again " + session.tty_name);
    if (s.seize_error != 0) return fail_errno("cannot seize", s.seize_error);
    if (s.leader_alive && s.listed) return fail_errno("it has its tty", EBUSY);
    return std::make_unique<FakeGrip>(*this, s);
  }

  Result<std::string> cgroup_of(pid_t process) const override {
    for (const Subject& s : subjects) {
      if (process != s.session.id.leader || !s.leader_alive) continue;
      if (s.cgroup_error != 0) return fail_errno("cannot read", s.cgroup_error);
      return s.cgroup;
    }
    return fail_errno("it has ended", ENOENT);
  }

  BootTime now{};
  std::deque<Subject> subjects;
  std::vector<std::string> log;  // what was done and what was reported, in order
  std::optional<BootTime> wake;
  Warden warden;
  Warden* running = &warden;  // the one that is stepped

 private:
  class FakeGrip final : public Grip {
   public:
    FakeGrip(Bench& bench, Subject& s) : bench_(bench), s_(s), cgroup_(s.cgroup) {}
    Result<void> say(std::string_view text) override {
      bench_.note(s_, fmt::format("say {}", text.substr(2, text.size() - 4)));
      if (s_.say_error != 0) return fail_errno("cannot write", s_.say_error);
      return {};
    }
    Result<std::string> hang_up() override {
      bench_.note(s_, "hang up");
      if (s_.hang_up_error != 0) return fail_errno("cannot hang up", s_.hang_up_error);
      s_.listed = false;  // it has no tty any more
      if (std::ranges::count(s_.dies_of, 0) != 0) leader_dies();
      return "hang-up";
    }
    Result<void> signal_leader(int signal) override {
      bench_.note(s_, fmt::format("signal {}", signal));
      if (bench_.now < s_.silent_until) return fail_errno("process 7 does not answer", EAGAIN);
      if (std::ranges::count(s_.dies_of, signal) != 0) leader_dies();
      return {};
    }
    Result<void> signal_host(int signal) override {
      bench_.note(s_, fmt::format("signal host {}", signal));
      if (std::ranges::count(s_.host_dies_of, signal) != 0) s_.host_alive = false;
      return {};
    }
    Result<void> kill_survivors() override {
      bench_.note(s_, "kill survivors");
      return {};
    }
    Result<std::string> scope() const override {
      if (!cgroup_.ends_with(".scope")) return fail("it has none of its own");
      return cgroup_;
    }
    Alive alive() override {
      return {s_.leader_alive, !s_.leader_alive && s_.host_alive && s_.host_stuck,
              s_.host_alive && s_.host_unsettled};
    }
    int leader_fd() const noexcept override { return s_.session.id.leader; }

   private:
    void leader_dies() {
      s_.leader_alive = s_.listed = s_.there = false;
      if (!s_.host_stuck && !s_.host_unsettled) s_.host_alive = false;
    }
    Bench& bench_;
    Subject& s_;
    std::string cgroup_;
  };

  bool a_leader_has_ended() const {
    const auto fds = running->leader_fds();
    return std::ranges::any_of(subjects, [&](const Subject& s) {
      return !s.leader_alive && std::ranges::count(fds, s.session.id.leader) != 0;
    });
  }
  static Observation observe(const Subject& s) {
    return {&s.session, &s.verdict, s.last_activity, s.job_running};
  }
  Subject* find(const SessionId& id) {
    const auto it = std::ranges::find(subjects, id, [](const Subject& s) { return s.session.id; });
    return it == subjects.end() ? nullptr : &*it;
  }
  std::optional<Observation> look(const SessionId& id) {
    Subject* s = find(id);
    if (s == nullptr || !s->there) return std::nullopt;
    place();
    log.push_back("look " + s->session.tty_name);
    if (s->typed_unseen) s->last_activity = *s->typed_unseen;
    return observe(*s);
  }
  void note(const Subject& s, const std::string& what) {
    place();
    log.push_back(what + " " + s.session.tty_name);
  }
  std::string line(const Transition& t) {
    return fmt::format("<{}> {}", to_string(t.happened), find(t.session)->session.tty_name);
  }
};

}  // namespace idlewarden::test

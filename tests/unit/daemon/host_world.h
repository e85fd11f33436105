// SPDX-License-Identifier: Apache-2.0
// A made-up host for the property test of everything between the kernel and the hang-up: the table
// of sessions, the monitor, the limits and the warden, on a kernel, a /proc, a clock and a policy
// file of the test's own. What it has few of (pids, addresses of ttys, pts numbers, sshds) is used
// again all the time, so whoever takes one session for another is found out: what is true is known
// here, and every step is checked against it.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/monitor.h"
#include "support/temp_dir.h"
#include "unit/sessions/made_proc.h"

namespace idlewarden::test {

struct HostOp {
  enum Kind : std::uint8_t {
    pass_time,
    log_in,
    type,
    type_in_between,  // while the daemon decides
    log_out,
    hand_over,  // the leader gives its tty up, and a child of it takes it
    vanish,     // a connection, with all that is on it
    step_wall,
    suspend,
    reload,
    reload_broken,
    fault,
    restart,
    kinds
  };
  Kind kind = pass_time;
  std::uint32_t who = 0;
  std::uint32_t how = 0;
  std::uint32_t more = 0;
};

class HostWorld final : public Clock,
                        public ActivitySource,
                        public ConnectionProbe,
                        public Terminator {
 public:
  explicit HostWorld(bool tracing);

  void apply(const HostOp& op);
  const std::string& violation() const { return violation_; }
  const std::vector<std::string>& trace() const { return trace_; }

  struct Counts {
    std::uint64_t turns = 0, started = 0, hang_ups = 0, warned = 0, resumed = 0, terminated = 0,
                  reported = 0, taken_over = 0, shared = 0, refused = 0;
  };
  Counts counts;

  // Clock
  BootTime now() const override { return now_; }
  WallTime wall() const override { return wall_; }
  // ActivitySource: the records are the kernel's own, claimed for one tty each (kernel/records.h)
  Backend backend() const noexcept override { return Backend::fentry; }
  Result<std::vector<Leader>> scan() override;
  Result<void> watch(const Tty& tty) override;
  void unwatch(const Tty& tty) noexcept override;
  InputSeen input(const Tty& tty) const override;
  bool needs_scan(const Tty&) const noexcept override { return false; }
  // ConnectionProbe
  Result<ConnectionBytes> look(const ConnectionEnd& end) override;
  // Terminator
  Result<std::unique_ptr<Grip>> seize(const Session& session) override;
  Result<std::unique_ptr<Grip>> seize_again(const Session& session) override;
  Result<std::string> cgroup_of(pid_t) const override { return "/"; }

 private:
  class HostGrip;
  enum Fault { none, no_scan, no_watch, no_probe, no_seizure, faults };
  static constexpr pid_t kListener = 5'000'010;
  static constexpr pid_t kFirstSshd = 5'000'050;
  static constexpr pid_t kFirstLeader = 5'000'100;
  static constexpr uid_t kFirstUid = 4'000'001;
  static constexpr std::size_t kUsers = 3;
  static constexpr std::size_t kMostLives = 6;
  static constexpr Nanoseconds kTick = std::chrono::milliseconds(10);
  static constexpr Nanoseconds kTimeToRead = std::chrono::milliseconds(80);  // the last message
  static constexpr Nanoseconds kLate = std::chrono::milliseconds(300);       // a turn, at most
  static constexpr Nanoseconds kScan = std::chrono::milliseconds(2100);

  // One connection, served by one sshd.
  struct Connection {
    pid_t pid = 0;
    std::uint64_t start_ticks = 0;
    uid_t uid = 0;
    std::uint64_t number = 0;
    std::uint64_t bytes = 0;  // that the client has sent
  };
  struct Life {
    Leader leader;
    std::uint64_t number = 0;
    std::uint64_t connection = 0;  // its number
    uid_t uid = 0;
    BootTime last_input{};
    BootTime noticed_at{};  // without a tty: by a look after a sleep
    bool alive = true;
    bool odd = false;  // what becomes of it is not promised, only that it is not wronged
    int survives = 0;  // 0: nothing, 1: the hang-up, 2: SIGTERM too
    // What the daemon said and did.
    std::optional<BootTime> known_at;
    std::optional<BootTime> warned_at;
    std::optional<BootTime> reported_at;
    std::optional<BootTime> hung_up_at;

    SessionId id() const {
      return {leader.pid, leader.start, leader.tty ? leader.tty->address : 0};
    }
  };
  struct Record {
    std::uint64_t tty = 0;
    std::optional<BootTime> last_input;
    BootTime since{};
  };
  struct Rules {
    Mode mode = Mode::enforce;
    Seconds warn{0};
    std::array<std::optional<Seconds>, kUsers> limits{};
  };

  // What happens.
  void log_in(const HostOp& op);
  void type(Life& life);
  void hand_over(Life& life, std::uint32_t how);
  void vanish(std::uint64_t connection);
  void die(Life& life);
  void lose_tty(Life& life);
  void reload(std::uint32_t how, bool broken);
  void change_fault(std::uint32_t how);
  void pass(Nanoseconds time, std::uint32_t jitter);
  void turn();
  // The daemon.
  void start_daemon();
  void stop_daemon(bool unpin);
  void hear(const Event& event);
  // The kernel.
  void show(const Connection& connection) const;
  bool in_slot(const Tty& tty) const;
  bool in_overflow(const Tty& tty) const;
  Record* record_of(const Tty& tty);
  bool line_is_open(const Tty& tty) const;
  std::optional<Tty> free_line(std::uint32_t how) const;
  std::optional<pid_t> free_pid(pid_t first, std::uint32_t how, std::uint32_t among) const;
  void somebody_types_in_between();
  // What is true, and what must hold.
  Connection* connection_of(std::uint64_t number);
  Life* living(pid_t pid);
  Life* pick(std::uint32_t who);
  Life* named(const std::string& session);
  std::optional<Seconds> limit_of(const Life& life) const {
    return rules_.limits[life.uid - kFirstUid];
  }
  void check_touched(const Life& life, const std::string& what);
  void check_hang_up(const Life& life);
  void check_punctuality(const Life& life);
  void break_rule(const Life* life, const std::string& rule);
  void note(const Life* life, const std::string& text);

  const bool tracing_;
  BootTime now_ = BootTime(Seconds(1000));
  WallTime wall_{Seconds(1'700'000'000)};
  MadeProc proc_;
  TempDir files_;
  Rules rules_;
  std::string good_policy_;
  std::list<Connection> connections_;
  std::list<Life> lives_;
  std::uint64_t last_number_ = 0;
  // The kernel's memory, and what the running daemon has claimed of it.
  std::map<std::uint32_t, Record> slots_;
  std::map<std::uint64_t, Record> overflow_;
  std::map<std::uint32_t, Tty> in_slots_;  // by the daemon that lives
  std::map<std::uint64_t, Tty> in_overflow_;
  Fault fault_ = none;
  BootTime disturbed_at_{};
  std::uint64_t types_in_between_ = 0;  // this life, once
  std::uint32_t in_between_after_ = 0;  // so many looks
  std::vector<std::string> trace_;
  std::string violation_;

  std::optional<BootTime> due_;
  std::unique_ptr<Limits> limits_;
  std::unique_ptr<ConnectionMeter> meter_;
  std::unique_ptr<SessionTable> table_;
  std::unique_ptr<EndingsBook> book_;
  std::unique_ptr<Warden> warden_;
  std::unique_ptr<Monitor> monitor_;
};

}  // namespace idlewarden::test

#include "host_world_daemon.h"
#include "host_world_kernel.h"
#include "host_world_ops.h"
#include "host_world_rules.h"

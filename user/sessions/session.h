// SPDX-License-Identifier: Apache-2.0
// "Who": one login session. Plain data; SessionTable makes it.
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "kernel/activity_source.h"

namespace idlewarden {

enum class Kind { ssh, ssh_nopty, mosh, dropbear, telnet, console, serial };
std::string_view to_string(Kind kind);
std::optional<Kind> kind_from(std::string_view name);

// pids, pts numbers and addresses are all reused; these three together are not.
struct SessionId {
  pid_t leader = 0;
  BootTime start{};       // the leader's
  std::uint64_t tty = 0;  // address of the tty_struct; 0: no tty
  bool same_leader(const SessionId& other) const noexcept {
    return leader == other.leader && start == other.start;
  }
  std::string text() const;  // "PID-TICKS", TICKS as field 22 of /proc/PID/stat: for people
  friend auto operator<=>(const SessionId&, const SessionId&) = default;
};

struct Endpoint {
  std::string address;  // numeric; an IPv4-mapped IPv6 address is written as IPv4
  std::uint16_t port = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// What the client asked sshd to run on the channel of a session without a tty, as far as the
// processes there tell. `command` may be a subsystem that is not sftp.
enum class Channel { unknown, none, shell, command, sftp };

// The sshd that accepted the connection: whose configuration rules the session.
struct AcceptingSshd {
  pid_t listener = 0;                                // 0: unknown (gone, or started per connection)
  std::string config_file = "/etc/ssh/sshd_config";  // -f
  std::vector<std::string> options;                  // -o, in order, as "Keyword=value"
  std::string root = "/";  // the tree that its paths are in: "/" or "/proc/PID/root"
  // Names the reading of its files that rules the connection: the process that read them, and which
  // of its readings it was. Empty: not known.
  std::string reading;
  friend bool operator==(const AcceptingSshd&, const AcceptingSshd&) = default;
};

struct Session {
  SessionId id;
  Kind kind = Kind::ssh;
  Tty tty;
  std::string tty_name;    // "pts/3", "tty1"; in a container, of the container's own devpts
  std::string container;   // the name of the one that it runs in, raw; empty: on the host itself
  std::string root = "/";  // the tree whose accounts name the user: "/" or "/proc/PID/root"
  uid_t uid = 0;
  gid_t gid = 0;  // of the passwd entry; (gid_t)-1, which is no group, if NSS does not know it
  std::string
      user;  // raw, as NSS or the container gives it; the number as text if that does not know it
  std::string home;   // of the passwd entry
  std::string shell;  // of the passwd entry
  pid_t host = 0;     // the host process; 0 for console and serial
  BootTime host_start{};
  int socket = -1;  // the connection's descriptor in the host process; -1: not known
  std::optional<Endpoint> remote;
  std::optional<Endpoint> local;
  bool address_unknown = false;               // it has one, perhaps, and the kernel refused to tell
  std::shared_ptr<const AcceptingSshd> sshd;  // of kinds ssh and ssh_nopty only; null: none
  // What logind calls it, where logind runs and knows it. Class and seat are empty without.
  std::optional<std::string> logind_session;
  std::string logind_class;
  std::string logind_seat;  // empty too for a login that sits at no seat
  // When somebody logged in, never too early: the leader's start, but where that may be as old as
  // the prompt (sessions/console.h). `started` is the same for people.
  BootTime login{};
  WallTime started{};
  BootTime clock_start{};  // the earliest moment that idle time may be counted from, if no earlier
                           // daemon has left more: the leader's start if it was certainly never
                           // typed in before it was found (without a tty: if it began after the
                           // scan before; its connection tells the rest), else when it was found
  pid_t foreground_pgrp = 0;
  std::string foreground;  // comm of the tty's foreground process group leader, raw; without a tty
                           // that of the command, empty where there is none
  Channel channel = Channel::unknown;  // of kind ssh_nopty
  std::string channel_name;            // the leader's comm when `channel` was found out
  bool has_tty() const noexcept { return id.tty != 0; }
};

}  // namespace idlewarden

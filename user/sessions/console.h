// SPDX-License-Identifier: Apache-2.0
// Logins on ttys that are hardware: virtual consoles, serial lines, hypervisor consoles.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/procfs.h"
#include "base/result.h"
#include "kernel/activity_source.h"
#include "sessions/session.h"

namespace idlewarden {

// One line of /proc/tty/drivers, of a kind that people log in on.
struct TtyDriver {
  std::string name;  // "tty", "ttyS", "hvc"
  std::uint32_t major = 0;
  std::uint32_t first_minor = 0;
  std::uint32_t last_minor = 0;
  Kind kind = Kind::console;  // or serial
};
// Ptys and the devices that stand for another (/dev/tty, /dev/console) are left out.
std::vector<TtyDriver> parse_tty_drivers(const std::string& text);

struct TtyName {
  std::string name;  // "tty1", "ttyS0"
  Kind kind = Kind::console;
};
std::optional<TtyName> tty_name(const std::vector<TtyDriver>& drivers, const Tty& tty);

// Whether the leader is the program that asks for a name and a password (login(1); telnetd starts
// it too), and has not let anybody in yet. It has once it has a login uid that its parent does not
// have, or once another process group than its own is in the foreground: on some distributions it
// stays the leader and the shell is its child. It runs as root: what a user calls "login" is none.
Result<bool> is_login_prompt(const Procfs& procfs, const Leader& leader);

// Whether somebody is logged in at this console or serial line. A getty, a login prompt, an X
// server, a service that was given the tty are no logins.
Result<bool> is_console_login(const Procfs& procfs, const Leader& leader);

// Whose login this is, where no host process says it: audit's login uid if this login set it, else
// the uid of the leader, or of login(1)'s child if login is the leader.
Result<uid_t> uid_of_login(const Procfs& procfs, const Leader& leader);

// When somebody logged in where the name is typed into the tty, never too early; `found`: no later.
// Some login(1)s start the shell as the leader; others stay it, or become the shell, and the leader
// is as old as the prompt. Then the login is no later than the oldest of its children that lives.
BootTime login_at(const Procfs& procfs, const Leader& leader, BootTime found);

// False while the keyboard of a virtual console does not go to its tty at all, because a graphical
// session reads the input devices itself (KDGKBMODE, ioctl_console(2)): what is typed there cannot
// be seen. True for every other tty.
Result<bool> keyboard_reaches(const Procfs& procfs, const Tty& tty);

}  // namespace idlewarden

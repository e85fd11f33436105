// SPDX-License-Identifier: Apache-2.0
// idlewarden's own policy files (TOML), as data. The first rule that matches decides.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/event_type.h"
#include "base/files.h"
#include "base/result.h"
#include "kernel/activity_source.h"
#include "limits/control.h"
#include "limits/limit.h"

namespace idlewarden {

struct Never {
  friend bool operator==(Never, Never) = default;
};
struct Derived {
  friend bool operator==(Derived, Derived) = default;
};
using RuleLimit = std::variant<Derived, Never, Seconds>;

// "Mo-Fr 08:00-18:00": weekdays and a span of local time, which may run over midnight.
struct Hours {
  bool days[7] = {};  // Monday first
  int from_minute = 0;
  int to_minute = 24 * 60;
  bool contains(WallTime wall) const;  // in the host's local time
};

// Empty means "any". Lists hold patterns (* ?) and negations (!), sshd's way: a negated match makes
// the whole list not match.
struct Match {
  std::vector<std::string> users, groups, addresses, hosts, ttys;
  std::vector<Kind> kinds;
  std::vector<Hours> hours;
};
// What a rule with `hosts` does, which matches nobody. `explain --host` is for sshd's Match alone.
inline constexpr const char* kNeedsHostName =
    "asks for the client's name, and no live connection has one: use addresses";

struct Rule {
  std::string name;
  Match match;
  RuleLimit limit = Derived{};
  Action action = Action::terminate;
  std::optional<Seconds> job_limit;
  std::vector<std::string> jobs;
  std::optional<Seconds> max_session;
  bool kill_survivors = false;
  Where where;       // of its `limit` line, else of the rule
  std::string text;  // that line
};

// A program that is run for each event.
struct Hooks {
  std::string on_event;           // its path, trusted (base/trusted_program.h); empty: none
  std::vector<EventType> events;  // of these; empty: of all
  Seconds timeout{10};
  Where where;  // of `on_event`
  friend bool operator==(const Hooks&, const Hooks&) = default;
};

// Who may see the status page, its API and the series of single sessions, all of which name people:
// whoever can reach it on loopback (and with the token elsewhere), only who has the token, nobody.
enum class StatusPage { loopback, token, off };

struct Policy {
  Mode mode = Mode::audit;
  Seconds warn{60};
  Seconds grace{5};
  bool output_counts = false;
  bool ignore_terminal_replies = true;
  int max_terminations_per_minute = 60;
  Messages messages;
  bool derive_sshd_config = true;
  bool derive_tmout = true;
  bool derive_logind = true;
  Seconds client_alive_floor{60};
  std::optional<Backend> backend;                                // none: auto
  std::optional<std::string> metrics_listen = "127.0.0.1:9477";  // none: no listener
  bool metrics_per_session = false;
  Hooks hooks;
  StatusPage metrics_page = StatusPage::loopback;
  Where metrics_page_where;
  std::string metrics_token_file;             // absolute; empty: there is no token
  std::vector<std::string> host_executables;  // [sessions] hosts, added to the built-in ones
  std::vector<Rule> rules;
  std::vector<Control> controls;   // for lint --against
  std::vector<std::string> files;  // what it was read from
};

// What the command line sets over the files.
struct PolicyOverrides {
  std::optional<Mode> mode;
  std::optional<std::string> metrics_listen;  // "none": no listener
  std::optional<std::string> backend;         // "auto" or a backend's name
};

// Reads `file` and, beside it, policies.d/*.toml in lexical order (scalars of a later file win,
// rules are appended). A missing `file` is an error unless it is the default one: then the defaults
// hold.
inline constexpr const char* kDefaultPolicyFile = "/etc/idlewarden/idlewarden.toml";
// As load_policy() takes `file`: a relative name is meant from the working directory; inside
// another tree, from its top.
std::string policy_path(const Root& root, const std::string& file);
// The folder beside it whose *.toml belong to it.
std::string policy_folder(const std::string& policy_path);
Result<Policy> load_policy(const Root& root, const std::string& file,
                           const PolicyOverrides& overrides = {});

}  // namespace idlewarden

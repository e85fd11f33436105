// SPDX-License-Identifier: Apache-2.0
// "How long": the one limit of a session, and who says so. Plain data that every front end (policy
// files, sshd_config, shell files, logind.conf) produces and everything below consumes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "sessions/session.h"

namespace idlewarden {

enum class Origin { rule, sshd_config, tmout, logind };
std::string_view to_string(Origin origin);

enum class Mode { audit, enforce };
std::string_view to_string(Mode mode);

enum class Action { terminate, alert };
std::string_view to_string(Action action);

// One line of one file that says, or seems to say, how long a session may be idle.
struct LimitSource {
  Origin origin = Origin::sshd_config;
  std::string directive;  // "ClientAliveInterval", "ChannelTimeout", "TMOUT", "autologout", "limit"
  Where where;            // file and line
  std::string text;       // the line as it stands, printable
  std::optional<Seconds> limit;  // none: says nothing (0, "none", "never") or cannot be decided
  bool used = false;             // this one is the limit
  bool conditional = false;      // stands under a condition that was not decided
  std::string reason;            // "5m x 2", or why it lost
  bool malformed = false;        // its value is none that its program understands, as TMOUT=5m
};

// Whose limit is asked for: a live session, or one that `explain` imagines.
struct Subject {
  std::string user;
  uid_t uid = 0;
  std::optional<gid_t> gid;         // the primary group; none: not known
  std::vector<std::string> groups;  // names, the primary one first
  bool foreign = false;             // user and groups are a container's, not the host's
  std::string home;
  std::string shell;
  Kind kind = Kind::ssh;
  Channel channel = Channel::unknown;  // of kind ssh_nopty
  std::string tty;                     // "pts/3"; empty: unknown
  std::string address;                 // of the client; empty: none, or unknown
  bool address_unknown = false;
  std::string host;  // the client's name: only explain --host has one, for sshd's Match
  std::string local_address;
  std::optional<std::uint16_t> local_port;
  AcceptingSshd sshd;
  std::string session;  // of a live one; empty: imagined, so the files as they are now decide
};

struct Messages {
  std::string warn;  // with {user} {tty} {reason} {advice} {idle} {left} {limit} {source}
  std::string end;
};

// The answer. Says everything that the enforcement needs to know of the policy for one session.
struct Verdict {
  std::optional<Seconds> limit;      // none: this session may be idle for ever
  std::optional<Origin> decided_by;  // none: nothing says anything
  std::optional<std::string> rule;   // the name of the rule that matched
  Action action = Action::terminate;
  Mode mode = Mode::audit;
  Seconds warn{0};  // before the limit; 0: no warning; at most half of the limit
  Seconds grace{5};
  Messages messages;
  bool output_counts = false;        // activity = "input+output"
  std::optional<Seconds> job_limit;  // instead of limit while one of `jobs` is in the foreground
  std::vector<std::string> jobs;     // command names
  std::optional<Seconds> max_session;
  bool kill_survivors = false;
  std::vector<LimitSource> sources;  // all that were considered, used and lost

  // Whatever its idle time, nothing is written to it and nobody ends it.
  bool reports_only() const noexcept { return mode == Mode::audit || action == Action::alert; }
  // The source that is used; null if none is. Valid as long as the verdict.
  const LimitSource* used_source() const;
};

}  // namespace idlewarden

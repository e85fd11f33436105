// SPDX-License-Identifier: Apache-2.0
// Whether a host meets what a standard asks for, control by control: the setting that is asked for
// by name, and apart from it whether an idle session really ends.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "limits/control.h"
#include "limits/lint_host.h"

namespace idlewarden {

enum class ControlStatus { met, not_met, not_applicable };
std::string_view to_string(ControlStatus status);  // "met", "not_met", "not_applicable"

// A line that was found, or what is missing.
struct ControlEvidence {
  Where where;
  std::string text;  // that line, printable
  std::string says;
  bool good = false;
};

// The sessions of one kind, by the one that may be idle longest.
struct ControlSessions {
  Kind kind = Kind::ssh;
  std::string user;
  std::optional<Seconds> limit;     // idlewarden's for it
  std::optional<LimitSource> used;  // where that comes from
  bool ends = false;                // within the time that the control asks for
  std::string ended_by;             // "idlewarden" or "logind"
  std::string why;                  // it does not end in time, or who ends it
};

struct ControlResult {
  Control control;
  ControlStatus status = ControlStatus::not_applicable;
  std::string reason;  // why it is not applicable
  std::vector<ControlEvidence> evidence;
  std::vector<ControlSessions> sessions;
  bool intent_met = false;
};

struct Compliance {
  std::string file;              // that asks
  std::string system;            // "debian 12"; empty: not known, so nobody's controls are left out
  bool service_enabled = false;  // in systemd, for the multi-user target
  std::vector<ControlResult> results;
  // Every control that applies is met, and one does.
  bool met() const;
};

// The controls of this one file (policies.d beside it is not read). Fails if it has none.
Result<std::vector<Control>> load_controls(const std::string& file);
// A control that names a setting is met by that setting; one that only names its intent is met
// where every such session ends in time, by idlewarden in enforce mode or by logind. TMOUT,
// ClientAliveInterval and ChannelTimeout by themselves end no forgotten editor.
Compliance check_controls(const LintHost& host, const std::string& file,
                          const std::vector<Control>& controls);

}  // namespace idlewarden

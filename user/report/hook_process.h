// SPDX-License-Identifier: Apache-2.0
// One run of the program of `[hooks] on_event`, from fork to wait. Blocks, so it has a thread that
// nothing waits for.
//
// The program gets the event as one JSON line on its stdin (to_json()), the event's name as its one
// argument, and the members that are not null as IDLEWARDEN_USER, IDLEWARDEN_TTY, ... with
// IDLEWARDEN_MESSAGE, a sentence for people, in an environment that has PATH besides. It is never
// given to a shell. It runs as root without any capability and cannot get one again (no_new_privs),
// in a session and process group of its own, in "/", with umask 077, no descriptor but the first
// three, no signal blocked or ignored, no core dump, at most 256 descriptors, 512 MiB of data
// (RLIMIT_DATA) and as many seconds of CPU as its timeout has.
#pragma once

#include <string>
#include <vector>

#include "limits/policy.h"
#include "report/event.h"

namespace idlewarden {

// What it is run with: "IDLEWARDEN_EVENT=terminated", ...
std::vector<std::string> hook_environment(const Event& event);

struct HookOutcome {
  enum class End { well, failed, timed_out, given_up } end = End::well;
  std::string why;  // of what did not end well: "exit status 22, having said \"...\""
};

// Returns when the program has ended or was killed: with all of its process group when its timeout
// is over or `give_up_fd` becomes readable; those that it leaves behind in its group when it ends.
HookOutcome run_hook(const Hooks& hooks, const Event& event, int give_up_fd);

}  // namespace idlewarden

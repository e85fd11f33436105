// SPDX-License-Identifier: Apache-2.0
// Choosing how input is observed: each backend is proven by loading, attaching and seeing its own
// test event; kernel versions are never compared.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "kernel/activity_source.h"

namespace idlewarden {

struct KernelOptions {
  std::optional<Backend> backend =
      std::nullopt;  // none: fentry, kprobe, sampler, the first that works
  bool record_output = false;
  bool ignore_terminal_replies = true;
  // Maps and links stay pinned here when the daemon ends; empty: nothing is pinned.
  std::string pin_dir = "/sys/fs/bpf/idlewarden/v1";
};

// One backend that was tried, for `doctor`.
struct Attempt {
  Backend backend = Backend::sampler;
  bool works = false;
  std::string reason;  // why not, in plain words, with the kernel's own (errno, log line)
  std::string hint;    // what an administrator can do about it
};

struct OpenedSource {
  std::unique_ptr<ActivitySource> source;
  std::vector<Attempt> attempts;      // in the order tried, the working one last
  std::vector<std::string> warnings;  // e.g. bpffs not mounted, foreign pins: nothing is pinned
  bool state_kept = false;            // input of before this start is known (pinned maps)
};

// Fails only if not even the sampler works; the error says why (no BTF, not root, ...).
Result<OpenedSource> open_activity_source(const KernelOptions& options, const Clock& clock);

// Tries all four, whatever would be chosen, and leaves nothing attached or pinned.
std::vector<Attempt> try_all_backends();
// What a backend cannot see, one sentence each; for doctor and the README.
std::vector<std::string> blind_spots(Backend backend);

struct PinsRemoved {
  int pins = 0;
  bool daemon_runs = false;  // and holds on to what was pinned until it ends
};

// Removes the pinned maps and links: nothing of idlewarden stays in the kernel, unless a daemon
// runs, which keeps its own until it ends.
Result<PinsRemoved> unload(const std::string& pin_dir);

}  // namespace idlewarden

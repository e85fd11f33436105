// SPDX-License-Identifier: Apache-2.0
// The front door of this folder: loads the policy, answers for a subject.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/result.h"
#include "limits/limit.h"
#include "limits/policy.h"
#include "limits/subject.h"

namespace idlewarden {

// A loaded policy together with what is read of the host's own files on demand. Not thread-safe.
class Limits {
 public:
  // Reads the policy files now and sshd_config (and what it includes) when first asked for a
  // session of that sshd. `overrides` are the command line's.
  static Result<Limits> load(const Root& root, const std::string& policy_file,
                             const PolicyOverrides& overrides = {});
  // With a policy that is in no file: reload() keeps it.
  static Limits with(const Root& root, Policy policy);
  ~Limits();
  Limits(Limits&&) noexcept;
  Limits& operator=(Limits&&) noexcept;

  const Policy& policy() const noexcept;

  // Never fails: a source that cannot be read keeps its last good reading, and where there was none
  // it stands among the sources with the error as its reason. `wall` decides `hours`.
  Verdict resolve(const Subject& subject, WallTime wall) const;

  // Reads every file again. An error is the policy's: the old one stays in force, and the host's
  // files are read again all the same.
  Result<void> reload();
  // An sshd that waits for connections: what its files say now is what it has read, unless that is
  // known already.
  void learn(const AcceptingSshd& listener) const;
  // A session has ended: what it began with (limits_host.h) need not be kept any longer.
  void forget(const Session& session);

  // The errors of host files (sshd_config, logind.conf) met since the last call, for the log.
  std::vector<Error> take_problems() const;
  // One of those that are a shortage of the host (base/shortage.h), which take_problems() does not
  // give: what it kept back is read by the next resolve() that wants it.
  std::optional<Error> take_shortage() const;
  // Every file and folder that the answers so far rest on, for watching: the policy's first. Not
  // those in users' homes: they are looked at when their owner logs in.
  std::vector<std::string> files() const;
  // Grows whenever files() may have changed.
  std::uint64_t readings() const noexcept;
  // As long as it stays the same, so does resolve(), but for rules with `hours`.
  std::uint64_t changes() const noexcept;
  bool depends_on_time() const noexcept;
  // Around the resolve() calls for sessions that were all found at once (limits_host.h).
  void begin_batch() const;
  void end_batch() const;

 private:
  struct Impl;
  explicit Limits(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace idlewarden

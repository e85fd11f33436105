// SPDX-License-Identifier: Apache-2.0
// "When", for sessions without a terminal: what a person sent through a connection, by exact
// accounting of the process that serves it, without a hook.
//
// What that process writes and does not give to its client it got from its client: typed bytes, an
// uploaded file, a request to sftp, data for a forwarded port. Keepalives of either side, window
// adjustments and output cancel out, so
//     input = bytes written - bytes given to the connection
// stands still, to the byte, while nobody uses it. It never falls. A look is not of one moment, but
// can only find less than there is (kernel/connection_probe.h, and the kernel adds to wchar when a
// write has ended). So more than ever before is input; less is a look in the middle of a write, is
// repeated, and as long as it stays less nothing is known, which is never idle.
//
// A command without input, which a client runs on a connection that it holds open, is none of those
// bytes: that a child of the process has ended counts too.
//
// The other way round, output = bytes read - bytes taken from the connection, is what a program
// said or a file that is downloaded. It counts as a transfer, and so as input, from 1 KiB/s on.
//
// What it takes for input though nobody sent it: about 96 bytes of host key signature each time the
// keys are renegotiated (RekeyLimit with a time); lines that an sshd writes to a log file (-E)
// while a connection is idle (LogLevel DEBUG).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "kernel/activity_source.h"
#include "kernel/connection_probe.h"

namespace idlewarden {

// Not thread-safe: the daemon's loop owns it.
class ConnectionMeter {
 public:
  ConnectionMeter(ConnectionProbe& probe, const Clock& clock) : probe_(probe), clock_(clock) {}

  // From now on looked at by sample(). Several sessions share a connection: each watch() wants its
  // own unwatch(). What cannot be measured yet is tried again by each sample.
  void watch(const ConnectionEnd& end);
  void unwatch(const ConnectionEnd& end) noexcept;
  // Looks at the connections, at 200 of them at most, those next in turn.
  void sample();
  // At one, once more, before something is decided.
  void sample(const ConnectionEnd& end);
  // As of the last sample: last_input is when the sample was made that noticed it, and `inputs`
  // counts those samples. While a connection cannot be measured its last input is now, and what
  // could not be measured from the start had its last when it first could. `since` is when the last
  // byte had gone over it, whoever sent it, before it was looked at first. Empty if it is not
  // watched.
  InputSeen input(const ConnectionEnd& end) const;

  // Whether there is one that cannot be measured, for another reason than that it ends.
  bool troubled() const;
  // Why, each sentence once until none is troubled; emptied by the call.
  std::vector<Error> take_problems() { return std::exchange(problems_, {}); }

 private:
  struct Entry {
    int watchers = 0;
    std::uint64_t socket = 0;
    // The most that was ever found.
    std::int64_t in = 0;
    std::int64_t out = 0;
    std::uint64_t children = 0;
    // Since when the present transfer rate is measured, and what `out` was then.
    BootTime rate_since{};
    std::int64_t rate_from = 0;
    bool unknown = true;
    bool failed = false;  // at any time
    bool troubled = false;
    InputSeen seen;
  };
  void sample(const ConnectionEnd& end, Entry& entry);
  Result<void> measure(const ConnectionEnd& end, Entry& entry);
  void begin(Entry& entry, const ConnectionBytes& bytes) const;
  void note(Entry& entry, const ConnectionBytes& bytes) const;

  ConnectionProbe& probe_;
  const Clock& clock_;
  std::map<ConnectionEnd, Entry> entries_;
  ConnectionEnd last_;  // that sample() looked at
  std::vector<Error> problems_;
  std::set<std::string> told_;
};

}  // namespace idlewarden

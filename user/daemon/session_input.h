// SPDX-License-Identifier: Apache-2.0
// Where a session's input is known from: its tty, or without one the connection that it shares with
// the other sessions on it.
#pragma once

#include "base/result.h"
#include "kernel/activity_source.h"
#include "kernel/connection_meter.h"
#include "sessions/connection.h"
#include "sessions/session.h"

namespace idlewarden {

class SessionInput {
 public:
  SessionInput(ActivitySource& source, ConnectionMeter& meter) : source_(source), meter_(meter) {}

  // As ActivitySource::watch(). A connection that cannot be measured is never idle, and the meter
  // says why.
  Result<void> watch(const Session& session) {
    if (session.has_tty()) return source_.watch(session.tty);
    meter_.watch(connection_end(session));
    return {};
  }
  void unwatch(const Session& session) noexcept {
    if (session.has_tty()) {
      source_.unwatch(session.tty);
    } else {
      meter_.unwatch(connection_end(session));
    }
  }
  InputSeen seen(const Session& session) const {
    return session.has_tty() ? source_.input(session.tty) : meter_.input(connection_end(session));
  }
  // Reads anew what no hook and no scan of the leaders keeps: of all sessions, or of one.
  void sample() { meter_.sample(); }
  void sample(const Session& session) {
    if (!session.has_tty()) meter_.sample(connection_end(session));
  }
  bool troubled() const { return meter_.troubled(); }
  std::vector<Error> take_problems() { return meter_.take_problems(); }

 private:
  ActivitySource& source_;
  ConnectionMeter& meter_;
};

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// HTTP: the daemon's unix socket (root only) and the metrics listener. Both run on threads of their
// own, with all signals blocked; they never touch the daemon's state, they ask for a Snapshot. A
// client that goes away costs no SIGPIPE; making a server ignores the signal for the process, as
// the HTTP library has it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "report/idle_gaps.h"
#include "report/listen.h"
#include "report/reporter.h"
#include "report/snapshot.h"

namespace idlewarden {

// Called from a server's thread; hands the question to the daemon's loop and waits for the answer.
// An error if the loop does not answer within 2 s; clients get it as 503.
using SnapshotProvider = std::function<Result<Snapshot>()>;
using IdleGapsProvider = std::function<Result<IdleGaps>()>;

class Server {
 public:
  // Stops accepting, ends open requests, joins its threads: within a second, or as long as a
  // provider that has been asked already takes. Removes the unix socket.
  virtual ~Server() = default;
  virtual std::string address() const = 0;  // as bound: "127.0.0.1:9477" or the socket's path
};

// GET /metrics, /healthz for everybody; for those who may see what names people (access.h) / (the
// status page), /api/v1/sessions, /api/v1/status and /api/v1/events, as the socket has them, and in
// /metrics the series per session. A client that sends nothing is dropped after 1 s and cannot keep
// others waiting; at most 32 connections at a time. An address is listened on as listen_tcp() does.
// `reporter` outlives the server.
Result<std::unique_ptr<Server>> serve_metrics(Result<Listener> listener,
                                              const SnapshotProvider& provider, Reporter& reporter);
Result<std::unique_ptr<Server>> serve_metrics(const std::string& address,
                                              const SnapshotProvider& provider, Reporter& reporter);

// GET /v1/sessions, /v1/sessions.txt (?width=COLUMNS&charset=ascii: the table for people),
// /v1/sessions/ID (one of them and why its limit is what it is; ID as find_session() takes it, 404
// with what may have been meant; ?format=text: for people), /v1/status, /v1/events (the last 1,024
// as JSON lines; ?follow=1: those from now on, as they happen, with an empty line now and then;
// ?format=text: sentences with their time), /v1/idle-gaps and, for people, /v1/idle-gaps.txt
// (?limits=5m,10m: what these limits would have done; ?users=10: how many users to name), /metrics,
// /healthz. The socket's mode is 0600, its folder is made 0755 if missing; a stale socket is
// replaced, a live one is an error. `reporter` outlives the server.
Result<std::unique_ptr<Server>> serve_unix(const std::string& path,
                                           const SnapshotProvider& provider, Reporter& reporter,
                                           const IdleGapsProvider& gaps);

}  // namespace idlewarden

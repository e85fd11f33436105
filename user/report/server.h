// SPDX-License-Identifier: Apache-2.0
// HTTP: the daemon's unix socket (root only) and the metrics listener. Both run on threads of their
// own; they never touch the daemon's state, they ask for a Snapshot.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "report/reporter.h"
#include "report/snapshot.h"

namespace idlewarden {

// Called from a server's thread; hands the question to the daemon's loop and waits for the answer.
// An error if the loop does not answer within 2 s.
using SnapshotProvider = std::function<Result<Snapshot>()>;

class Server {
 public:
  virtual ~Server() = default;  // stops accepting, ends open requests, joins its threads
  virtual std::string address() const = 0;  // as bound: "127.0.0.1:9477" or the socket's path
};

// GET /metrics, /healthz, / (a plain list of these). A client that sends nothing is dropped after
// 1 s and cannot keep others waiting; at most 32 connections at a time. Port 0: any.
Result<std::unique_ptr<Server>> serve_metrics(const std::string& listen, SnapshotProvider provider);

// GET /v1/sessions, /v1/status, /v1/events (a stream of JSON lines; ?follow=1 keeps it open),
// /metrics, /healthz. The socket's mode is 0600, its folder is made 0755 if missing; a stale socket
// is replaced, a live one is an error.
Result<std::unique_ptr<Server>> serve_unix(const std::string& path, SnapshotProvider provider,
                                           Reporter& reporter);

}  // namespace idlewarden

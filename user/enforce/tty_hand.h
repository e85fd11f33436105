// SPDX-License-Identifier: Apache-2.0
// An open tty, in the hands of a thread of its own. While a process that reads or writes a tty
// waits for a page of its own memory (of a file on a server that has gone, or on a file system of
// the user's), whoever hangs that tty up waits in the kernel, and so does whoever comes to it after
// that; not even SIGKILL ends it. So nobody waits here for longer than a moment. A thread that does
// not come back stays behind: one for a session, few in all.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>

#include "base/patience.h"
#include "base/procfs.h"
#include "base/result.h"
#include "sessions/session.h"

namespace idlewarden {

// Those threads. Not thread-safe, and neither are the hands: all are one caller's.
class TtyThreads {
 public:
  bool waits_for(const SessionId& id);

 private:
  friend class TtyHand;
  Patience patience_{8};
  std::map<SessionId, std::future<bool>> late_;
};

class TtyHand {
 public:
  // Finds it and opens it, as open_tty(). code is ETIMEDOUT if there is no answer in time, at once
  // if too many, or this one, do not answer already.
  static Result<std::unique_ptr<TtyHand>> open(std::shared_ptr<TtyThreads> threads,
                                               const Procfs& procfs, const Session& session);
  ~TtyHand();  // closes it
  TtyHand(const TtyHand&) = delete;
  TtyHand& operator=(const TtyHand&) = delete;

  // What is done with the open tty; it owns what it uses, as it may outlive the hand.
  using Order = std::function<Result<void>(int tty)>;
  // The order's own answer. code is ETIMEDOUT if there is none in time: lost() from then on. An
  // order that could not be begun in time (EAGAIN: a busy machine may take long until a thread
  // runs), or that comes after one that was lost (ETIMEDOUT), is never carried out.
  Result<void> ask(Order order, std::chrono::milliseconds to_begin = std::chrono::seconds(1));
  bool lost() const noexcept { return lost_; }

 private:
  struct Desk;
  TtyHand(std::shared_ptr<TtyThreads> threads, const SessionId& id);
  static bool serve(Desk& desk, const Procfs& procfs, const Session& session);

  std::shared_ptr<TtyThreads> threads_;
  SessionId id_;
  std::shared_ptr<Desk> desk_;
  std::future<bool> closed_;
  bool lost_ = false;
};

}  // namespace idlewarden

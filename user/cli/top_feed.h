// SPDX-License-Identifier: Apache-2.0
// Asking the daemon what `top` shows.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "report/sessions_view.h"

namespace idlewarden {

Result<SessionsView> fetch_view(const std::string& socket);

// Again and again, on a thread of its own: a daemon that is slow to answer does not keep the keys
// waiting, and is asked less often.
class TopFeed {
 public:
  // The thread takes no signals.
  TopFeed(const std::string& socket, Seconds interval);
  // Does not wait for a question that is under way; its answer is dropped.
  ~TopFeed();
  TopFeed(const TopFeed&) = delete;
  TopFeed& operator=(const TopFeed&) = delete;

  int fd() const noexcept;  // readable when there is an answer
  // The newest answer since the last call.
  std::optional<Result<SessionsView>> take();

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "cli/top_feed.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "base/unique_fd.h"
#include "report/client.h"

namespace idlewarden {

Result<SessionsView> fetch_view(const std::string& socket) {
  const auto json = fetch_unix(socket, "/v1/sessions");
  if (!json) return std::unexpected(json.error());
  return parse_view(*json);
}

struct TopFeed::Shared {
  std::string socket;
  Seconds interval;
  UniqueFd ready{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  std::optional<Result<SessionsView>> answer;

  void ask_on() {
    while (true) {
      const auto asked = std::chrono::steady_clock::now();
      auto view = fetch_view(socket);
      // Thousands of sessions are not worth more than a tenth of a core, here and in the daemon.
      const auto pause =
          std::max<Nanoseconds>(interval, 9 * (std::chrono::steady_clock::now() - asked));
      std::unique_lock lock(mutex);
      answer = std::move(view);
      const std::uint64_t one = 1;
      // Full only if 2^64 - 2 answers were not taken.
      static_cast<void>(!::write(ready.get(), &one, sizeof one));
      if (changed.wait_for(lock, pause, [this] { return over; })) return;
    }
  }
};

TopFeed::TopFeed(const std::string& socket, Seconds interval)
    : shared_(std::make_shared<Shared>()) {
  shared_->socket = socket;
  shared_->interval = interval;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread([shared = shared_] { shared->ask_on(); }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TopFeed::~TopFeed() {
  const std::lock_guard lock(shared_->mutex);
  shared_->over = true;
  shared_->changed.notify_all();
}

int TopFeed::fd() const noexcept {
  return shared_->ready.get();
}

std::optional<Result<SessionsView>> TopFeed::take() {
  // First, so that an answer that comes meanwhile is told again.
  std::uint64_t count = 0;
  static_cast<void>(!::read(shared_->ready.get(), &count, sizeof count));
  const std::lock_guard lock(shared_->mutex);
  return std::exchange(shared_->answer, std::nullopt);
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// sd-event(3), owned: the daemon's one thread. Only call() may be used from other threads.
#pragma once

#include <systemd/sd-event.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace idlewarden {

class Loop {
 public:
  static Result<std::unique_ptr<Loop>> create();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // The signal is blocked in the calling thread and delivered here. Before any thread is started.
  Result<void> on_signal(int signal, std::function<void()> handler);
  // The one timer, on CLOCK_BOOTTIME; arming it again moves it.
  Result<void> on_timer(std::function<void()> handler);
  void arm(BootTime when);
  // Each time a file is made in the folder (inotify(7)).
  Result<void> on_new_file(const std::string& folder, std::function<void()> handler);
  // Each time the descriptor, which stays the caller's, can be read.
  Result<void> on_readable(int fd, std::function<void()> handler);
  // Calls the handler once any of these (pidfds) becomes readable; replaces the last set. The
  // descriptors are duplicated, so the caller may close its own.
  void watch_once(const std::vector<int>& fds, const std::function<void()>& handler);
  // Any thread: runs `work` on the loop's thread, soon. False once the loop has ended.
  bool call(std::function<void()> work);

  // For sources of other kinds; they are gone before this is.
  sd_event* event() const noexcept { return event_; }

  // Tells the service manager that it is alive as long as the loop turns (WatchdogSec=).
  void enable_watchdog();
  // Until stop(). What fails once is told and tried again; what goes on failing is an error.
  Result<void> run(const std::function<void(const Error&)>& trouble);
  void stop();

 private:
  struct SourceDeleter {
    void operator()(sd_event_source* source) const noexcept {
      sd_event_source_disable_unref(source);
    }
  };
  using Source = std::unique_ptr<sd_event_source, SourceDeleter>;
  struct Handler {
    std::function<void()> run;
    UniqueFd fd;
    Source source;  // goes before the descriptor it watches
  };

  Loop() = default;
  Handler& add_handler(std::function<void()> handler);

  sd_event* event_ = nullptr;
  std::vector<std::unique_ptr<Handler>> handlers_;
  Handler timer_;
  std::vector<std::unique_ptr<Handler>> once_;
  Handler wake_up_;
  std::mutex mutex_;
  bool closed_ = false;                      // under mutex_
  std::vector<std::function<void()>> work_;  // under mutex_
};

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "daemon/loop.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include <chrono>
#include <thread>
#include <utility>

namespace idlewarden {
namespace {

int run_signal(sd_event_source*, const signalfd_siginfo*, void* handler) {
  (*static_cast<std::function<void()>*>(handler))();
  return 0;
}

int run_timer(sd_event_source*, std::uint64_t, void* handler) {
  (*static_cast<std::function<void()>*>(handler))();
  return 0;
}

int run_io(sd_event_source*, int, std::uint32_t, void* handler) {
  // A copy: the handler may replace the set of watched descriptors, and itself with it.
  const auto copy = *static_cast<std::function<void()>*>(handler);
  copy();
  return 0;
}

int run_inotify(sd_event_source*, const inotify_event*, void* handler) {
  (*static_cast<std::function<void()>*>(handler))();
  return 0;
}

}  // namespace

Result<std::unique_ptr<Loop>> Loop::create() {
  std::unique_ptr<Loop> loop(new Loop);
  if (const int r = sd_event_new(&loop->event_); r < 0) {
    return fail_errno("cannot make the event loop", -r);
  }
  loop->wake_up_.fd.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!loop->wake_up_.fd) return fail_errno("cannot make an eventfd");
  loop->wake_up_.run = [raw = loop.get()] {
    std::uint64_t ignored = 0;
    if (::read(raw->wake_up_.fd.get(), &ignored, sizeof ignored) < 0) return;  // woken already
    std::vector<std::function<void()>> work;
    {
      const std::lock_guard lock(raw->mutex_);
      work = std::exchange(raw->work_, {});
    }
    for (const auto& piece : work) piece();
  };
  sd_event_source* source = nullptr;
  if (const int r = sd_event_add_io(loop->event_, &source, loop->wake_up_.fd.get(), EPOLLIN, run_io,
                                    &loop->wake_up_.run);
      r < 0) {
    return fail_errno("cannot watch an eventfd", -r);
  }
  loop->wake_up_.source.reset(source);
  return loop;
}

Loop::~Loop() {
  once_.clear();
  timer_.source.reset();
  handlers_.clear();
  wake_up_.source.reset();
  sd_event_unref(event_);
}

Loop::Handler& Loop::add_handler(std::function<void()> handler) {
  handlers_.push_back(std::make_unique<Handler>());
  handlers_.back()->run = std::move(handler);
  return *handlers_.back();
}

Result<void> Loop::on_signal(int signal, std::function<void()> handler) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  if (const int r = pthread_sigmask(SIG_BLOCK, &set, nullptr); r != 0) {
    return fail_errno("cannot block a signal", r);
  }
  Handler& entry = add_handler(std::move(handler));
  sd_event_source* source = nullptr;
  const int r = sd_event_add_signal(event_, &source, signal, run_signal, &entry.run);
  if (r < 0) return fail_errno("cannot receive a signal", -r);
  entry.source.reset(source);
  return {};
}

Result<void> Loop::on_timer(std::function<void()> handler) {
  timer_.run = std::move(handler);
  sd_event_source* source = nullptr;
  // 1 ms: how exactly the timer fires; left to itself sd-event would allow 250 ms.
  const int r = sd_event_add_time(event_, &source, CLOCK_BOOTTIME, 0, 1000, run_timer, &timer_.run);
  if (r < 0) return fail_errno("cannot make a timer", -r);
  timer_.source.reset(source);
  return {};
}

Result<void> Loop::on_new_file(const std::string& folder, std::function<void()> handler) {
  Handler& entry = add_handler(std::move(handler));
  sd_event_source* source = nullptr;
  const int r = sd_event_add_inotify(event_, &source, folder.c_str(), IN_CREATE | IN_ONLYDIR,
                                     run_inotify, &entry.run);
  if (r < 0) {
    handlers_.pop_back();
    return fail_errno("cannot watch " + folder, -r);
  }
  entry.source.reset(source);
  return {};
}

Result<void> Loop::on_readable(int fd, std::function<void()> handler) {
  Handler& entry = add_handler(std::move(handler));
  sd_event_source* source = nullptr;
  const int r = sd_event_add_io(event_, &source, fd, EPOLLIN, run_io, &entry.run);
  if (r < 0) return fail_errno("cannot watch a descriptor", -r);
  entry.source.reset(source);
  return {};
}

void Loop::arm(BootTime when) {
  const auto us = std::chrono::ceil<std::chrono::microseconds>(when.time_since_epoch()).count();
  sd_event_source_set_time(timer_.source.get(), static_cast<std::uint64_t>(us));
  sd_event_source_set_enabled(timer_.source.get(), SD_EVENT_ONESHOT);
}

void Loop::watch_once(const std::vector<int>& fds, const std::function<void()>& handler) {
  once_.clear();
  for (const int fd : fds) {
    auto entry = std::make_unique<Handler>();
    entry->run = handler;
    entry->fd.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
    sd_event_source* source = nullptr;
    // Not watching one only means that its end is noticed at the next turn.
    if (!entry->fd ||
        sd_event_add_io(event_, &source, entry->fd.get(), EPOLLIN, run_io, &entry->run) < 0) {
      continue;
    }
    entry->source.reset(source);
    sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    once_.push_back(std::move(entry));
  }
}

bool Loop::call(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  work_.push_back(std::move(work));
  const std::uint64_t one = 1;
  // The counter cannot overflow; should the write be refused all the same, the work waits for the
  // next wake-up and the caller's own timeout tells it.
  return ::write(wake_up_.fd.get(), &one, sizeof one) == sizeof one;
}

void Loop::enable_watchdog() {
  sd_event_set_watchdog(event_, 1);
}

Result<void> Loop::run(const std::function<void(const Error&)>& trouble) {
  using std::chrono::steady_clock;
  constexpr int kMostInARow = 10;
  constexpr std::chrono::seconds kRow{10};
  int r = 0;
  int in_a_row = 0;
  steady_clock::time_point last{};
  // A source whose descriptor could not be read stays ready, so nothing is lost by going on.
  while ((r = sd_event_loop(event_)) < 0) {
    const auto now = steady_clock::now();
    in_a_row = now - last < kRow ? in_a_row + 1 : 1;
    if (in_a_row > kMostInARow) break;
    last = now;
    trouble(fail_errno("the event loop stumbled", -r).error());
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    work_.clear();
  }
  if (r < 0) return fail_errno("the event loop failed", -r);
  return {};
}

void Loop::stop() {
  sd_event_exit(event_, 0);
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "base/patience.h"

#include <fmt/format.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "base/text.h"

namespace idlewarden {
namespace {

std::chrono::nanoseconds ran_of_thread() noexcept {
  timespec ran{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran);
  return std::chrono::seconds(ran.tv_sec) + std::chrono::nanoseconds(ran.tv_nsec);
}

// False: refused (ENOMEM), and it keeps them for now.
bool leave_descriptors() noexcept {
// ThreadSanitizer takes number 4 here for number 4 there, and would see races.
#ifndef __SANITIZE_THREAD__
  return ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_UNSHARE) == 0;
#else
  return true;
#endif
}

thread_local std::chrono::nanoseconds others_cost{};

}  // namespace

// What a Patience shares with its threads, which may outlive it.
struct Patience::Room {
  Room(int most_at_a_time, Descriptors which) : most(most_at_a_time), descriptors(which) {}

  // The life of a thread.
  void serve(Call call) {
    for (bool left = descriptors == Descriptors::shared; call;) {
      left = left || leave_descriptors();
      auto hand_over = call();
      call = nullptr;
      // First it is free, then the answer is there: whoever has that may ask the next at once.
      std::unique_lock lock(mutex);
      --running;
      const bool waits = !closed && waiting == 0 && !next;
      if (waits) waiting = ::gettid();
      lock.unlock();
      hand_over();
      hand_over = nullptr;
      if (!waits) return;
      lock.lock();
      changed.wait(lock, [this] { return closed || next; });
      std::swap(call, next);
    }
  }

  // For who will wait for that thread: on two CPUs each would have to wake the other's. Refused, it
  // takes longer.
  void have_beside_me(pid_t thread) {
    const int here = ::sched_getcpu();
    if (here < 0 || here >= CPU_SETSIZE) return;
    if (thread == beside.thread && here == beside.cpu) return;
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(here, &cpus);
    (void)::sched_setaffinity(thread, sizeof cpus, &cpus);
    beside = {thread, here};
  }

  std::mutex mutex;
  std::condition_variable changed;
  const int most;
  const Descriptors descriptors;
  int running = 0;
  pid_t waiting = 0;  // a thread that has nothing to do; 0: none
  Call next;          // for that one
  bool closed = false;
  struct {
    pid_t thread = 0;
    int cpu = -1;
  } beside;
};

Patience::Patience(int most_at_a_time, Descriptors descriptors)
    : room_(std::make_shared<Room>(most_at_a_time, descriptors)) {}

Patience::~Patience() {
  if (!room_) return;  // moved from
  const std::lock_guard lock(room_->mutex);
  room_->closed = true;
  room_->changed.notify_all();
}

bool Patience::give(Call call, bool is_waited_for) {
  const std::lock_guard lock(room_->mutex);
  if (room_->running >= room_->most) return false;
  if (room_->waiting != 0) {
    const pid_t thread = std::exchange(room_->waiting, 0);
    if (is_waited_for) room_->have_beside_me(thread);
    room_->next = std::move(call);
    room_->changed.notify_one();
    ++room_->running;
    return true;
  }
  // From the beginning of the thread on: signals are the others'.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  bool begun = true;
  try {
    std::thread([room = room_, call = std::move(call)]() mutable {
      room->serve(std::move(call));
    }).detach();
    ++room_->running;
  } catch (const std::system_error&) {
    begun = false;
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return begun;
}

void Patience::Progress::begin() noexcept {
  began_ = std::chrono::steady_clock::now().time_since_epoch();
  had_run_ = ran_of_thread();
  thread_ = ::gettid();
}

bool Patience::Progress::is_starved() const {
  const pid_t thread = thread_;
  if (thread == 0) return true;
  std::ifstream file(fmt::format("/proc/self/task/{}/stat", thread));
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const auto comm_ends = text.rfind(')');
  if (comm_ends == std::string::npos) return false;
  // state, ..., utime, stime (proc(5), 3, 14 and 15)
  const auto fields = split(trim(std::string_view(text).substr(comm_ends + 1)), ' ');
  if (fields.size() < 13 || fields[0] != "R") return false;
  const auto ticks = std::strtoull(fields[11].c_str(), nullptr, 10) +
                     std::strtoull(fields[12].c_str(), nullptr, 10);
  const std::chrono::duration<double> ran(double(ticks) / double(::sysconf(_SC_CLK_TCK)));
  const auto began = std::chrono::steady_clock::time_point(began_.load());
  return ran - std::chrono::nanoseconds(had_run_) < (std::chrono::steady_clock::now() - began) / 2;
}

TimeOfCall::TimeOfCall() noexcept : begin_(read()) {}

TimeOfCall::Reading TimeOfCall::read() noexcept {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return {std::chrono::steady_clock::now(), ran_of_thread(), usage.ru_nvcsw};
}

TimeOfCall::Taken TimeOfCall::so_far() const noexcept {
  const Reading now = read();
  const auto ran = now.ran - begin_.ran;
  return {now.sleeps != begin_.sleeps ? now.at - begin_.at : ran, ran};
}

std::chrono::nanoseconds cost_of_answers() noexcept {
  return others_cost;
}

void add_cost_of_answer(std::chrono::nanoseconds cost) noexcept {
  others_cost += cost;
}

}  // namespace idlewarden

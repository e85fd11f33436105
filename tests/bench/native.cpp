// SPDX-License-Identifier: Apache-2.0
// What the two backends that need no hook on the tty cost on this very machine, as JSON:
//   native tracepoint        ns of a getppid(2) that has nothing to do with it, without and with
//   native scan N,N,...      us of one scan with so many processes on the machine
// Each value is the least of many rounds: what is added by others is noise.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/text.h"
#include "kernel/backends.h"

namespace idlewarden::bench {
namespace {

using Clock = std::chrono::steady_clock;

OpenedSource open(Backend backend, const SystemClock& clock) {
  auto opened = open_activity_source({.backend = backend, .pin_dir = ""}, clock);
  if (!opened) throw std::runtime_error(opened.error().text());
  return std::move(*opened);
}

double ns_since(Clock::time_point begun) {
  return std::chrono::duration<double, std::nano>(Clock::now() - begun).count();
}

double syscall_ns() {
  constexpr int kCalls = 20'000;
  const auto begun = Clock::now();
  for (int i = 0; i < kCalls; ++i) (void)::getppid();
  return ns_since(begun) / kCalls;
}

// In turns, so that both see the same machine.
void tracepoint() {
  constexpr int kTurns = 30;
  constexpr int kRounds = 10;
  const SystemClock clock;
  double without = 1e9;
  double with = 1e9;
  for (int turn = 0; turn < kTurns; ++turn) {
    for (int i = 0; i < kRounds; ++i) without = std::min(without, syscall_ns());
    const OpenedSource source = open(Backend::tracepoint, clock);
    for (int i = 0; i < kRounds; ++i) with = std::min(with, syscall_ns());
  }
  std::printf("{\"getppid_ns\": %.2f, \"with_tracepoint_ns\": %.2f}\n", without, with);
}

long processes() {
  long count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    count += std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
  }
  return count;
}

// Half of them lead a session, as where each is a login's.
class Crowd {
 public:
  ~Crowd() {
    for (const pid_t pid : pids_) ::kill(pid, SIGKILL);
    for (const pid_t pid : pids_) ::waitpid(pid, nullptr, 0);
  }
  void grow_to(long wanted) {
    for (long left = wanted - processes(); left > 0; --left) {
      const pid_t pid = ::fork();
      if (pid < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
      if (pid == 0) {
        if (left % 2 == 0) ::setsid();
        while (true) ::pause();
      }
      pids_.push_back(pid);
    }
  }

 private:
  std::vector<pid_t> pids_;
};

void scan(const std::string& counts) {
  constexpr int kRounds = 50;
  const SystemClock clock;
  const OpenedSource source = open(Backend::sampler, clock);
  Crowd crowd;
  const char* separator = "[";
  for (const std::string& count : split(counts, ',')) {
    crowd.grow_to(std::strtol(count.c_str(), nullptr, 10));
    double least = 1e12;
    std::size_t leaders = 0;
    for (int i = 0; i < kRounds; ++i) {
      const auto begun = Clock::now();
      const auto rows = source.source->scan();
      least = std::min(least, ns_since(begun));
      if (!rows) throw std::runtime_error(rows.error().text());
      leaders = rows->size();
    }
    std::printf("%s{\"processes\": %ld, \"leaders\": %zu, \"scan_us\": %.1f}", separator,
                processes(), leaders, least / 1000);
    separator = ",\n ";
  }
  std::puts("]");
}

}  // namespace
}  // namespace idlewarden::bench

int main(int argc, char** argv) {
  try {
    if (argc == 2 && std::strcmp(argv[1], "tracepoint") == 0) {
      idlewarden::bench::tracepoint();
    } else if (argc == 3 && std::strcmp(argv[1], "scan") == 0) {
      idlewarden::bench::scan(argv[2]);
    } else {
      std::fputs("usage: native tracepoint | native scan N,N,...\n", stderr);
      return 2;
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "native: %s\n", error.what());
    return 1;
  }
}

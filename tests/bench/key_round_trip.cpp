// SPDX-License-Identifier: Apache-2.0
// What one key costs on its way through a pty, one byte written to the master and read from the
// slave: with no hook, with an empty program at the hook, and with idlewarden's.
//
// Under qemu's -icount shift=0 a nanosecond is an instruction, so tests/bench/run counts
// instructions with this; elsewhere the times are times, and noisy.
#include <benchmark/benchmark.h>
#include <bpf/libbpf.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/clock.h"
#include "empty.skel.h"
#include "kernel/backends.h"

namespace idlewarden::bench {
namespace {

constexpr int kPairs = 100'000;
constexpr int kRepetitions = 2;

// A raw pty with a session leader on it, so that it is a tty that the daemon would watch.
class Pty {
 public:
  Pty() {
    termios raw{};
    cfmakeraw(&raw);
    raw.c_cflag |= B38400;
    if (::openpty(&master_, &slave_, nullptr, &raw, nullptr) != 0) {
      throw std::runtime_error("openpty");
    }
    leader_ = ::fork();
    if (leader_ == 0) {
      ::close(master_);
      ::login_tty(slave_);
      while (true) ::pause();
    }
  }
  Pty(const Pty&) = delete;
  Pty& operator=(const Pty&) = delete;
  ~Pty() {
    ::kill(leader_, SIGKILL);
    ::waitpid(leader_, nullptr, 0);
    ::close(slave_);
    ::close(master_);
  }

  pid_t leader() const { return leader_; }
  void round_trip() const {
    char key = 'x';
    if (::write(master_, &key, 1) != 1 || ::read(slave_, &key, 1) != 1) {
      throw std::runtime_error("the key was lost");
    }
  }

 private:
  int master_ = -1;
  int slave_ = -1;
  pid_t leader_ = -1;
};

// Another pty's key is what most of a host's programs would pay: the claim does not match.
enum class Hook { none, empty, unwatched, watched };

struct Variant {
  const char* name;
  Hook hook;
  Backend backend;
};

constexpr Variant kVariants[] = {
    {"none", Hook::none, Backend::sampler},
    {"empty/fentry", Hook::empty, Backend::fentry},
    {"idlewarden/fentry/unwatched", Hook::unwatched, Backend::fentry},
    {"idlewarden/fentry", Hook::watched, Backend::fentry},
    {"empty/kprobe", Hook::empty, Backend::kprobe},
    {"idlewarden/kprobe/unwatched", Hook::unwatched, Backend::kprobe},
    {"idlewarden/kprobe", Hook::watched, Backend::kprobe},
};

class EmptyProgram {
 public:
  explicit EmptyProgram(Backend backend) : object_(empty_bpf__open(), empty_bpf__destroy) {
    if (!object_) throw std::runtime_error("opening the empty program");
    bpf_program* program =
        backend == Backend::fentry ? object_->progs.empty_fentry : object_->progs.empty_kprobe;
    bpf_program__set_autoload(program, true);
    if (empty_bpf__load(object_.get()) != 0) throw std::runtime_error("loading the empty program");
    link_.reset(bpf_program__attach(program));
    if (!link_) throw std::runtime_error("attaching the empty program");
  }

 private:
  struct Unlink {
    void operator()(bpf_link* link) const { bpf_link__destroy(link); }
  };
  std::unique_ptr<empty_bpf, decltype(&empty_bpf__destroy)> object_;
  std::unique_ptr<bpf_link, Unlink> link_;
};

class Watched {
 public:
  Watched(Backend backend, const Pty& pty, bool watch) {
    auto opened = open_activity_source({.backend = backend, .pin_dir = ""}, clock_);
    if (!opened) throw std::runtime_error(opened.error().text());
    source_ = std::move(opened->source);
    if (!watch) return;
    const auto leaders = source_->scan();
    if (!leaders) throw std::runtime_error(leaders.error().text());
    const auto leader = std::ranges::find(*leaders, pty.leader(), &Leader::pid);
    if (leader == leaders->end() || !leader->tty) throw std::runtime_error("the pty is not seen");
    tty_ = leader->tty;
    if (const auto watching = source_->watch(*tty_); !watching) {
      throw std::runtime_error(watching.error().text());
    }
  }

  // So that a program that does nothing is not called fast.
  std::uint64_t seen() const { return tty_ ? source_->input(*tty_).inputs : 0; }

 private:
  SystemClock clock_;
  std::unique_ptr<ActivitySource> source_;
  std::optional<Tty> tty_;
};

void measure(benchmark::State& state, const Variant& variant) {
  try {
    const Pty pty;
    pty.round_trip();
    std::optional<EmptyProgram> empty;
    std::optional<Watched> watched;
    if (variant.hook == Hook::empty) empty.emplace(variant.backend);
    if (variant.hook == Hook::watched || variant.hook == Hook::unwatched) {
      watched.emplace(variant.backend, pty, variant.hook == Hook::watched);
    }
    const std::uint64_t before = watched ? watched->seen() : 0;
    std::uint64_t pairs = 0;
    for (auto _ : state) {
      pty.round_trip();
      ++pairs;
    }
    if (variant.hook == Hook::watched && watched->seen() - before != pairs) {
      state.SkipWithError("the program did not see every key");
    }
  } catch (const std::exception& error) {
    state.SkipWithError(error.what());
  }
}

}  // namespace
}  // namespace idlewarden::bench

int main(int argc, char** argv) {
  using namespace idlewarden::bench;
  libbpf_set_print(nullptr);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  for (const Variant& variant : kVariants) {
    benchmark::RegisterBenchmark(variant.name, measure, variant)
        ->Iterations(kPairs)
        ->Repetitions(kRepetitions)
        ->UseRealTime();
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// What the hook costs where it is passed: a key's round trip through a pty, one byte written to the
// master and read from the slave, and a screenful of output, 25 lines of 80 bytes written to the
// slave and read from the master. With no hook, with an empty program at the hook, with
// idlewarden's, and with hooks on tty_write and tty_read and a hash, as it is usually done.
//
// Under qemu's -icount shift=0 a nanosecond is an instruction, so tests/bench/run counts
// instructions with this; elsewhere the times are times, and noisy.
#include <benchmark/benchmark.h>
#include <bpf/libbpf.h>
#include <pty.h>
#include <sched.h>
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
#include "both_ends.skel.h"
#include "empty.skel.h"
#include "kernel/backends.h"

namespace idlewarden::bench {
namespace {

constexpr int kKeys = 100'000;
constexpr int kScreens = 2'000;
constexpr int kRepetitions = 2;
constexpr int kLines = 25;
constexpr int kColumns = 80;

// A pty with a session leader on it, so that it is a tty that the daemon would watch; raw, but that
// output gets its carriage returns.
class Pty {
 public:
  Pty() {
    termios raw{};
    cfmakeraw(&raw);
    raw.c_cflag |= B38400;
    raw.c_oflag |= OPOST | ONLCR;
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
  void screen() {
    const auto size = static_cast<ssize_t>(screen_.size());
    if (::write(slave_, screen_.data(), screen_.size()) != size) {
      throw std::runtime_error("the screen was not taken");
    }
    for (ssize_t left = size + kLines; left > 0;) {
      char buffer[4096];
      const ssize_t got = ::read(master_, buffer, sizeof buffer);
      if (got <= 0) throw std::runtime_error("the screen was lost");
      left -= got;
    }
  }

 private:
  int master_ = -1;
  int slave_ = -1;
  pid_t leader_ = -1;
  const std::string screen_ = [] {
    std::string text;
    for (int i = 0; i < kLines; ++i) text += std::string(kColumns, 'x') + '\n';
    return text;
  }();
};

// Another pty's key is what most of a host's programs would pay: the claim does not match.
enum class Hook { none, empty, unwatched, watched, both_ends };

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
    {"both_ends/fentry", Hook::both_ends, Backend::fentry},
    {"both_ends/kprobe", Hook::both_ends, Backend::kprobe},
};

struct Unlink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using Link = std::unique_ptr<bpf_link, Unlink>;

Link attached(bpf_program* program) {
  Link link(bpf_program__attach(program));
  if (!link) throw std::runtime_error(std::string("attaching ") + bpf_program__name(program));
  return link;
}

class EmptyProgram {
 public:
  explicit EmptyProgram(Backend backend) : object_(empty_bpf__open(), empty_bpf__destroy) {
    if (!object_) throw std::runtime_error("opening the empty program");
    bpf_program* program =
        backend == Backend::fentry ? object_->progs.empty_fentry : object_->progs.empty_kprobe;
    bpf_program__set_autoload(program, true);
    if (empty_bpf__load(object_.get()) != 0) throw std::runtime_error("loading the empty program");
    link_ = attached(program);
  }

 private:
  std::unique_ptr<empty_bpf, decltype(&empty_bpf__destroy)> object_;
  Link link_;
};

class BothEnds {
 public:
  explicit BothEnds(Backend backend) : object_(both_ends_bpf__open(), both_ends_bpf__destroy) {
    if (!object_) throw std::runtime_error("opening the two programs");
    auto& programs = object_->progs;
    const bool fentry = backend == Backend::fentry;
    bpf_program* const both[] = {fentry ? programs.written_fentry : programs.written_kprobe,
                                 fentry ? programs.read_fentry : programs.read_kprobe};
    for (bpf_program* program : both) bpf_program__set_autoload(program, true);
    if (both_ends_bpf__load(object_.get()) != 0) {
      throw std::runtime_error("loading the two programs");
    }
    for (bpf_program* program : both) links_.push_back(attached(program));
  }

 private:
  std::unique_ptr<both_ends_bpf, decltype(&both_ends_bpf__destroy)> object_;
  std::vector<Link> links_;
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

enum class What { key, screen };

// The kernel's worker that carries output to the other end is to run when this one waits, and not
// when some instructions more or less happen to let it in between.
void schedule(What what) {
  const sched_param priority{.sched_priority = what == What::screen ? 1 : 0};
  if (::sched_setscheduler(0, what == What::screen ? SCHED_FIFO : SCHED_OTHER, &priority) != 0) {
    throw std::runtime_error("sched_setscheduler");
  }
}

void measure(benchmark::State& state, const Variant& variant, What what) {
  try {
    schedule(what);
    Pty pty;
    pty.round_trip();
    std::optional<EmptyProgram> empty;
    std::optional<BothEnds> both_ends;
    std::optional<Watched> watched;
    if (variant.hook == Hook::empty) empty.emplace(variant.backend);
    if (variant.hook == Hook::both_ends) both_ends.emplace(variant.backend);
    if (variant.hook == Hook::watched || variant.hook == Hook::unwatched) {
      watched.emplace(variant.backend, pty, variant.hook == Hook::watched);
    }
    const std::uint64_t before = watched ? watched->seen() : 0;
    std::uint64_t times = 0;
    for (auto _ : state) {
      if (what == What::key) {
        pty.round_trip();
      } else {
        pty.screen();
      }
      ++times;
    }
    const std::uint64_t keys = what == What::key ? times : 0;
    if (variant.hook == Hook::watched && watched->seen() - before != keys) {
      state.SkipWithError("the program did not see every key, or saw others");
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
    const std::string name = variant.name;
    benchmark::RegisterBenchmark(("key/" + name).c_str(), measure, variant, What::key)
        ->Iterations(kKeys)
        ->Repetitions(kRepetitions)
        ->UseRealTime();
    benchmark::RegisterBenchmark(("screen/" + name).c_str(), measure, variant, What::screen)
        ->Iterations(kScreens)
        ->Repetitions(kRepetitions)
        ->UseRealTime();
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

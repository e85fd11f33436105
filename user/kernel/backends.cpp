// SPDX-License-Identifier: Apache-2.0
#include "kernel/backends.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "base/procfs.h"
#include "base/shortage.h"
#include "kernel/kernel_source.h"
#include "kernel/pins.h"
#include "kernel/self_test.h"

namespace idlewarden {
namespace {

constexpr std::array kAutomatic{Backend::fentry, Backend::kprobe, Backend::sampler};
constexpr std::array kAll{Backend::fentry, Backend::kprobe, Backend::sampler, Backend::tracepoint};

using Source = std::unique_ptr<KernelSource>;

std::uint32_t recorded_by(const KernelOptions& options) {
  return (options.record_output ? IDLEWARDEN_RECORDS_OUTPUT : 0U) |
         (options.ignore_terminal_replies ? 0U : IDLEWARDEN_RECORDS_REPLIES);
}

Result<Source> make_source(Backend backend, const KernelOptions& options, const Clock& clock,
                           const KeptMaps* kept, std::optional<PinDir> pins) {
  auto object = BpfObject::load(backend, options, kept);
  if (!object) return std::unexpected(object.error());
  auto records = Records::open(
      bpf_map__fd(object->activity()), bpf_map__max_entries(object->activity()),
      bpf_map__fd(object->overflow()), bpf_map__fd(object->meta()), recorded_by(options));
  if (!records) return std::unexpected(records.error());
  if (kept != nullptr) {
    const auto rows = object->leaders();
    if (!rows) return std::unexpected(rows.error());
    if (const auto swept = records->sweep(*rows); !swept) return std::unexpected(swept.error());
  }
  if (pins) {
    if (const auto pinned = pins->pin(*object, backend); !pinned) {
      return std::unexpected(pinned.error());
    }
  }
  return std::make_unique<KernelSource>(backend, std::move(*object), std::move(*records),
                                        std::move(pins), clock);
}

// Loads the backend with maps of its own and types into a session of its own.
Result<Source> prove(Backend backend, const KernelOptions& options, const Clock& clock) {
  auto source = make_source(backend, options, clock, nullptr, std::nullopt);
  if (!source) return source;
  if (const auto tested = self_test(**source); !tested) return std::unexpected(tested.error());
  return source;
}

Attempt attempt_of(Backend backend, const Result<Source>& source) {
  if (source) return {.backend = backend, .works = true, .reason = {}, .hint = {}};
  Error error = source.error();
  std::string hint = std::exchange(error.hint, {});
  return {.backend = backend, .works = false, .reason = error.text(), .hint = std::move(hint)};
}

// Replaces a proven source by one whose hook and maps outlive the daemon, if that can be had.
Source with_pins(Source proven, const KernelOptions& options, const Clock& clock,
                 OpenedSource& opened) {
  if (options.pin_dir.empty()) return proven;
  const auto not_pinned = [&](const Error& error) {
    opened.warnings.push_back("nothing is kept over a restart: " + error.text());
  };
  auto pins = PinDir::open(options.pin_dir);
  if (!pins) {
    not_pinned(pins.error());
    return proven;
  }
  if (proven->backend() == Backend::sampler) {
    if (const auto cleared = pins->clear(); !cleared) not_pinned(cleared.error());
    return proven;
  }
  const auto kept = pins->take_over(recorded_by(options), opened.warnings);
  auto pinned =
      make_source(proven->backend(), options, clock, kept ? &*kept : nullptr, std::move(*pins));
  if (!pinned) {
    not_pinned(pinned.error());
    return proven;
  }
  opened.state_kept = kept.has_value();
  return std::move(*pinned);
}

constexpr const char* kConsoles =
    "Consoles and serial lines have no pty: input there is known to the scan only, and output is "
    "not seen, so activity = \"input+output\" has no effect. A terminal's own replies count as "
    "input there, and so does TIOCSTI, with which a program can type by itself.";

std::vector<std::string> blind_spots_of(Backend backend) {
  switch (backend) {
    case Backend::fentry:
    case Backend::kprobe: return {kConsoles};
    case Backend::tracepoint:
      return {
          "Bytes that reach a pty through io_uring, or from a 32-bit program, are known to the "
          "scan only, one or two seconds, and not at all while no daemon runs. Output by either is "
          "not seen.",
          "A terminal's own replies count as input unless they arrive by write(2), which is how "
          "sshd sends them, and not more than 2 kB of them at once.",
          "Every system call of the host takes about 30 ns longer.", kConsoles};
    case Backend::sampler:
      return {
          "Input is known to the scan only, one or two seconds, and not at all while no daemon "
          "runs.",
          "A terminal's own replies count as input.",
          "Output on terminals is not seen: activity = \"input+output\" has no effect there.",
          "On consoles and serial lines TIOCSTI, with which a program can type by itself, counts "
          "as input."};
  }
  std::unreachable();
}

}  // namespace

Result<OpenedSource> open_activity_source(const KernelOptions& options, const Clock& clock) {
  std::vector<Backend> candidates(kAutomatic.begin(), kAutomatic.end());
  if (options.backend) candidates = {*options.backend};
  OpenedSource opened;
  Error last;
  for (const Backend backend : candidates) {
    auto source = prove(backend, options, clock);
    opened.attempts.push_back(attempt_of(backend, source));
    if (source) {
      opened.source = with_pins(std::move(*source), options, clock, opened);
      return opened;
    }
    last = source.error();
    // A host that cannot do it is as good as it can be; one that could, another time, is not.
    if (is_shortage(last.code)) {
      opened.warnings.push_back(fmt::format("{} is not used: {}; a restart tries it again",
                                            to_string(backend), last.text()));
    }
  }
  return last.during(fmt::format("backend {}", to_string(candidates.back())));
}

std::vector<Attempt> try_all_backends() {
  const SystemClock clock;
  std::vector<Attempt> attempts;
  for (const Backend backend : kAll) {
    attempts.push_back(attempt_of(backend, prove(backend, {}, clock)));
  }
  return attempts;
}

std::vector<std::string> blind_spots(Backend backend) {
  auto spots = blind_spots_of(backend);
  if (!Procfs().io(::getpid())) {
    spots.emplace_back(
        "The kernel does not count what processes write (CONFIG_TASK_IO_ACCOUNTING), so sessions "
        "without a terminal are never idle.");
  }
  return spots;
}

Result<PinsRemoved> unload(const std::string& pin_dir) {
  return remove_pins(pin_dir);
}

}  // namespace idlewarden

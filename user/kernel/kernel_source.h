// SPDX-License-Identifier: Apache-2.0
// The ActivitySource on a loaded BPF object. With a hook, ptys have records that the programs
// stamp; every tty is watched by comparing scans as well.
#pragma once

#include <optional>

#include "kernel/activity_source.h"
#include "kernel/bpf_object.h"
#include "kernel/input_sampler.h"
#include "kernel/pins.h"
#include "kernel/records.h"

namespace idlewarden {

class KernelSource final : public ActivitySource {
 public:
  // `pins` is held (locked) as long as the source lives; the pinned state outlives it.
  KernelSource(Backend backend, BpfObject object, Records records, std::optional<PinDir> pins,
               const Clock& clock);

  Backend backend() const noexcept override { return backend_; }
  Result<std::vector<Leader>> scan() override;
  Result<void> watch(const Tty& tty) override;
  void unwatch(const Tty& tty) noexcept override;
  InputSeen input(const Tty& tty) const override;
  // Whether the hook has stamped input on this tty.
  bool stamped(const Tty& tty) const;
  bool needs_scan(const Tty& tty) const noexcept override { return !records_.holds(tty); }

 private:
  bool hooked(const Tty& tty) const { return backend_ != Backend::sampler && tty.is_pts(); }

  Backend backend_;
  const Clock& clock_;
  std::optional<PinDir> pins_;
  BpfObject object_;
  Records records_;
  InputSampler sampler_;
};

}  // namespace idlewarden

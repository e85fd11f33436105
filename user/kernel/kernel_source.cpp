// SPDX-License-Identifier: Apache-2.0
#include "kernel/kernel_source.h"

#include <algorithm>
#include <utility>

#include "kernel/leader_row.h"

namespace idlewarden {
namespace {

// What the hook recorded, and input that only the scans noticed.
InputSeen merged(const std::optional<idlewarden_activity>& record, const InputSeen& sampled) {
  if (!record) return sampled;
  InputSeen seen = input_seen(*record);
  seen.last_input = std::max(seen.last_input, sampled.last_input);
  seen.inputs += sampled.inputs;
  return seen;
}

}  // namespace

KernelSource::KernelSource(Backend backend, BpfObject object, Records records,
                           std::optional<PinDir> pins, const Clock& clock)
    : backend_(backend),
      clock_(clock),
      pins_(std::move(pins)),
      object_(std::move(object)),
      records_(std::move(records)) {}

Result<std::vector<Leader>> KernelSource::scan() {
  const auto rows = object_.leaders();
  if (!rows) return std::unexpected(rows.error());
  // After the read: input that the scan just missed is not dated before it.
  const BootTime now = clock_.now();
  std::vector<Leader> leaders;
  leaders.reserve(rows->size());
  for (const idlewarden_leader& row : *rows) {
    const Leader& leader = leaders.emplace_back(to_leader(row));
    if (leader.tty && sampler_.observe(*leader.tty, line_state(row), now)) {
      records_.stamp(*leader.tty, now);
    }
  }
  sampler_.end_scan(now);
  return leaders;
}

Result<void> KernelSource::watch(const Tty& tty) {
  // A tty that finds no room among the records is still watched, only less exactly.
  if (hooked(tty)) (void)records_.claim(tty, clock_.now());
  sampler_.watch(tty);
  return {};
}

void KernelSource::unwatch(const Tty& tty) noexcept {
  records_.release(tty);
  sampler_.unwatch(tty);
}

InputSeen KernelSource::input(const Tty& tty) const {
  return merged(records_.read(tty), sampler_.input(tty));
}

bool KernelSource::stamped(const Tty& tty) const {
  const auto record = records_.read(tty);
  return record && record->inputs > 0;
}

}  // namespace idlewarden

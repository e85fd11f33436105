// SPDX-License-Identifier: Apache-2.0
#include "kernel/input_sampler.h"

namespace idlewarden {
namespace {

bool moved(const Tty& tty, const LineState& before, const LineState& now) {
  if (before.recorded != now.recorded) return false;
  const bool delivered = before.flip != now.flip || before.flip_used != now.flip_used;
  return delivered || (!tty.is_pts() && before.read_head != now.read_head);
}

}  // namespace

bool InputSampler::observe(const Tty& tty, const LineState& line, BootTime now) {
  auto [it, added] = lines_.try_emplace(tty);
  Line& known = it->second;
  const bool first = added || known.at == BootTime{};
  const bool input = known.watched && !first && moved(tty, known.last, line);
  if (known.watched && first) known.seen.since = now;
  if (input) {
    known.seen.last_input = now;
    ++known.seen.inputs;
  }
  known.last = line;
  known.at = now;
  return input;
}

void InputSampler::end_scan(BootTime now) {
  std::erase_if(
      lines_, [now](const auto& entry) { return !entry.second.watched && entry.second.at != now; });
}

void InputSampler::watch(const Tty& tty) {
  Line& line = lines_[tty];
  if (line.watched) return;
  line.watched = true;
  line.seen = {};
  if (line.at != BootTime{}) line.seen.since = line.at;
}

void InputSampler::unwatch(const Tty& tty) noexcept {
  const auto it = lines_.find(tty);
  if (it != lines_.end()) it->second.watched = false;
}

bool InputSampler::watches(const Tty& tty) const {
  const auto it = lines_.find(tty);
  return it != lines_.end() && it->second.watched;
}

InputSeen InputSampler::input(const Tty& tty) const {
  const auto it = lines_.find(tty);
  return it != lines_.end() && it->second.watched ? it->second.seen : InputSeen{};
}

}  // namespace idlewarden

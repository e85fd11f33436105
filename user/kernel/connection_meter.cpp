// SPDX-License-Identifier: Apache-2.0
#include "kernel/connection_meter.h"

#include <algorithm>
#include <cerrno>

namespace idlewarden {
namespace {

// Connections in one sample: 200 looks take some 7 ms.
constexpr std::size_t kPerSample = 200;

constexpr double kTransfer = 1024;             // bytes/s
constexpr Nanoseconds kRateOver = Seconds(1);  // at least: a burst is no rate

}  // namespace

void ConnectionMeter::watch(const ConnectionEnd& end) {
  Entry& entry = entries_[end];
  if (++entry.watchers == 1) sample(end, entry);
}

void ConnectionMeter::unwatch(const ConnectionEnd& end) noexcept {
  const auto found = entries_.find(end);
  if (found != entries_.end() && --found->second.watchers <= 0) entries_.erase(found);
}

void ConnectionMeter::sample() {
  auto next = entries_.upper_bound(last_);
  for (std::size_t i = 0; i < std::min(kPerSample, entries_.size()); ++i, ++next) {
    if (next == entries_.end()) next = entries_.begin();
    sample(next->first, next->second);
    last_ = next->first;
  }
  if (!troubled()) told_.clear();
}

bool ConnectionMeter::troubled() const {
  return std::ranges::any_of(entries_, [](const auto& item) { return item.second.troubled; });
}

void ConnectionMeter::sample(const ConnectionEnd& end) {
  const auto found = entries_.find(end);
  if (found != entries_.end()) sample(end, found->second);
}

void ConnectionMeter::sample(const ConnectionEnd& end, Entry& entry) {
  const auto measured = measure(end, entry);
  entry.unknown = !measured;
  entry.failed = entry.failed || !measured;
  // One that ends, or is caught in the middle of something, is no problem to tell of.
  entry.troubled = !measured && !is_gone(measured.error()) && measured.error().code != EAGAIN;
  if (entry.troubled && told_.insert(measured.error().text()).second) {
    problems_.push_back(measured.error());
  }
}

Result<void> ConnectionMeter::measure(const ConnectionEnd& end, Entry& entry) {
  for (int i = 0; i < kConnectionLooks; ++i) {
    const auto bytes = probe_.look(end);
    if (!bytes) return std::unexpected(bytes.error());
    if (!entry.seen.since) begin(entry, *bytes);
    if (bytes->socket != entry.socket) {
      return fail("a host process has another connection than when it was found");
    }
    note(entry, *bytes);
    if (input_of(*bytes) == entry.in) return {};
  }
  return fail_errno("its process is busy writing", EAGAIN);
}

void ConnectionMeter::begin(Entry& entry, const ConnectionBytes& bytes) const {
  const BootTime now = clock_.now();
  entry.socket = bytes.socket;
  entry.in = input_of(bytes);
  entry.out = output_of(bytes);
  entry.children = bytes.children;
  entry.rate_since = now;
  entry.rate_from = entry.out;
  entry.seen.since = now - bytes.quiet;
  // What came while it could not be measured was not seen.
  if (entry.failed) entry.seen.last_input = now;
}

void ConnectionMeter::note(Entry& entry, const ConnectionBytes& bytes) const {
  const std::int64_t in = input_of(bytes);
  const std::int64_t out = output_of(bytes);
  const BootTime now = clock_.now();
  const auto active = [&] {
    entry.seen.last_input = now;
    ++entry.seen.inputs;
  };
  if (in > entry.in || bytes.children != entry.children) {
    entry.in = std::max(entry.in, in);
    entry.children = bytes.children;
    active();
  }
  if (out > entry.out) {
    entry.out = out;
    entry.seen.last_output = now;
  }
  const Nanoseconds over = now - entry.rate_since;
  if (over < kRateOver) return;
  const auto moved = static_cast<double>(entry.out - entry.rate_from);
  if (moved >= kTransfer * to_seconds(over)) active();
  entry.rate_since = now;
  entry.rate_from = entry.out;
}

InputSeen ConnectionMeter::input(const ConnectionEnd& end) const {
  const auto found = entries_.find(end);
  if (found == entries_.end()) return {};
  InputSeen seen = found->second.seen;
  if (found->second.unknown) seen.last_input = clock_.now();
  return seen;
}

}  // namespace idlewarden

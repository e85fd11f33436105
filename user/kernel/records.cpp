// SPDX-License-Identifier: Apache-2.0
#include "kernel/records.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>

#include <atomic>
#include <utility>

namespace idlewarden {
namespace {

template <class T>
T load(T& field, std::memory_order order = std::memory_order_relaxed) {
  return std::atomic_ref(field).load(order);
}
template <class T>
void store(T& field, T value, std::memory_order order = std::memory_order_relaxed) {
  std::atomic_ref(field).store(value, order);
}

void free_slot(idlewarden_activity& slot) {
  store(slot.tty, __u64{0}, std::memory_order_release);
}

void fill_slot(idlewarden_activity& slot, std::uint64_t tty, BootTime now) {
  free_slot(slot);
  store(slot.last_input_ns, __u64{0});
  store(slot.last_output_ns, __u64{0});
  store(slot.last_reply_ns, __u64{0});
  store(slot.inputs, __u64{0});
  store(slot.replies, __u64{0});
  store(slot.last_focus, __u32{0});
  store(slot.reply_state, __u32{0});
  store(slot.claimed_ns, __u64{to_ns(now)});
  store(slot.tty, __u64{tty}, std::memory_order_release);
}

idlewarden_activity copy_slot(idlewarden_activity& slot) {
  return {.tty = load(slot.tty, std::memory_order_acquire),
          .last_input_ns = load(slot.last_input_ns),
          .last_output_ns = load(slot.last_output_ns),
          .last_reply_ns = load(slot.last_reply_ns),
          .inputs = load(slot.inputs),
          .replies = load(slot.replies),
          .claimed_ns = load(slot.claimed_ns),
          .last_focus = load(slot.last_focus),
          .reply_state = load(slot.reply_state)};
}

std::optional<BootTime> when(std::uint64_t ns) {
  if (ns == 0) return std::nullopt;
  return boot_time(ns);
}

}  // namespace

InputSeen input_seen(const idlewarden_activity& record) {
  return {.last_input = when(record.last_input_ns),
          .last_output = when(record.last_output_ns),
          .last_reply = when(record.last_reply_ns),
          .inputs = record.inputs,
          .replies = record.replies,
          .since = when(record.claimed_ns)};
}

Records::Records(MappedArray<idlewarden_activity> activity, MappedArray<idlewarden_meta> meta,
                 UniqueFd overflow)
    : activity_(std::move(activity)), meta_(std::move(meta)), overflow_fd_(std::move(overflow)) {}

Result<Records> Records::open(int activity_fd, std::uint32_t entries, int overflow_fd, int meta_fd,
                              std::uint32_t recorded) {
  auto activity = MappedArray<idlewarden_activity>::map(activity_fd, entries);
  if (!activity) return std::unexpected(activity.error());
  auto meta = MappedArray<idlewarden_meta>::map(meta_fd, 1);
  if (!meta) return std::unexpected(meta.error());
  UniqueFd overflow(fcntl(overflow_fd, F_DUPFD_CLOEXEC, 3));
  if (!overflow) return fail_errno("duplicating the overflow map's descriptor");
  (*meta)[0].magic = IDLEWARDEN_MAGIC;
  (*meta)[0].abi = IDLEWARDEN_ABI;
  (*meta)[0].record_size = sizeof(idlewarden_activity);
  (*meta)[0].recorded = recorded;
  return Records(std::move(*activity), std::move(*meta), std::move(overflow));
}

Result<std::vector<std::uint64_t>> Records::overflow_keys() const {
  std::vector<std::uint64_t> keys;
  std::uint64_t key = 0;
  const void* previous = nullptr;
  while (bpf_map_get_next_key(overflow_fd_.get(), previous, &key) == 0) {
    keys.push_back(key);
    previous = &key;
  }
  if (errno != ENOENT) return fail_errno("reading the overflow map");
  return keys;
}

Result<void> Records::sweep(const std::vector<idlewarden_leader>& rows) {
  std::set<std::uint64_t> alive;
  std::unordered_map<std::uint32_t, std::set<std::uint64_t>> alive_in_slot;
  for (const idlewarden_leader& row : rows) {
    if (row.tty == 0) continue;
    alive.insert(row.tty);
    alive_in_slot[row.tty_index].insert(row.tty);
  }
  for (std::uint32_t i = 0; i < activity_.size(); ++i) {
    const std::uint64_t tty = load(activity_[i].tty);
    if (tty != 0 && !alive_in_slot[i].contains(tty)) free_slot(activity_[i]);
  }
  const auto keys = overflow_keys();
  if (!keys) return std::unexpected(keys.error());
  for (const std::uint64_t key : *keys) {
    if (alive.contains(key)) {
      adoptable_.insert(key);
    } else {
      bpf_map_delete_elem(overflow_fd_.get(), &key);
    }
  }
  set_overflow_entries();
  return {};
}

void Records::set_overflow_entries() {
  store(meta_[0].overflow_entries, static_cast<__u32>(overflow_.size() + adoptable_.size()),
        std::memory_order_release);
}

bool Records::in_slot(const Tty& tty) const {
  const auto it = slots_.find(tty.index);
  return it != slots_.end() && it->second == tty;
}

bool Records::in_overflow(const Tty& tty) const {
  const auto it = overflow_.find(tty.address);
  return it != overflow_.end() && it->second == tty;
}

bool Records::holds(const Tty& tty) const {
  return in_slot(tty) || in_overflow(tty);
}

Result<void> Records::claim(const Tty& tty, BootTime now) {
  if (holds(tty)) return {};
  // The kernel has given the address to another tty, before that one's release.
  if (const auto gone = overflow_.find(tty.address); gone != overflow_.end()) {
    release(Tty(gone->second));
  }
  if (const auto gone = slots_.find(tty.index);
      gone != slots_.end() && gone->second.address == tty.address) {
    release(Tty(gone->second));
  }
  if (adoptable_.contains(tty.address)) return claim_overflow(tty, now);
  // A slot whose tty is not claimed here is free, or was left by a daemon before this one.
  if (tty.index >= activity_.size() || slots_.contains(tty.index)) return claim_overflow(tty, now);
  idlewarden_activity& slot = activity_[tty.index];
  if (load(slot.tty) != tty.address) fill_slot(slot, tty.address, now);
  slots_[tty.index] = tty;
  return {};
}

Result<void> Records::claim_overflow(const Tty& tty, BootTime now) {
  if (adoptable_.erase(tty.address) == 0) {
    idlewarden_activity record{};
    record.tty = tty.address;
    record.claimed_ns = to_ns(now);
    if (bpf_map_update_elem(overflow_fd_.get(), &tty.address, &record, BPF_NOEXIST) != 0) {
      return fail_errno("no room for another activity record");
    }
  }
  overflow_.emplace(tty.address, tty);
  set_overflow_entries();
  return {};
}

void Records::release(const Tty& tty) noexcept {
  if (in_slot(tty)) {
    slots_.erase(tty.index);
    free_slot(activity_[tty.index]);
  } else if (in_overflow(tty)) {
    overflow_.erase(tty.address);
    bpf_map_delete_elem(overflow_fd_.get(), &tty.address);
    set_overflow_entries();
  }
}

void Records::stamp(const Tty& tty, BootTime input) noexcept {
  if (in_slot(tty)) {
    store(activity_[tty.index].last_input_ns, __u64{to_ns(input)});
  } else if (auto record = read(tty)) {
    record->last_input_ns = to_ns(input);
    bpf_map_update_elem(overflow_fd_.get(), &tty.address, &*record, BPF_EXIST);
  }
}

std::optional<idlewarden_activity> Records::read(const Tty& tty) const {
  if (in_slot(tty)) return copy_slot(activity_[tty.index]);
  if (!in_overflow(tty)) return std::nullopt;
  idlewarden_activity record{};
  if (bpf_map_lookup_elem(overflow_fd_.get(), &tty.address, &record) != 0) return std::nullopt;
  return record;
}

}  // namespace idlewarden

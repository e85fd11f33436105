// SPDX-License-Identifier: Apache-2.0
// The activity records of the ttys that are watched: the daemon's end of bpf/maps.bpf.h.
//
// A pts has the array's slot of its number, unless another devpts mount's pts of the same number
// has it, or the number lies beyond the array: then it has an entry of the overflow map. A record
// is claimed by writing its `tty` last (release): a program never stamps a half-made one. Not
// thread-safe; programs write concurrently.
#pragma once

#include <idlewarden/abi.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/unique_fd.h"
#include "kernel/activity_source.h"
#include "kernel/mapped_array.h"

namespace idlewarden {

class Records {
 public:
  // The descriptors are duplicated. `recorded`: as in idlewarden_meta.
  static Result<Records> open(int activity_fd, std::uint32_t entries, int overflow_fd, int meta_fd,
                              std::uint32_t recorded);

  // Frees the records that a daemon before this one claimed for ttys that are no more. `rows` is
  // the present state of the host.
  Result<void> sweep(const std::vector<idlewarden_leader>& rows);

  // Idempotent; a record that an earlier daemon claimed for this tty is taken over as it is.
  Result<void> claim(const Tty& tty, BootTime now);
  void release(const Tty& tty) noexcept;
  // Input that no program stamped, so that it is known after a restart too.
  void stamp(const Tty& tty, BootTime input) noexcept;
  bool holds(const Tty& tty) const;
  // Nothing if not claimed here.
  std::optional<idlewarden_activity> read(const Tty& tty) const;

 private:
  Records(MappedArray<idlewarden_activity> activity, MappedArray<idlewarden_meta> meta,
          UniqueFd overflow);

  bool in_slot(const Tty& tty) const;
  bool in_overflow(const Tty& tty) const;
  Result<void> claim_overflow(const Tty& tty, BootTime now);
  Result<std::vector<std::uint64_t>> overflow_keys() const;
  void set_overflow_entries();

  MappedArray<idlewarden_activity> activity_;
  MappedArray<idlewarden_meta> meta_;
  UniqueFd overflow_fd_;
  std::unordered_map<std::uint32_t, Tty> slots_;  // by the pts number; claimed here
  std::map<std::uint64_t, Tty> overflow_;         // by the address; claimed here
  std::set<std::uint64_t> adoptable_;  // overflow entries of an earlier daemon, not claimed yet
};

InputSeen input_seen(const idlewarden_activity& record);

}  // namespace idlewarden

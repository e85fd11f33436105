// SPDX-License-Identifier: Apache-2.0
// What stays in the kernel while no daemon runs: the maps and the hook's link, pinned in a folder
// of a BPF file system (bpf(2), BPF_OBJ_PIN). State is only taken over if the hook that kept
// writing to it is there as well; whatever else lies under the pins' names is removed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/bpf_object.h"

namespace idlewarden {

class PinDir {
 public:
  // Makes the folder if need be. Fails if it is not on a BPF file system, or if another daemon
  // holds it (flock(2), until the PinDir goes).
  static Result<PinDir> open(const std::string& path);

  // The maps of an earlier daemon of the same ABI, whose hook recorded all of `recorded`
  // (idlewarden_meta). Pins that cannot be used are removed, each with a warning.
  std::optional<KeptMaps> take_over(std::uint32_t recorded,
                                    std::vector<std::string>& warnings) const;
  // Pins the object's maps and hook; the hook of an earlier daemon goes only after that. On an
  // error nothing is left pinned.
  Result<void> pin(BpfObject& object, Backend backend) const;
  // Removes every pin. How many there were.
  Result<int> clear() const;

 private:
  PinDir(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::vector<std::string> pins() const;

  std::string path_;
  UniqueFd lock_;
};

// Removes the pins and, unless a daemon holds it, the folder. No pins if there is no such folder.
Result<PinsRemoved> remove_pins(const std::string& path);

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// The loaded programs and maps of one backend, and the iterator that reads the session table. What
// is attached is detached, and what is loaded unloaded, when the object goes, except for what was
// pinned. Not thread-safe.
#pragma once

#include <idlewarden/abi.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/backends.h"

struct bpf_link;
struct bpf_map;
struct idlewarden_bpf;

namespace idlewarden {

// The maps of an earlier daemon.
struct KeptMaps {
  UniqueFd activity;
  UniqueFd overflow;
  UniqueFd meta;
};

class BpfObject {
 public:
  // Loads and attaches the backend's hook (the sampler has none) and the iterator. With `kept` the
  // programs use those maps. Errors are explain_refusal()'s.
  static Result<BpfObject> load(Backend backend, const KernelOptions& options,
                                const KeptMaps* kept = nullptr);
  BpfObject(BpfObject&&) noexcept = default;
  BpfObject& operator=(BpfObject&&) noexcept = default;

  bpf_map* activity() const noexcept;
  bpf_map* overflow() const noexcept;
  bpf_map* meta() const noexcept;
  int hook_fd() const noexcept { return hook_fd_.get(); }  // of the hook's link; -1: the sampler
  // The hook was pinned: when the object goes, it only lets go of it. Until then it holds it, so
  // that removing the pin does not blind a running daemon.
  void leave_hook() noexcept;
  // One row for each session leader of the host.
  Result<std::vector<idlewarden_leader>> leaders() const;

 private:
  struct Destroy {
    void operator()(idlewarden_bpf* skeleton) const noexcept;
    void operator()(bpf_link* link) const noexcept;
  };
  using Skeleton = std::unique_ptr<idlewarden_bpf, Destroy>;
  using Link = std::unique_ptr<bpf_link, Destroy>;

  explicit BpfObject(Skeleton skeleton) : skeleton_(std::move(skeleton)) {}
  int configure(Backend backend, const KernelOptions& options, const KeptMaps* kept);
  int attach(Backend backend);

  Skeleton skeleton_;
  Link iterator_;
  Link hook_;
  UniqueFd hook_fd_;
  mutable std::size_t rows_last_time_ = 0;  // and a few: what to make room for at once
};

}  // namespace idlewarden

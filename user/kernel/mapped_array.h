// SPDX-License-Identifier: Apache-2.0
// The memory of a BPF_F_MMAPABLE array, shared with the programs (bpf(2), mmap(2)). The mapping
// keeps the map alive after its descriptor is closed.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <span>
#include <utility>

#include "base/result.h"

namespace idlewarden {

template <class T>
class MappedArray {
  static_assert(sizeof(T) % 8 == 0, "array elements are 8-byte aligned and without gaps");

 public:
  static Result<MappedArray> map(int fd, std::size_t entries) {
    void* memory = mmap(nullptr, entries * sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return fail_errno("mapping a BPF array into memory");
    return MappedArray(static_cast<T*>(memory), entries);
  }
  MappedArray(MappedArray&& other) noexcept : records_(std::exchange(other.records_, {})) {}
  MappedArray& operator=(MappedArray&& other) noexcept {
    std::swap(records_, other.records_);
    return *this;
  }
  ~MappedArray() {
    if (!records_.empty()) munmap(records_.data(), records_.size_bytes());
  }

  std::size_t size() const noexcept { return records_.size(); }
  // Shared memory: whoever reads or writes a field that a program writes does it atomically.
  T& operator[](std::size_t i) const noexcept { return records_[i]; }

 private:
  MappedArray(T* memory, std::size_t entries) : records_(memory, entries) {}

  std::span<T> records_;
};

}  // namespace idlewarden

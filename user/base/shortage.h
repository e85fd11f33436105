// SPDX-License-Identifier: Apache-2.0
// Whether the host was short of something (descriptors, memory, a disk that answers) while
// something was found out. A function that answers yes or no, or with a list, or with what usually
// holds, cannot say that it does not know: it notes that here, and who relies on such answers asks
// afterwards whether they can be relied on. Per thread.
#pragma once

namespace idlewarden {

// Says nothing of what was asked for, and may be gone at the next attempt.
bool is_shortage(int code) noexcept;

// The errno of a refused call; what is no shortage is not noted.
void note_shortage(int code) noexcept;

// What was noted in its lifetime; what nobody took is noted for the watch around it.
class ShortageWatch {
 public:
  ShortageWatch() noexcept;
  ~ShortageWatch();
  ShortageWatch(const ShortageWatch&) = delete;
  ShortageWatch& operator=(const ShortageWatch&) = delete;

  int noted() const noexcept;  // errno of the last; 0: none
  int take() noexcept;

 private:
  int before_;
};

}  // namespace idlewarden

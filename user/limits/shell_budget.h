// SPDX-License-Identifier: Apache-2.0
// The work that one answer may cost. Users write start-up files as they like, and a root daemon
// reads them while others wait: so every kind of work that a file can ask for is paid for, in units
// of about a character read (some 10 ns), memory included. A reader that has spent all stops where
// it stands and keeps what it had found; it makes no further copies on its way out.
#pragma once

#include <cstddef>

namespace idlewarden::shell {

class Budget {
 public:
  static constexpr std::size_t kUnits = 16U << 20;  // for one answer
  static constexpr std::size_t kStep = 64;          // a command, a call of the system
  static constexpr std::size_t kNode = 40;          // of a command's tree that is kept
  static constexpr std::size_t kMaxEntries = 5000;  // of folders that one pattern may look through

  explicit Budget(std::size_t units = kUnits) : left_(units) {}

  // False: it is not to be had; nothing more is, from then on.
  bool spend(std::size_t units) {
    left_ = left_ > units ? left_ - units : 0;
    return left_ > 0;
  }
  bool spend_steps(std::size_t steps = 1) { return spend(steps * kStep); }
  // To find a pattern in a text takes up to the product of their lengths.
  bool spend_match(std::size_t text, std::size_t pattern) {
    return spend(8 + text + text * pattern / 8);
  }
  // To compile a regular expression and to look through a text with it.
  bool spend_search(std::size_t text, std::size_t expression) {
    return spend(8 * text + 128 * expression);
  }
  bool spent() const { return left_ == 0; }
  std::size_t left() const { return left_; }

 private:
  std::size_t left_;
};

}  // namespace idlewarden::shell

// SPDX-License-Identifier: Apache-2.0
// Looking below the roots of other processes. What lies there may be on a server that has gone, or
// on a file system of a user's, so whoever has a loop to keep going leaves the look to a thread and
// waits for it no longer than for a moment. Only the host's own root, without which nothing goes
// on, is looked at directly. Not thread-safe.
#pragma once

#include <cerrno>
#include <chrono>
#include <concepts>
#include <optional>
#include <string>
#include <utility>

#include "base/patience.h"
#include "base/procfs.h"
#include "base/shortage.h"

namespace idlewarden {

class OthersRoots {
 public:
  using Milliseconds = std::chrono::milliseconds;
  // The host's own root as its first process has it, for who has mounts of its own.
  static constexpr const char* kHosts = "/proc/1/root";
  // `procfs`: whose patience with processes is gone by, if its folder is that of the roots.
  explicit OthersRoots(Milliseconds time = Milliseconds(250),
                       Milliseconds rest = std::chrono::seconds(10), Procfs procfs = Procfs())
      : patience_(8, time, rest), procfs_(std::move(procfs)) {}

  // What `look` finds below `root` ("/" or "/proc/PID/root"); it is given the path to go by. It may
  // outlive the caller, as in Patience::ask(). nullopt, and a shortage (ETIMEDOUT): that root does
  // not answer, and is not asked again for a while; or too many do not.
  template <class T>
  std::optional<T> ask(const std::string& root, std::invocable<std::string> auto look) {
    const auto asked = told_by(root);
    if (!asked) return std::nullopt;
    if (const auto ours = path_of_own(*asked)) return look(*ours);
    std::optional<T> found =
        patience_.ask<T>(*asked, [root, look = std::move(look)] { return look(root); });
    if (!found) note_shortage(ETIMEDOUT);
    return found;
  }
  // The path to go by instead, if it is the host's or this process's root by whatever process. A
  // shortage: no answer.
  std::optional<std::string> own(const std::string& root) {
    const auto asked = told_by(root);
    return asked ? path_of_own(*asked) : std::nullopt;
  }

 private:
  // The same for all processes that have the same root; "/" as it is.
  static std::string which(const std::string& root);
  // As which(), but asks the process as Procfs::ask() does. nullopt, and a shortage: no answer.
  std::optional<std::string> told_by(const std::string& root);
  static std::optional<std::string> path_of_own(const std::string& asked);

  PatienceWithEach<std::string> patience_;
  Procfs procfs_;  // of the folder that was asked about last
};

}  // namespace idlewarden

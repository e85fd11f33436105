// SPDX-License-Identifier: Apache-2.0
// Which of the files that the limits rest on have changed: inotify(7) says when to look, what
// stat(2) shows decides. Follows every symlink on the way to a file, and sees files and folders
// that are not there yet, are replaced, or go away and come back. Only folders that nobody but root
// (or the daemon's own user) can write are watched, so no other user can keep the daemon busy; all
// else, and what inotify cannot see (another hard link, a network file system, the tree of a
// container), is found by looking every 10 s. All looking is done on threads, so nobody waits for
// storage that does not answer. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/others_roots.h"
#include "base/patience.h"
#include "base/unique_fd.h"

namespace idlewarden {

class FileWatch {
 public:
  // Bounds: what comes after is not looked at, and degraded() says so.
  static constexpr std::size_t kMaxPaths = 4096;
  static constexpr std::size_t kMaxFolders = 512;
  static constexpr std::size_t kMaxEntries = 1024;  // of one folder

  // `patience` is with a folder of the host's and with another tree: what does not answer is asked
  // again later.
  explicit FileWatch(const Clock& clock,
                     std::chrono::milliseconds patience = std::chrono::seconds(1));

  // Readable: notice() has something to hear. -1: no inotify here.
  int fd() const noexcept { return inotify_.get(); }
  // The absolute paths of files, and of folders whose entries count (but those that begin with a
  // dot). Replaces the last set; for a path that was in it, nothing is forgotten. One that is new
  // counts as changed if that was after `read_since`, for it may have been read before.
  void watch(const std::vector<std::string>& paths, WallTime read_since = WallTime::max());
  // Hears what inotify has to say.
  void notice();
  // When take_changes() has work. After a change there is a wait until it is quiet (an editor
  // writes in several steps), 1.5 s at the most; after ten changes in a minute, until it is over.
  BootTime due() const;
  // The paths whose files are not as they were; empty before due().
  std::vector<std::string> take_changes();
  // Why changes may be found late or not at all, in a sentence.
  std::optional<std::string> degraded() const;

 private:
  struct Folder {
    int watch = -1;
    std::set<std::string> names;  // the entries that matter
    bool all = false;             // every entry does
  };
  using Folders = std::map<std::string, Folder>;
  // A folder to be watched, and the entry that leads on from there; "": they all count.
  struct Step {
    std::string folder;
    std::string name;
    bool operator==(const Step&) const = default;
  };
  struct Sight {
    std::uint64_t print = 0;  // of what is there
    std::vector<Step> way = {};
    bool operator==(const Sight&) const = default;
  };
  using Sights = std::map<std::string, Sight>;
  struct Seen {
    Sights sights;     // not of what does not answer
    int shortage = 0;  // errno of what may have kept some of a way back
  };
  using Prints = std::map<std::string, std::uint64_t>;
  class Walk;

  Prints look_at(const std::vector<std::string>& paths, WallTime read_since);
  Sights ask(const std::vector<std::string>& paths, WallTime read_since);
  bool place_watches(const Sights& seen);
  void want(const Step& step, bool answered, Folders& wanted);
  std::optional<int> watched_as(const std::string& folder) const;
  std::optional<int> watch_of(const std::string& folder, std::size_t others);
  bool matters(int watch, std::uint32_t what, const std::string& name) const;
  void suspect(Nanoseconds quiet);
  Nanoseconds poll_interval() const;

  const Clock& clock_;
  std::chrono::milliseconds patience_;
  PatienceWithEach<std::string> storages_;  // of the host, by folder
  OthersRoots roots_;
  UniqueFd inotify_;
  int refused_ = 0;   // errno of what keeps inotify from watching all
  int shortage_ = 0;  // as that of Seen, at the last look
  bool too_many_ = false;
  Sights paths_;
  std::size_t unseen_ = 0;  // of these, at the last look
  Folders folders_;
  std::optional<BootTime> first_;  // sign of a change, not looked at yet
  BootTime quiet_at_{};
  BootTime next_poll_;
  std::deque<BootTime> changes_;  // of the last minute
};

}  // namespace idlewarden

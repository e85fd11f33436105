// SPDX-License-Identifier: Apache-2.0
// What the host's own files say: readings of sshd_config, shell files and logind.conf, kept until
// reload(). A file that can no longer be read keeps its last good reading. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/files.h"
#include "limits/limit.h"
#include "limits/logind.h"
#include "limits/policy.h"
#include "limits/shell_timeout.h"
#include "limits/sshd_config.h"

namespace idlewarden {

// A map that forgets what was not asked for longest, so that nobody can fill the memory by logging
// in often or by starting many sshds.
template <class Key, class Value>
class RecentMap {
 public:
  explicit RecentMap(std::size_t most) : most_(most) {}

  // The value, made if it is not there. Valid until the next call.
  Value& operator[](const Key& key) {
    if (!entries_.contains(key) && entries_.size() >= most_) {
      auto oldest = entries_.begin();
      for (auto it = entries_.begin(); it != entries_.end(); ++it) {
        if (it->second.used < oldest->second.used) oldest = it;
      }
      entries_.erase(oldest);
    }
    Entry& entry = entries_[key];
    entry.used = ++clock_;
    return entry.value;
  }
  void for_each(const auto& use) {
    for (auto& [key, entry] : entries_) use(key, entry.value);
  }
  void erase_if(const auto& condition) {
    std::erase_if(entries_, [&](const auto& item) { return condition(item.first); });
  }

 private:
  struct Entry {
    Value value{};
    std::uint64_t used = 0;
  };
  std::size_t most_;
  std::uint64_t clock_ = 0;
  std::map<Key, Entry> entries_;
};

class HostReadings {
 public:
  explicit HostReadings(Root root) : root_(std::move(root)) {}

  // All that the policy lets count for this subject, `used` unset.
  std::vector<LimitSource> sources(const Subject& subject, const Policy& policy);
  void reload();
  std::vector<Error> take_problems() { return std::exchange(problems_, {}); }
  // As this process sees the paths, whatever tree they are in.
  std::set<std::string> files();

 private:
  // The tree and the file, and the -o options over it.
  using SshdKey = std::tuple<std::string, std::string, std::vector<std::string>>;
  struct SshdReading {
    std::optional<SshdConfig> good;
    std::optional<Error> error;  // of the last attempt
    bool read = false;
  };
  using ShellKey = std::tuple<std::string, uid_t, std::string, std::string>;
  struct ShellReading {
    ShellTimeouts last;
    bool fresh = false;
  };
  struct LogindReading {
    LogindTimes last;
    bool read = false;
  };

  Root root_of(const Subject& subject) const;
  void problem(const Error& error);
  void read_sshd(const SshdKey& key, SshdReading& reading);
  void read_logind(const std::string& tree, LogindReading& reading);
  void add_sshd(const Subject& subject, std::vector<LimitSource>& into);
  void add_shell(const Subject& subject, std::vector<LimitSource>& into);
  void add_logind(const Subject& subject, std::vector<LimitSource>& into);

  Root root_;
  RecentMap<SshdKey, SshdReading> sshd_{64};
  RecentMap<ShellKey, ShellReading> shells_{1024};
  RecentMap<std::string, LogindReading> logind_{64};
  std::vector<Error> problems_;
};

}  // namespace idlewarden

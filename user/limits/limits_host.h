// SPDX-License-Identifier: Apache-2.0
// What the host's own files say: readings of sshd_config, shell files and logind.conf, kept until
// reload(). A file that can no longer be read keeps its last good reading. Not thread-safe.
//
// sshd gives each connection the configuration that it had read when it was started or reloaded,
// and a shell reads its files once, at login. So a live session keeps what was read for it when it
// was first asked for: of sshd_config the reading that its sshd had in force, as far as it was
// followed, of the shell's files the one of that moment; what could not be read then may be added
// later, if it only adds, and what a silent home left undecided is decided when it answers.
// logind's settings hold for all at once.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/others_roots.h"
#include "base/patience.h"
#include "limits/limit.h"
#include "limits/logind.h"
#include "limits/policy.h"
#include "limits/shell_script.h"
#include "limits/shell_timeout.h"
#include "limits/sshd_config.h"

namespace idlewarden {

// A map that forgets what was not asked for longest, so that nobody can fill the memory by logging
// in often or by starting many sshds.
template <class Key, class Value>
class RecentMap {
 public:
  explicit RecentMap(std::size_t most) : most_(most) {}

  void set_most(std::size_t most) { most_ = most; }
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
  // What could not be read because the host was short of something; it is read again when it is
  // asked for next.
  std::optional<Error> take_shortage() { return std::exchange(shortage_, std::nullopt); }
  // As Limits::learn().
  void learn(const AcceptingSshd& listener);
  // The session has ended: what was kept for it is not asked for again.
  void forget(const std::string& session) { kept_.erase(session); }
  // As this process sees the paths, whatever tree they are in; not those in users' homes, which are
  // looked at when their owner logs in.
  std::vector<std::string> files();
  // Another number than before: files() may have changed.
  std::uint64_t readings() const noexcept { return readings_; }
  // Another number than before: what a file says has changed, so sources() may answer otherwise.
  std::uint64_t changes() const noexcept { return changes_; }
  // Between the two calls the subjects are sessions that were all there at the first one: whatever
  // is read of a shell's files is as new as any of their logins.
  void begin_batch() { batch_ = ++batches_; }
  void end_batch();

 private:
  // The tree and the file, and the -o options over it.
  using SshdKey = std::tuple<std::string, std::string, std::vector<std::string>>;
  using SharedSshd = std::shared_ptr<const SshdConfig>;
  struct SshdReading {
    SharedSshd good;
    std::optional<Error> error;  // of the last attempt
    bool read = false;
    bool in_use = false;  // a running sshd was started with it
  };
  using ShellKey = std::pair<std::string, ShellUser>;  // the tree
  using SharedShell = std::shared_ptr<const ShellTimeouts>;
  // Most users have no files of their own, so what is read is the same for all of them: it is kept
  // once, without the names of the files.
  using SharedNames = std::shared_ptr<const std::vector<std::string>>;
  struct ShellReading {
    SharedShell last;
    SharedNames systems_files;
    SharedNames own_files;     // what only the user's own led to; "~/" is the home
    std::uint64_t stamps = 0;  // of all of them, from before they were read
    bool fresh = false;
    bool silent = false;      // the home, when it was asked last
    bool unread = false;      // nor did the host's own files answer
    std::uint64_t batch = 0;  // in which it was looked at last
  };
  struct ShellLook {
    std::optional<ShellTimeouts> now;  // none: as before; without the names of its files
    std::vector<std::string> systems_files;
    std::vector<std::string> own_files;
    std::uint64_t stamps = 0;
    int shortage = 0;  // errno of one that may have kept something back
    bool unread = false;
    void take_files(const std::string& home);
  };
  struct LogindReading {
    LogindTimes last;
    bool read = false;
    bool ever = false;  // once it was true
    bool kept = false;  // its limit is that of an earlier reading
  };
  // What a live session began with.
  struct Kept {
    SharedSshd sshd;
    SharedShell shell;  // as far as it was read
    bool shell_is_whole = false;
  };

  Root root_of(const Subject& subject) const;
  SshdKey key_of(const AcceptingSshd& sshd) const;
  void problem(const Error& error);
  // As OthersRoots::ask().
  template <class T>
  std::optional<T> ask(const std::string& tree, std::invocable<Root> auto look);
  // The tree whose files are the host's, not those of a container.
  std::optional<Root> own_tree(const std::string& tree);
  bool has_gone(const std::string& tree);
  void read_sshd(const SshdKey& key, SshdReading& reading);
  void use_sshd(const SshdKey& key, SshdReading& reading);
  void tell_sshd(const SshdKey& key, const SshdReading& reading);
  SharedSshd sshd_in_force(const SshdKey& key, const std::string& name);
  void read_shell(const ShellKey& key, ShellReading& reading);
  // nullopt: something that was to be read does not answer.
  std::optional<ShellLook> look_at_shell(const ShellKey& key, const ShellReading& reading);
  ShellLook look_without_home(const std::string& tree, ShellUser user);
  bool keep_shell(ShellReading& reading, ShellLook look);
  void read_logind(const std::string& tree, LogindReading& reading);
  void add_sshd(const Subject& subject, Seconds client_alive_floor, std::vector<LimitSource>& into);
  void add_shell(const Subject& subject, std::vector<LimitSource>& into);
  void add_logind(const Subject& subject, std::vector<LimitSource>& into);

  Root root_;
  static constexpr std::chrono::milliseconds kPatience{1000};  // reading takes milliseconds
  OthersRoots roots_{kPatience};
  static constexpr std::chrono::milliseconds kPatienceAgain{250};  // of a silent home
  PatienceWithEach<std::string> homes_{8, kPatience};
  Patience without_homes_{2};  // of their own: homes that hang keep nobody from the host's files
  RecentMap<SshdKey, SshdReading> sshd_{64};
  // Never fewer than the live sessions have: what is read of a user's shell is asked for as long as
  // they are logged in.
  static constexpr std::size_t kMostShells = 1024;
  RecentMap<ShellKey, ShellReading> shells_{kMostShells};
  std::shared_ptr<shell::ScriptCache> scripts_ = std::make_shared<shell::ScriptCache>();
  std::vector<SharedShell> shared_shells_;  // a few, the newest last
  std::vector<SharedNames> shared_names_;
  RecentMap<std::string, LogindReading> logind_{64};
  // By AcceptingSshd::reading.
  RecentMap<std::pair<SshdKey, std::string>, SharedSshd> in_force_{256};
  std::map<std::string, Kept> kept_;  // by session
  std::uint64_t readings_ = 0;
  std::uint64_t changes_ = 0;
  std::uint64_t batches_ = 0;
  std::uint64_t batch_ = 0;  // 0: none
  std::vector<Error> problems_;
  std::optional<Error> shortage_;
};

}  // namespace idlewarden

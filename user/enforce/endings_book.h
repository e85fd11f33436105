// SPDX-License-Identifier: Apache-2.0
// The ends that were begun and not yet told, in a file that outlives the daemon. A leader that
// survives its hang-up has lost its tty: after a crash (or kill -9, or a restart) it is in no table
// of sessions any more, and only this book knows that its end is owed.
//
// An entry is written before the hang-up and struck after the end was reported. So nothing that was
// begun is forgotten. A daemon that dies exactly between the report and the strike leaves an entry
// of which the journal and the events file know already (Reporter::has_told()); a log that is
// neither has the same end twice, which is better than never.
//
// An entry is worth something only while the machine runs (pids and start times are of one boot):
// the folder belongs on a tmpfs, and each write is quick there. A book that cannot be written keeps
// nobody from being ended: it is told, and tried again with the next entry.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/state_folder.h"
#include "enforce/ending.h"
#include "limits/limit.h"
#include "sessions/session.h"

namespace idlewarden {

struct BegunEnding {
  // Of a book that was read, as much as identifies the session and is told of it; its text is
  // printable.
  Session session;
  Verdict verdict;  // read: only who decided, and where
  Ending::Plan plan;
  BootTime hung_up_at{};
};

// Not thread-safe.
class EndingsBook {
 public:
  static constexpr const char* kFile = "endings.json";
  // What degrades the keeping: a sentence, or empty when all is well again.
  using Tell = std::function<void(const std::string& sentence)>;

  // Touches nothing yet. `boot_id`: random(4); of another boot nothing is taken over.
  EndingsBook(std::string folder, std::string boot_id, Tell tell);

  // What an earlier daemon left, by the time of the hang-up. A file that is broken, foreign, or of
  // another boot is put aside and told. One that cannot be read now is told too, and is to be
  // opened again while it is unread(): nothing is written over it before.
  std::vector<BegunEnding> open();
  bool unread() const noexcept { return unread_; }
  void enter(BegunEnding begun);
  void strike(const SessionId& id);  // of what is not in it: nothing

 private:
  Result<std::vector<BegunEnding>> read();
  void problem(const Error& error);
  Result<void> open_folder();
  void save();

  std::string path_;
  std::string boot_id_;
  Tell tell_;
  std::unique_ptr<StateFolder> folder_;
  std::map<SessionId, BegunEnding> entries_;
  bool unread_ = false;
  bool told_ = false;  // something that is not well yet
};

// The file's text, and back. An error says in one sentence why it cannot be used.
std::string endings_text(const std::string& boot_id,
                         const std::map<SessionId, BegunEnding>& entries);
Result<std::map<SessionId, BegunEnding>> endings_from(std::string_view text,
                                                      const std::string& boot_id);

}  // namespace idlewarden

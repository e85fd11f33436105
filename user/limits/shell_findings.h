// SPDX-License-Identifier: Apache-2.0
// What the reading of the start-up files brings to light, over all passes of one answer.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/files.h"
#include "limits/limit.h"
#include "limits/shell_budget.h"
#include "limits/shell_script.h"
#include "limits/shell_timeout.h"
#include "limits/shell_value.h"

namespace idlewarden::shell {

// What is known of a path that cannot be looked at: whether nothing is there.
Tri if_unseen(const Error& error);

struct Finding {
  LimitSource source;
  bool users_own = false;  // stands in a file that the user can write
  bool undecided = false;  // not even its value is known
  std::string fate;        // why it does not hold, if it does not
};

// Where a login ends up on one way through the files: the watched variable.
struct Pass {
  Values values;
  Tri readonly = Tri::no;
  Tri exported = Tri::no;
  std::vector<int> undecided;  // findings whose effect is not known at all
  Values alarm_trap{Value{}};  // zsh's, which runs instead of a logout

  bool holds(int finding) const;
  bool decides(int finding) const { return values.size() == 1 && holds(finding); }
  // "": it logs out. Else why it may not.
  std::string instead_of_a_logout() const;
};
Pass pass_of(const Variable& watched, const std::vector<int>& undecided);

class Findings {
 public:
  // `scripts`: what earlier answers read, shared with this one.
  Findings(const Root& root, const ShellUser& user, ScriptCache& scripts)
      : root_(root), users_root_(root.seen_by(user.uid)), user_(user), scripts_(scripts) {}

  // The index of the finding; one that is there already is not added again.
  int add(const Finding& finding);
  Finding& at(int index) { return findings_[static_cast<std::size_t>(index)]; }
  const std::vector<Finding>& all() const { return findings_; }

  // Null: there is none, the user's shell cannot read it, or it cannot be read here, which is a
  // problem. `by_shell`: else it is root who reads it at a login.
  std::shared_ptr<const ScriptFile> read(const std::string& path, bool users_own,
                                         bool by_shell = true);
  // Whether the user's shell certainly cannot read (of `way_only`: see) what is there.
  bool is_closed(const std::string& path, bool way_only = false);
  void looked_at(const std::string& path) { files_.insert(path); }
  // Whether a path belongs to the user, or is one that a file of theirs chose outside of the
  // system's folders.
  bool is_users_own(const std::string& path, bool chosen) const;
  // Of a file of which read() gave nothing: whether there is one, and it is only not read here.
  Tri is_there(const std::string& path, bool users_own);
  // What is there, asked once.
  const Result<mode_t>& mode(const std::string& path, bool users_own);
  // Before a condition asks what is at a path. False: that are more paths than can be watched.
  bool may_ask_of(const std::string& path);
  // glob(3) in the root, asked once; nullopt: it does not answer, or there is more to look through
  // than can be paid for.
  std::optional<std::vector<std::string>> glob(const std::string& pattern);
  // Which of the two files is read last is up to the login's locale.
  void doubt_order(const std::string& a, const std::string& b) { orders_[a] = b, orders_[b] = a; }
  // "": of no other one.
  std::string order_doubted_with(const std::string& path) const {
    const auto found = orders_.find(path);
    return found == orders_.end() ? std::string() : found->second;
  }
  void problem(Error error);

  // From here on what is read is what the user's own files led to, and so with no more rights than
  // the user's; what was read before stays as it was.
  void follow_the_user() { following_ = true; }
  // Where a path leads that the user chose, or that lies in their home.
  const Root& root(bool users_own = false) const {
    return users_own || following_ ? users_root_ : root_;
  }
  // Files that are there, or may be, and could not be read.
  const std::set<std::string>& unread() const { return unread_; }
  Budget& budget() { return budget_; }
  const std::vector<Error>& problems() const { return problems_; }
  std::vector<std::string> files() const { return {files_.begin(), files_.end()}; }  // ascending

 private:
  std::optional<bool> is_in(gid_t group);
  // It lies in a home that does so: unknown is what is there, and it is not asked.
  bool does_not_answer(const std::string& path) const;

  Root root_;
  Root users_root_;
  const ShellUser& user_;
  bool following_ = false;
  ScriptCache& scripts_;
  std::vector<Finding> findings_;
  // Their indices by file, line, limit, what is not known, reason.
  std::map<std::tuple<std::string, int, std::optional<Seconds>, bool, std::string>, int> known_;
  std::map<std::string, std::shared_ptr<const ScriptFile>> read_;
  std::vector<Error> problems_;
  std::set<std::string> files_;
  std::size_t asked_ = 0;
  std::set<std::string> unread_;
  std::optional<std::string> groups_;  // the tree's /etc/group
  std::map<std::string, std::optional<std::vector<std::string>>> globs_;
  std::map<std::pair<std::string, bool>, Result<mode_t>> modes_;
  std::map<std::pair<std::string, bool>, bool> closed_;
  std::map<std::string, std::string> orders_;
  Budget budget_;
};

}  // namespace idlewarden::shell

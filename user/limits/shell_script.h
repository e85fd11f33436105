// SPDX-License-Identifier: Apache-2.0
// A start-up file as text and as commands. All logins read the same files of the administrator's,
// some of them thousands of lines long: these are parsed once, not for each login anew.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "limits/shell_budget.h"
#include "limits/shell_syntax.h"

namespace idlewarden::shell {

// What one step of the parser gave.
struct Piece {
  std::shared_ptr<const Command> command;  // null: what starts at `line` is none
  int line = 0;
  std::size_t units = 0;  // of a Budget that the step took, each time that it is followed
  std::size_t nodes = 0;  // that are kept of it, Budget::kNode each
};
// `units`: what there is to spend. Once that is spent the last piece is none.
std::vector<Piece> parse_script(std::string_view text, std::size_t units, int first_line = 1);
void pay_nodes(const std::vector<Piece>& pieces, Budget& budget);

// A file as it was read once, whole. May be used on several threads once it is made.
struct ScriptFile {
  std::string path;
  bool users_own = false;
  std::string text;
  std::vector<std::string_view> lines;          // of text
  std::set<std::string, std::less<>> assigned;  // names that stand before a = anywhere in it
  std::string line(int number) const;           // printable, its first 500 characters
  // Made when they are first asked for, who then pays for the nodes of a user's own file: it is of
  // no use to anybody else.
  const std::vector<Piece>& pieces(Budget& budget) const;

  mutable std::once_flag parsed;
  mutable std::vector<Piece> made;
};
std::shared_ptr<const ScriptFile> script_file(const std::string& path, bool users_own,
                                              std::string text);

// The administrator's files as they were read last. Bounded, thread-safe.
class ScriptCache {
 public:
  // The file with this text: the very one from before, if its text was the same. `tree` is where
  // the path belongs.
  std::shared_ptr<const ScriptFile> file(const std::string& tree, const std::string& path,
                                         std::string text);
  void clear();

 private:
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<const ScriptFile>> files_;
};

}  // namespace idlewarden::shell

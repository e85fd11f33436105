// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_script.h"

#include <algorithm>

#include "base/text.h"
#include "limits/shell_parser.h"

namespace idlewarden::shell {
namespace {

constexpr std::size_t kMaxFiles = 1024;
constexpr std::size_t kMaxLine = 500;

std::set<std::string, std::less<>> assigned_in(std::string_view text) {
  std::set<std::string, std::less<>> names;
  for (auto at = text.find('='); at != std::string_view::npos; at = text.find('=', at + 1)) {
    std::size_t begin = at;
    while (begin > 0 && name_char(text[begin - 1])) --begin;
    const std::string_view name = text.substr(begin, at - begin);
    if (is_name(name) && !names.contains(name)) names.emplace(name);
  }
  return names;
}

}  // namespace

std::vector<Piece> parse_script(std::string_view text, std::size_t units, int first_line) {
  Budget budget(units);
  Parser parser(text, budget, first_line);
  std::vector<Piece> pieces;
  std::size_t left = units;
  std::size_t known = 0;
  while (true) {
    auto command = parser.next();
    const std::size_t nodes = parser.nodes() - std::exchange(known, parser.nodes());
    const std::size_t all = left - std::exchange(left, budget.left());
    const std::size_t took = all - std::min(all, nodes * Budget::kNode);
    const bool ends = budget.spent();
    if (ends || parser.failed()) {
      pieces.push_back({nullptr, parser.error_line(), took, nodes});
      if (ends) return pieces;
      parser.resume();
      continue;
    }
    if (!command) return pieces;
    pieces.push_back(
        {std::make_shared<const Command>(std::move(*command)), parser.error_line(), took, nodes});
  }
}

std::string ScriptFile::line(int number) const {
  const auto index = static_cast<std::size_t>(number - 1);
  return index < lines.size() ? printable(trim(lines[index]).substr(0, kMaxLine)) : std::string();
}

void pay_nodes(const std::vector<Piece>& pieces, Budget& budget) {
  for (const Piece& piece : pieces) budget.spend(piece.nodes * Budget::kNode);
}

const std::vector<Piece>& ScriptFile::pieces(Budget& budget) const {
  std::call_once(parsed, [&] {
    made = parse_script(text, users_own ? budget.left() : 4 * Budget::kUnits);
    if (users_own) pay_nodes(made, budget);
  });
  return made;
}

std::shared_ptr<const ScriptFile> script_file(const std::string& path, bool users_own,
                                              std::string text) {
  auto file = std::make_shared<ScriptFile>();
  file->path = path;
  file->users_own = users_own;
  file->text = std::move(text);
  file->assigned = assigned_in(file->text);
  for (std::string_view rest = file->text; !rest.empty();) {
    const auto end = rest.find('\n');
    file->lines.push_back(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return file;
}

std::shared_ptr<const ScriptFile> ScriptCache::file(const std::string& tree,
                                                    const std::string& path, std::string text) {
  const std::lock_guard lock(mutex_);
  if (files_.size() >= kMaxFiles) files_.clear();
  auto& known = files_[{tree, path}];
  if (!known || known->text != text) known = script_file(path, false, std::move(text));
  return known;
}

void ScriptCache::clear() {
  const std::lock_guard lock(mutex_);
  files_.clear();
}

}  // namespace idlewarden::shell

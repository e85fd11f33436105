// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_findings.h"

#include <algorithm>

#include "base/text.h"

namespace idlewarden::shell {
namespace {

constexpr std::size_t kMaxUsersFile = 256U << 10;
constexpr std::size_t kMaxFiles = 300;
constexpr std::size_t kMaxFindings = 1000;

}  // namespace

bool Pass::holds(int finding) const {
  return std::ranges::any_of(values, [&](const Value& value) { return value.source == finding; });
}

Pass pass_of(const Variable& watched, const std::vector<int>& undecided) {
  return {watched.values, watched.readonly, watched.exported, undecided};
}

std::string ScriptFile::line(int number) const {
  const auto index = static_cast<std::size_t>(number - 1);
  return index < lines.size() ? printable(trim(lines[index])) : std::string();
}

int Findings::add(const Finding& finding) {
  const std::pair key(finding.source.where.file, finding.source.where.line);
  const auto [first, last] = by_line_.equal_range(key);
  for (auto i = first; i != last; ++i) {
    const Finding& other = at(i->second);
    if (other.source.limit == finding.source.limit &&
        other.source.reason == finding.source.reason && other.undecided == finding.undecided) {
      return i->second;
    }
  }
  // Past the bound they share the last place: nobody reads a thousand reasons.
  if (findings_.size() < kMaxFindings) {
    findings_.push_back(finding);
    by_line_.emplace(key, static_cast<int>(findings_.size()) - 1);
  }
  return static_cast<int>(findings_.size()) - 1;
}

void Findings::problem(Error error) {
  const bool known = std::ranges::any_of(problems_, [&](const Error& other) {
    return other.where == error.where && other.what == error.what;
  });
  if (!known) problems_.push_back(std::move(error));
}

std::shared_ptr<const ScriptFile> Findings::read(const std::string& path, bool users_own) {
  looked_at(path);
  if (const auto found = read_.find(path); found != read_.end()) return found->second;
  auto& place = read_[path];
  if (read_.size() > kMaxFiles) {
    problem({.what = "is one file too many to look for TMOUT in", .where = {path}, .hint = {}});
    return place;
  }
  ReadLimits limits;
  if (users_own) limits = {.max_bytes = kMaxUsersFile, .owner = owner_};
  auto text = root_.read(path, limits);
  if (!text) {
    if (text.error().code != ENOENT && text.error().code != ENOTDIR) problem(text.error());
    return place;
  }
  auto file = std::make_shared<ScriptFile>();
  file->path = path;
  file->users_own = users_own;
  file->text = std::move(*text);
  for (std::string_view rest = file->text; !rest.empty();) {
    const auto end = rest.find('\n');
    file->lines.push_back(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  place = std::move(file);
  return place;
}

}  // namespace idlewarden::shell

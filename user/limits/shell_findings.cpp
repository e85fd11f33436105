// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_findings.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/text.h"

namespace idlewarden::shell {
namespace {

constexpr std::size_t kMaxUsersFile = 256U << 10;
constexpr std::size_t kMaxFiles = 300;
constexpr std::size_t kMaxAsked = 300;
constexpr std::size_t kMaxFindings = 1000;
constexpr std::size_t kMaxProblems = 100;

}  // namespace

Tri if_unseen(const Error& error) {
  return error.code == ENOENT || error.code == ENOTDIR ? Tri::no : Tri::unknown;
}

bool Pass::holds(int finding) const {
  return std::ranges::any_of(values, [&](const Value& value) { return value.source == finding; });
}

std::string Pass::instead_of_a_logout() const {
  std::string where;
  for (const Value& trap : alarm_trap) {
    if (where.empty() && trap.kind == Value::Kind::text) where = " (" + trap.text + ")";
  }
  const bool perhaps = alarm_trap.size() > 1 || where.empty();
  if (perhaps && alarm_trap == Values{Value{}}) return {};
  return std::string("a timer in zsh, no logout: a trap for ALRM") + where +
         (perhaps ? " may run" : " runs") + " instead";
}

Pass pass_of(const Variable& watched, const std::vector<int>& undecided) {
  return {.values = watched.values,
          .readonly = watched.readonly,
          .exported = watched.exported,
          .undecided = undecided};
}

int Findings::add(const Finding& finding) {
  const LimitSource& source = finding.source;
  auto key = std::tuple(source.where.file, source.where.line, source.limit, finding.undecided,
                        source.reason);
  if (const auto same = known_.find(key); same != known_.end()) return same->second;
  // Past the bound they share the last place: nobody reads a thousand reasons.
  if (findings_.size() < kMaxFindings) {
    findings_.push_back(finding);
    known_.emplace(std::move(key), static_cast<int>(findings_.size()) - 1);
  }
  return static_cast<int>(findings_.size()) - 1;
}

void Findings::problem(Error error) {
  const bool known = std::ranges::any_of(problems_, [&](const Error& other) {
    return other.where == error.where && other.what == error.what;
  });
  if (!known && problems_.size() < kMaxProblems) problems_.push_back(std::move(error));
}

bool Findings::is_users_own(const std::string& path, bool chosen) const {
  const std::string plain = std::filesystem::path(path).lexically_normal();
  const bool system = plain.starts_with("/etc/") || plain.starts_with("/usr/");
  return (chosen && !system) || lies_in(path, user_.home);
}

bool Findings::does_not_answer(const std::string& path) const {
  return user_.home_is_silent && lies_in(path, user_.home);
}

const Result<mode_t>& Findings::mode(const std::string& path, bool users_own) {
  const auto [place, asked_first] = modes_.try_emplace({path, users_own || following_}, mode_t(0));
  if (!asked_first) return place->second;
  if (does_not_answer(path)) {
    place->second = fail_errno("cannot look at " + path, ETIMEDOUT);
  } else {
    place->second = root(users_own).mode(path);
  }
  return place->second;
}

Tri Findings::is_there(const std::string& path, bool users_own) {
  if (!unread_.contains(path)) return Tri::no;
  const Result<mode_t>& found = mode(path, users_own);
  if (found) return Tri::yes;
  return found.error().code == ENOENT ? Tri::no : Tri::unknown;
}

bool Findings::may_ask_of(const std::string& path) {
  if (files_.contains(path)) return true;
  if (asked_ == kMaxAsked) return false;
  ++asked_;
  looked_at(path);
  return true;
}

std::optional<std::vector<std::string>> Findings::glob(const std::string& pattern) {
  if (does_not_answer(pattern)) return std::nullopt;
  const auto [place, asked_first] = globs_.try_emplace(pattern);
  if (asked_first) {
    std::size_t entries = Budget::kMaxEntries;
    place->second = root().glob(pattern, entries);
    budget_.spend(Budget::kStep + 64 * (Budget::kMaxEntries - entries));
  }
  const std::size_t found = place->second ? place->second->size() : 0;
  if (!budget_.spend_steps(1 + found / 4)) return std::nullopt;
  return place->second;
}

std::optional<bool> Findings::is_in(gid_t group) {
  if (user_.gid == group) return true;
  if (user_.groups.empty()) return std::nullopt;
  if (!groups_) groups_ = root_.read("/etc/group").value_or("");
  std::optional<bool> in;
  for (const std::string& line : split(*groups_, '\n')) {
    const std::vector<std::string> parts = split(line, ':');
    if (parts.size() < 3 || parts[2] != std::to_string(group)) continue;
    in = in.value_or(false) || std::ranges::find(user_.groups, parts[0]) != user_.groups.end();
  }
  return in;
}

bool Findings::is_closed(const std::string& path, bool way_only) {
  if (user_.name.empty() || user_.foreign || does_not_answer(path)) return false;
  if (!budget_.spend_steps(2)) return false;
  const Rights reader{.uid = user_.uid, .is_in = [this](gid_t group) { return is_in(group); }};
  const auto [place, asked_first] = closed_.try_emplace({path, way_only}, false);
  if (asked_first) place->second = root_.is_closed_to(reader, path, way_only);
  return place->second;
}

std::shared_ptr<const ScriptFile> Findings::read(const std::string& path, bool users_own,
                                                 bool by_shell) {
  looked_at(path);
  if (const auto found = read_.find(path); found != read_.end()) return found->second;
  budget_.spend_steps(4);
  auto& place = read_[path];
  if (read_.size() > kMaxFiles) {
    problem({.what = "is one file too many to look for TMOUT in", .where = {path}, .hint = {}});
    return place;
  }
  if (does_not_answer(path)) {
    unread_.insert(path);
    return place;
  }
  ReadLimits limits;
  if (by_shell && is_closed(path)) return place;
  if (users_own) limits = {.max_bytes = kMaxUsersFile, .owner = user_.uid};
  auto text = root(users_own).read(path, limits);
  if (!text) {
    if (if_unseen(text.error()) == Tri::no) return place;
    unread_.insert(path);
    problem(text.error());
    return place;
  }
  budget_.spend(text->size() / 4);
  place = users_own ? script_file(path, true, std::move(*text))
                    : scripts_.file(root_.directory(), path, std::move(*text));
  return place;
}

}  // namespace idlewarden::shell

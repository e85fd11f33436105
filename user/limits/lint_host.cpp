// SPDX-License-Identifier: Apache-2.0
#include "limits/lint_host.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <utility>

#include "base/text.h"
#include "limits/limits.h"
#include "limits/match.h"
#include "limits/shell_files.h"

namespace idlewarden {
namespace {

constexpr std::size_t kMostAccounts = 256;
constexpr std::array kKinds{Kind::ssh, Kind::console, Kind::ssh_nopty};

bool lets_nobody_in(const std::string& shell) {
  constexpr std::array<std::string_view, 6> kNone{"nologin", "false", "true",
                                                  "sync",    "halt",  "shutdown"};
  return std::ranges::find(kNone, base_name(shell)) != kNone.end();
}

// Somebody must stand for those who are not in the tree's passwd.
Account anybody(const std::string& shell) {
  return {.name = "any user", .uid = 60000, .gid = 60000, .home = "/nonexistent", .shell = shell};
}

std::vector<Account> login_accounts(LintHost& host) {
  std::vector<Account> found;
  for (Account& account : local_accounts(host.root)) {
    if (lets_nobody_in(account.shell)) continue;
    if (found.size() == kMostAccounts) {
      ++host.accounts_left_out;
    } else {
      found.push_back(std::move(account));
    }
  }
  if (found.empty()) found.push_back(anybody("/bin/bash"));
  return found;
}

std::vector<std::string> offered_shells(const Root& root) {
  std::vector<std::string> found;
  const auto text = root.read("/etc/shells");
  if (!text) return found;
  for (const std::string& line : split(*text, '\n')) {
    const std::string_view path = trim(std::string_view(line).substr(0, line.find('#')));
    if (path.starts_with('/') && !lets_nobody_in(std::string(path))) found.emplace_back(path);
  }
  return found;
}

ShellUser shell_user(const Account& account) {
  return {.uid = account.uid, .home = account.home, .shell = account.shell};
}

ShellTimeouts read_shell(const Root& root, const Account& account) {
  ShellUser user = shell_user(account);
  user.name = account.name;
  user.gid = account.gid;
  user.groups = group_names(root, account.name, account.gid);
  return shell_timeouts(root, user);
}

// Without what stands in the account's own files.
ShellTimeouts systems_part(ShellTimeouts times, const Account& account) {
  const auto own = [&](const auto& source) { return lies_in(source.where.file, account.home); };
  std::erase_if(times.in_force, own);
  std::erase_if(times.overruled, own);
  std::erase_if(times.problems, own);
  return times;
}

LintShell& shell_of(LintHost& host, const Account& account) {
  const shell::ShellKind kind = shell::shell_kind(host.root, account.shell);
  const auto known = std::ranges::find(host.shells, kind.name, &LintShell::name);
  if (known != host.shells.end()) return *known;
  LintShell made;
  made.name = kind.name;
  made.has_timeout =
      kind.family != shell::Family::dash && kind.family != shell::Family::without_timeout;
  made.counts_minutes = kind.family == shell::Family::csh;
  Account nobody = account;
  nobody.home = "/nonexistent";
  // It stands for all who have this shell: neither a name nor groups.
  made.times = systems_part(shell_timeouts(host.root, shell_user(nobody)), nobody);
  host.shells.push_back(std::move(made));
  return host.shells.back();
}

Subject subject_of(const Root& root, const Account& account, Kind kind, const std::string& sshd) {
  Subject subject;
  subject.user = account.name;
  subject.uid = account.uid;
  subject.gid = account.gid;
  subject.groups = group_names(root, account.name, account.gid);
  subject.home = account.home;
  subject.shell = account.shell;
  subject.kind = kind;
  subject.sshd.config_file = sshd;
  subject.sshd.root = root.directory();
  return subject;
}

// What can be said of a session before it is there. The rest of a rule's match may hold or not.
bool depends_on_session(const Match& match) {
  return !match.addresses.empty() || !match.ttys.empty() || !match.hours.empty();
}

bool has_address(Kind kind) {
  return kind != Kind::console && kind != Kind::serial;
}

// Goes through the rules for every kind of session. Each rule is asked alone, so that one that
// holds only at night is looked at by day, too.
class Cases {
 public:
  explicit Cases(LintHost& host) : host_(host) {}
  void add_all(const std::vector<Account>& accounts) {
    for (const Account& account : accounts) {
      for (const Kind kind : kKinds) {
        add(subject_of(host_.root, account, kind, host_.sshd_file));
      }
    }
  }

 private:
  void add(const Subject& subject) {
    for (std::size_t i = 0; i < host_.policy.rules.size(); ++i) {
      Match match = host_.policy.rules[i].match;
      if (!match.addresses.empty() && !has_address(subject.kind)) continue;
      const bool depends = depends_on_session(match);
      match.addresses.clear();
      match.ttys.clear();
      match.hours.clear();
      if (!mismatch(match, subject, WallTime{}).empty()) continue;
      add(subject, i, std::move(match), depends);
      if (!depends) return;
    }
    add(subject, host_.policy.rules.size(), {}, false);
  }

  void add(const Subject& subject, std::size_t rule, Match match, bool depends) {
    auto known = limits_.find(rule);
    if (known == limits_.end()) {
      Policy policy = host_.policy;
      policy.rules.clear();
      if (rule < host_.policy.rules.size()) {
        policy.rules.push_back(host_.policy.rules[rule]);
        policy.rules.back().match = std::move(match);
      }
      known = limits_.emplace(rule, Limits::with(host_.root, std::move(policy))).first;
    }
    host_.cases.push_back({subject, known->second.resolve(subject, WallTime{}), depends});
  }

  LintHost& host_;
  std::map<std::size_t, Limits> limits_;  // by rule; behind the last one: no rule
};

void read_policy(LintHost& host) {
  auto policy = load_policy(host.root, host.policy_file);
  if (policy) {
    host.policy = *std::move(policy);
  } else {
    host.policy_error = policy.error();
  }
}

void read_sshd(LintHost& host) {
  auto syntax = read_sshd_syntax(host.root, host.sshd_file, {}, SshdGrammar::any);
  if (syntax) {
    host.sshd = *std::move(syntax);
  } else {
    const Error& error = syntax.error();
    const bool no_sshd = error.code == ENOENT && error.where.file == host.sshd_file &&
                         host.sshd_file == LintOptions{}.sshd_file;
    if (!no_sshd) host.sshd_error = error;
  }
}

}  // namespace

LintHost look_at_host(const Root& root, const LintOptions& options) {
  LintHost host(root);
  host.policy_file = policy_path(root, options.policy_file);
  host.sshd_file = policy_path(root, options.sshd_file);
  host.version = sshd_version(root);
  host.logind = logind_times(root);
  read_policy(host);
  read_sshd(host);
  const std::vector<Account> accounts = login_accounts(host);
  for (const Account& account : accounts) {
    LintShell& shell = shell_of(host, account);
    shell.users.push_back(account.name);
    if (!root.is_directory(account.home)) continue;
    host.users.push_back({account, shell.name, read_shell(root, account)});
  }
  for (const std::string& path : offered_shells(root)) shell_of(host, anybody(path));
  Cases(host).add_all(accounts);
  return host;
}

bool enforced(const LintHost& host, Kind kind) {
  bool any = false;
  for (const LintCase& one : host.cases) {
    if (one.subject.kind != kind) continue;
    const Verdict& verdict = one.verdict;
    any = true;
    if (verdict.mode != Mode::enforce || verdict.action != Action::terminate || !verdict.limit) {
      return false;
    }
  }
  return any && !host.policy_error;
}

}  // namespace idlewarden

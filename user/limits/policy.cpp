// SPDX-License-Identifier: Apache-2.0
#include "limits/policy.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "base/shortage.h"
#include "base/text.h"
#include "base/trusted_program.h"
#include "limits/match.h"
#include "limits/policy_toml.h"
#include "limits/policy_values.h"

namespace idlewarden {
namespace {

const Messages kMessages{
    .warn =
        "\r\n*** {user}: {reason}. This session ends in {left}.\r\n"
        "*** {advice} (limit {limit}: {source})\r\n",
    .end =
        "\r\n*** {user}: {reason}. This session ends now.\r\n"
        "*** (limit {limit}: {source})\r\n",
};

// glob(3)'s metacharacters in a folder's name are no pattern.
std::string quoted(const std::string& path) {
  std::string out;
  for (const char c : path) {
    if (c == '*' || c == '?' || c == '[' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

Result<void> read_into(const Root& root, const std::string& file, Policy& policy) {
  const auto text = root.read(file);
  if (!text) return std::unexpected(text.error());
  if (auto merged = merge_policy(file, *text, policy); !merged) return merged;
  policy.files.push_back(file);
  return {};
}

// Rules that contradict each other: two of one name, and those that cannot be reached.
Result<void> check_rules(const std::vector<Rule>& rules) {
  std::map<std::string, const Rule*> by_name;
  const Rule* catch_all = nullptr;
  for (const Rule& rule : rules) {
    const std::string name = printable(rule.name, 60);
    const auto [earlier, is_new] = by_name.emplace(rule.name, &rule);
    if (!is_new) {
      return fail_at(rule.where, fmt::format("a second rule is called \"{}\"", name),
                     "the first is at " + earlier->second->where.text());
    }
    if (catch_all != nullptr) {
      return fail_at(rule.where, fmt::format("rule \"{}\" can never match", name),
                     fmt::format("rule \"{}\" at {} matches everything; put it last",
                                 printable(catch_all->name, 60), catch_all->where.text()));
    }
    if (matches_nothing(rule.match)) {
      return fail_at(rule.where, fmt::format("rule \"{}\" can never match", name),
                     "a console has no address and no host");
    }
    if (matches_everything(rule.match)) catch_all = &rule;
  }
  return {};
}

Result<void> check_hook(const Root& root, const Hooks& hooks) {
  if (hooks.on_event.empty()) return {};
  const auto good = check_trusted_program(root, hooks.on_event);
  if (good) return {};
  Error error = good.error().during("hooks.on_event").error();
  error.where = hooks.where;
  return std::unexpected(std::move(error));
}

Result<void> apply_overrides(const PolicyOverrides& overrides, Policy& policy) {
  if (overrides.mode) policy.mode = *overrides.mode;
  if (overrides.metrics_listen) {
    auto listen = parse_listen(*overrides.metrics_listen);
    if (!listen) return std::unexpected(listen.error());
    policy.metrics_listen = *std::move(listen);
  }
  if (overrides.backend) {
    policy.backend = backend_from(*overrides.backend);
    if (!policy.backend && *overrides.backend != "auto") {
      return fail(fmt::format("unknown backend \"{}\"", printable(*overrides.backend, 60)),
                  "auto, fentry, kprobe, sampler or tracepoint");
    }
  }
  return {};
}

}  // namespace

std::string policy_path(const Root& root, const std::string& file) {
  if (file.starts_with('/')) return file;
  std::error_code error;
  const auto here = root.is_host() ? std::filesystem::current_path(error) : "/";
  return (here / file).lexically_normal().string();
}

std::string policy_folder(const std::string& policy_path) {
  return std::filesystem::path(policy_path).parent_path() / "policies.d";
}

Result<Policy> load_policy(const Root& root, const std::string& file,
                           const PolicyOverrides& overrides) {
  const ShortageWatch shortage;
  Policy policy;
  policy.messages = kMessages;
  const std::string main_file = policy_path(root, file);
  if (auto read = read_into(root, main_file, policy); !read) {
    const bool may_be_missing = read.error().code == ENOENT && main_file == kDefaultPolicyFile;
    if (!may_be_missing) return std::unexpected(read.error());
  }
  for (const std::string& extra : root.glob(quoted(policy_folder(main_file)) + "/*.toml")) {
    if (auto read = read_into(root, extra, policy); !read) return std::unexpected(read.error());
  }
  if (shortage.noted() != 0) {
    return fail_errno("cannot read the folder " + policy_folder(main_file), shortage.noted());
  }
  if (auto good = check_rules(policy.rules); !good) return std::unexpected(good.error());
  if (auto good = check_hook(root, policy.hooks); !good) return std::unexpected(good.error());
  if (auto good = apply_overrides(overrides, policy); !good) return std::unexpected(good.error());
  if (policy.metrics_page == StatusPage::token && policy.metrics_token_file.empty()) {
    return fail_at(policy.metrics_page_where, "[metrics] page = \"token\", but there is no token",
                   "add token_file = \"/etc/idlewarden/token\"");
  }
  return policy;
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "limits/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <expected>
#include <iterator>
#include <utility>

#include "base/duration.h"
#include "base/text.h"
#include "limits/limits_host.h"
#include "limits/match.h"

namespace idlewarden {
namespace {

void add_reason(LimitSource& source, const std::string& reason) {
  // "900 s" beside a limit of 900 s explains nothing.
  if (source.limit && source.reason == fmt::format("{} s", source.limit->count())) {
    source.reason.clear();
  }
  source.reason += (source.reason.empty() ? "" : "; ") + reason;
}

LimitSource source_of(const Rule& rule, std::string reason) {
  LimitSource source;
  source.origin = Origin::rule;
  source.directive = "limit";
  source.where = rule.where;
  source.text = printable(rule.text);
  if (const auto* limit = std::get_if<Seconds>(&rule.limit)) source.limit = *limit;
  source.reason = std::move(reason);
  return source;
}

std::string quoted(const Rule& rule) {
  return fmt::format("rule \"{}\"", rule.name);
}

// The first rule that matches, or null; those before it are named with the reason why they do not.
// An error: whether one matches is not known, so nobody knows which rule is the first.
std::expected<const Rule*, LimitSource> find_rule(const Policy& policy, const Subject& subject,
                                                  WallTime wall,
                                                  std::vector<LimitSource>& sources) {
  for (const Rule& rule : policy.rules) {
    const std::string key = mismatch(rule.match, subject, wall);
    if (key.empty()) return &rule;
    if (undecided(rule.match, subject, wall)) {
      LimitSource source = source_of(
          rule, fmt::format("{} asks for the client's address, which is not known, so there is no "
                            "limit",
                            quoted(rule)));
      source.limit.reset();
      source.conditional = true;
      return std::unexpected(std::move(source));
    }
    const std::string why = key == "hosts" ? std::string("it ") + kNeedsHostName : key;
    sources.push_back(source_of(rule, fmt::format("{} does not match: {}", quoted(rule), why)));
  }
  return nullptr;
}

// client_alive_floor: a few seconds of ClientAlive are meant to notice dead peers, not idle people.
bool is_liveness_probe(const LimitSource& source, const Policy& policy) {
  return source.directive == "ClientAliveInterval" && *source.limit < policy.client_alive_floor;
}

// Marks the strictest and tells the others why they are not; null if none says anything.
const LimitSource* decide(std::vector<LimitSource>& sources, const Policy& policy) {
  LimitSource* best = nullptr;
  const auto weight = [](const LimitSource& s) { return std::pair(*s.limit, s.conditional); };
  for (LimitSource& source : sources) {
    if (!source.limit) continue;
    if (is_liveness_probe(source, policy)) {
      add_reason(source, fmt::format("below client_alive_floor ({}): a liveness probe",
                                     format_duration(policy.client_alive_floor)));
    } else if (best == nullptr || weight(source) < weight(*best)) {
      best = &source;
    }
  }
  if (best == nullptr) return nullptr;
  best->used = true;
  for (LimitSource& source : sources) {
    if (&source == best || !source.limit || is_liveness_probe(source, policy)) continue;
    add_reason(source, *source.limit == *best->limit
                           ? "as strict as " + best->where.text()
                           : fmt::format("{} s is stricter", best->limit->count()));
  }
  return best;
}

// A rule's own limit or "never": what the host says is shown beside it and counts for nothing.
void apply_rule(const Rule& rule, std::vector<LimitSource>& host, Verdict& verdict) {
  LimitSource source = source_of(rule, quoted(rule) + " matches");
  source.used = true;
  verdict.limit = source.limit;
  verdict.decided_by = Origin::rule;
  verdict.sources.push_back(std::move(source));
  for (LimitSource& other : host) {
    if (other.limit) add_reason(other, quoted(rule) + " decides");
  }
}

// Before the limit, and never more than half of it, whichever limit comes first.
Seconds warning(const Verdict& verdict, Seconds wanted) {
  for (const auto& limit : {verdict.limit, verdict.job_limit, verdict.max_session}) {
    if (limit) wanted = std::min(wanted, *limit / 2);
  }
  return wanted;
}

}  // namespace

struct Limits::Impl {
  Root root;
  std::string file;
  PolicyOverrides overrides;
  Policy policy;
  HostReadings host;
  std::string broken = {};  // the policy file that could not be read last
  std::uint64_t loads = 0;
};

Limits::Limits(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Limits::~Limits() = default;
Limits::Limits(Limits&&) noexcept = default;
Limits& Limits::operator=(Limits&&) noexcept = default;

Result<Limits> Limits::load(const Root& root, const std::string& policy_file,
                            const PolicyOverrides& overrides) {
  auto policy = load_policy(root, policy_file, overrides);
  if (!policy) return std::unexpected(policy.error());
  return Limits(
      std::make_unique<Impl>(root, policy_file, overrides, *std::move(policy), HostReadings(root)));
}

const Policy& Limits::policy() const noexcept {
  return impl_->policy;
}

Limits Limits::with(const Root& root, Policy policy) {
  return Limits(std::make_unique<Impl>(root, std::string(), PolicyOverrides{}, std::move(policy),
                                       HostReadings(root)));
}

Verdict Limits::resolve(const Subject& subject, WallTime wall) const {
  const Policy& policy = impl_->policy;
  Verdict verdict;
  verdict.mode = policy.mode;
  verdict.grace = policy.grace;
  verdict.messages = policy.messages;
  verdict.output_counts = policy.output_counts;
  auto found = find_rule(policy, subject, wall, verdict.sources);
  if (!found) {
    verdict.sources.push_back(std::move(found.error()));
    return verdict;
  }
  const Rule* rule = *found;
  if (rule != nullptr) {
    verdict.rule = rule->name;
    verdict.action = rule->action;
    verdict.job_limit = rule->job_limit;
    verdict.jobs = rule->jobs;
    verdict.max_session = rule->max_session;
    verdict.kill_survivors = rule->kill_survivors;
  }
  std::vector<LimitSource> host = impl_->host.sources(subject, policy);
  if (rule != nullptr && !std::holds_alternative<Derived>(rule->limit)) {
    apply_rule(*rule, host, verdict);
  } else {
    if (rule != nullptr) {
      verdict.sources.push_back(
          source_of(*rule, quoted(*rule) + " matches and leaves it to what the host says"));
    }
    if (const LimitSource* best = decide(host, policy)) {
      verdict.limit = best->limit;
      verdict.decided_by = best->origin;
    }
  }
  std::ranges::move(host, std::back_inserter(verdict.sources));
  verdict.warn = warning(verdict, policy.warn);
  return verdict;
}

Result<void> Limits::reload() {
  impl_->host.reload();
  ++impl_->loads;
  if (impl_->file.empty()) return {};
  auto policy = load_policy(impl_->root, impl_->file, impl_->overrides);
  // Only at the start is no file as good as the built-in policy: one that vanishes takes its rules
  // and its mode with it, and is on its way back more often than not.
  const std::string main_file = policy_path(impl_->root, impl_->file);
  const auto has_main_file = [&](const Policy& p) {
    return std::ranges::find(p.files, main_file) != p.files.end();
  };
  if (policy && has_main_file(impl_->policy) && !has_main_file(*policy)) {
    policy = fail_at({main_file}, "is gone", "put it back, or restart the daemon to do without it");
  }
  impl_->broken = policy ? "" : policy.error().where.file;
  if (!policy) return std::unexpected(policy.error());
  impl_->policy = *std::move(policy);
  return {};
}

void Limits::learn(const AcceptingSshd& listener) const {
  if (impl_->policy.derive_sshd_config) impl_->host.learn(listener);
}

void Limits::forget(const Session& session) {
  impl_->host.forget(session.id.text());
}

std::vector<Error> Limits::take_problems() const {
  return impl_->host.take_problems();
}

std::optional<Error> Limits::take_shortage() const {
  return impl_->host.take_shortage();
}

std::vector<std::string> Limits::files() const {
  const std::string tree = impl_->root.is_host() ? "" : impl_->root.directory();
  std::vector<std::string> all = impl_->policy.files;
  if (!impl_->file.empty()) {
    const std::string main_file = policy_path(impl_->root, impl_->file);
    all.push_back(main_file);  // even if it is yet to come
    all.push_back(policy_folder(main_file));
  }
  if (!impl_->broken.empty()) all.push_back(impl_->broken);
  for (std::string& file : all) file.insert(0, tree);
  std::ranges::move(impl_->host.files(), std::back_inserter(all));
  return all;
}

std::uint64_t Limits::readings() const noexcept {
  return impl_->loads + impl_->host.readings();
}

std::uint64_t Limits::changes() const noexcept {
  return impl_->loads + impl_->host.changes();
}

bool Limits::depends_on_time() const noexcept {
  return std::ranges::any_of(impl_->policy.rules,
                             [](const Rule& rule) { return !rule.match.hours.empty(); });
}

void Limits::begin_batch() const {
  impl_->host.begin_batch();
}

void Limits::end_batch() const {
  impl_->host.end_batch();
}

}  // namespace idlewarden

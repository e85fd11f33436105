// SPDX-License-Identifier: Apache-2.0
#include "limits/sshd_config.h"

#include <algorithm>

#include "base/text.h"
#include "limits/sshd_limits.h"
#include "limits/sshd_syntax.h"
#include "limits/sshd_walk.h"

namespace idlewarden {
namespace {

std::optional<SshdSetting> setting(const SshdVisit* visit) {
  if (visit == nullptr) return std::nullopt;
  SshdSetting made{.where = visit->statement->where,
                   .text = printable(visit->statement->text),
                   .args = {},
                   .in_match = visit->match != nullptr};
  for (const SshdWord& word : visit->directive->args) made.args.push_back(word.text);
  return made;
}

}  // namespace

struct SshdConfig::Impl {
  SshdSyntax syntax;
};

SshdConfig::SshdConfig(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SshdConfig::SshdConfig(SshdConfig&&) noexcept = default;
SshdConfig& SshdConfig::operator=(SshdConfig&&) noexcept = default;
SshdConfig::~SshdConfig() = default;

Result<SshdConfig> SshdConfig::load(const Root& root, const std::string& file,
                                    const std::vector<std::string>& options, SshdGrammar grammar) {
  auto syntax = read_sshd_syntax(root, file, options, grammar);
  if (!syntax) return std::unexpected(syntax.error());
  return SshdConfig(std::make_unique<Impl>(std::move(*syntax)));
}

SshdEffective SshdConfig::resolve(const SshdConnection& connection) const {
  const SshdWalk walk = walk_sshd(impl_->syntax, connection);
  const SshdVisit* const interval = walk.winner(SshdKeyword::client_alive_interval);
  const SshdVisit* const count_max = walk.winner(SshdKeyword::client_alive_count_max);
  const SshdVisit* const unused = walk.winner(SshdKeyword::unused_connection_timeout);
  SshdEffective effective;
  effective.client_alive_interval = setting(interval);
  effective.client_alive_count_max = setting(count_max);
  effective.channel_timeout = setting(walk.winner(SshdKeyword::channel_timeout));
  effective.unused_connection_timeout = setting(unused);
  if (interval != nullptr) effective.interval = Seconds(interval->directive->value);
  if (count_max != nullptr) effective.count_max = count_max->directive->value;
  if (unused != nullptr && unused->directive->value != 0) {
    effective.unused_timeout = Seconds(unused->directive->value);
  }
  return effective;
}

std::vector<LimitSource> SshdConfig::limits(SshdConnection connection, Kind kind, Seconds floor,
                                            Channel channel) const {
  if (kind != Kind::ssh && kind != Kind::ssh_nopty) return {};
  if (connection.host.empty() && !impl_->syntax.may_use_dns) connection.host = connection.address;
  return sshd_limits(walk_sshd(impl_->syntax, connection),
                     sshd_channel(kind, channel, impl_->syntax.subsystems), floor);
}

bool operator==(const SshdConfig& a, const SshdConfig& b) {
  const auto same_file = [](const SshdFile* x, const SshdFile* y) { return x->path == y->path; };
  const auto same = [&](const SshdStatement& x, const SshdStatement& y) {
    const auto* const includes = std::get_if<SshdInclude>(&x.what);
    const auto* const others = std::get_if<SshdInclude>(&y.what);
    return x.where == y.where && x.text == y.text && (includes == nullptr) == (others == nullptr) &&
           (includes == nullptr || std::ranges::equal(includes->files, others->files, same_file));
  };
  const SshdSyntax& one = a.impl_->syntax;
  const SshdSyntax& two = b.impl_->syntax;
  return one.main->path == two.main->path && one.may_use_dns == two.may_use_dns &&
         one.subsystems == two.subsystems && std::ranges::equal(one.options, two.options, same) &&
         std::ranges::equal(one.files, two.files, [&](const auto& x, const auto& y) {
           return x.first == y.first &&
                  std::ranges::equal(x.second->statements, y.second->statements, same);
         });
}

const std::vector<std::string>& SshdConfig::files() const noexcept {
  return impl_->syntax.paths;
}
const std::vector<std::string>& SshdConfig::folders() const noexcept {
  return impl_->syntax.folders;
}

}  // namespace idlewarden

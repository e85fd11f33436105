// SPDX-License-Identifier: Apache-2.0
// sshd_config(5), read as sshd reads it (servconf.c, OpenSSH 9.2 to 10.x): the directives that bear
// on idle time, for one connection. What sshd would refuse in the directives read here is refused.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/result.h"
#include "limits/limit.h"

namespace idlewarden {

// What Match looks at: `sshd -T -C`'s keys. An empty member is unknown and matches nothing.
struct SshdConnection {
  std::string user;
  std::vector<std::string> groups;
  std::string host;
  std::string address;
  std::string local_address;
  std::optional<std::uint16_t> local_port;
  std::string rdomain;
  std::string version;
  bool invalid_user = false;
};

// Match lines are split into words in one way before OpenSSH 9.9 and in another since. `any` takes
// the one that the connection's version tells, or the only one that is accepted (Invalid-User and
// Version exist only in the newer). Where no version is known and the two do not say the same of a
// connection, the line is undecided.
enum class SshdGrammar { any, before_9_9, since_9_9 };

// One directive that is in force.
struct SshdSetting {
  Where where;
  std::string text;               // the line
  std::vector<std::string> args;  // as lexed
  bool in_match = false;
};

struct SshdEffective {
  std::optional<SshdSetting> client_alive_interval;
  std::optional<SshdSetting> client_alive_count_max;
  std::optional<SshdSetting> channel_timeout;
  std::optional<SshdSetting> unused_connection_timeout;
  Seconds interval{0};
  int count_max = 3;
  std::optional<Seconds> unused_timeout;  // none: "none"
};

class SshdConfig {
 public:
  // `options` are the -o of the command line: they come first, so they win. `file` may be "none".
  static Result<SshdConfig> load(const Root& root, const std::string& file,
                                 const std::vector<std::string>& options = {},
                                 SshdGrammar grammar = SshdGrammar::any);
  SshdConfig(SshdConfig&&) noexcept;
  SshdConfig& operator=(SshdConfig&&) noexcept;
  ~SshdConfig();

  SshdEffective resolve(const SshdConnection& connection) const;
  // What it says for a session of this kind, each with its provenance and with `used` unset:
  // ClientAliveInterval x max(1, CountMax), and ChannelTimeout for a shell (ssh) or for what runs
  // on `channel` (ssh-nopty), including the spellings that sshd accepts and then ignores. Where
  // sshd may call the channel one thing or another, the longest time counts, and none if one has
  // none. A source with no limit says nothing here: it is 0, lost to another line, or stands in a
  // Match block for others (`conditional`: for whom is not known of this connection); its reason
  // tells. Nothing for kinds that sshd does not host. A ClientAlive product below `floor` is no
  // limit to whoever asks, so a block that is not decided and may lead to one is looser.
  // `connection.host` may be empty: without UseDNS sshd takes the address for it.
  std::vector<LimitSource> limits(SshdConnection connection, Kind kind, Seconds floor = Seconds(0),
                                  Channel channel = Channel::unknown) const;
  const std::vector<std::string>& files() const noexcept;    // it and all that it includes
  const std::vector<std::string>& folders() const noexcept;  // where Include looks for files
  // The same statements in the same lines of the same files, and the same of UseDNS and Subsystem.
  friend bool operator==(const SshdConfig& a, const SshdConfig& b);

 private:
  struct Impl;
  explicit SshdConfig(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// match_pattern() of match.c: * and ?, nothing else is special.
bool match_pattern(std::string_view value, std::string_view pattern);
// match_pattern_list() of match.c: comma-separated patterns with * ? and !. Returns 1 on a match, 0
// on none, -1 on a negated match.
int match_pattern_list(std::string_view value, std::string_view patterns, bool fold_case);
// addr_match_list() of addrmatch.c: as above with CIDR; nullopt: a malformed list.
std::optional<int> match_address_list(std::string_view address, std::string_view patterns);

}  // namespace idlewarden

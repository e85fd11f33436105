// SPDX-License-Identifier: Apache-2.0
// One `Match` line of sshd_config. OpenSSH 9.9 changed how it is split into words, so the same line
// can mean two things, or be refused by one sshd and accepted by another: both readings are kept.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "limits/sshd_config.h"
#include "limits/sshd_lexer.h"

namespace idlewarden {

struct SshdCriterion {
  enum class What {
    all,
    user,
    group,
    host,
    address,
    local_address,
    local_port,
    rdomain,
    version,
    invalid_user
  };
  What what = What::all;
  std::string pattern;
  int port = 0;
  friend bool operator==(const SshdCriterion&, const SshdCriterion&) = default;
};

// `undecided` is "no" to sshd -T: something that the line asks for is not known of the connection,
// and all that is known fits; or it is not known which sshd reads the line, and they differ.
enum class SshdMatches { no, yes, undecided };

class SshdMatch {
 public:
  // `scanner` stands behind the word "Match". Fails when every reading that `grammar` allows does.
  static Result<SshdMatch> parse(SshdScanner scanner, const Where& where, SshdGrammar grammar);

  // The start of sshd knows no connection: only `all` and Version can match then.
  SshdMatches at_start(const SshdConnection& connection) const;
  SshdMatches for_connection(const SshdConnection& connection) const;
  // Both readings are accepted, and ask for different things.
  bool differs_by_release() const;

 private:
  using Criteria = std::vector<SshdCriterion>;
  // What `ask` says of the reading that is that of the connection's sshd.
  template <class Ask>
  SshdMatches by_reading(const SshdConnection& connection, Ask ask) const;

  std::optional<Criteria> before_9_9_;
  std::optional<Criteria> since_9_9_;
};

}  // namespace idlewarden

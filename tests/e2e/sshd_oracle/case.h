// SPDX-License-Identifier: Apache-2.0
// One case of the oracle: configuration files, the -o of the command line, and a connection.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "limits/sshd_config.h"

namespace idlewarden::test {

inline constexpr const char* kOracleFolder = "/etc/ssh/oracle";
inline constexpr const char* kOracleFile = "/etc/ssh/oracle/sshd_config";

struct OracleCase {
  std::map<std::string, std::vector<std::string>> files;  // by path, the lines without their end
  std::vector<std::string> options;
  SshdConnection connection;  // an empty user, host or address is not given to sshd

  std::string text() const;  // for people, control characters shown
};

// What differs between versions of sshd, so that it is asked only for what all of them agree on.
struct OracleTraits {
  SshdGrammar grammar = SshdGrammar::before_9_9;
  bool old_times = true;       // up to 10.2; see sshd_time()
  bool long_masks = true;      // up to 10.2: a mask above 128 makes a network a wildcard
  bool empty_channels = true;  // up to 9.5: ChannelTimeout with only a comment, or "none" last
};

// The same seed makes the same case.
OracleCase generate(std::uint64_t seed, const OracleTraits& traits);

// The smallest case that still fails, as far as taking things away goes.
OracleCase shrink(OracleCase failing, const std::function<bool(const OracleCase&)>& fails);

}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
#include "limits/policy_values.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/text.h"

namespace idlewarden {
namespace {

bool is_host(const std::string& host) {
  in6_addr scratch{};
  if (::inet_pton(AF_INET, host.c_str(), &scratch) == 1) return true;
  return host.starts_with('[') && host.ends_with(']') &&
         ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &scratch) == 1;
}

bool is_port(const std::string& text) {
  unsigned port = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  return error == std::errc() && stop == end && port <= 65535;
}

}  // namespace

Result<std::optional<std::string>> parse_listen(const std::string& text) {
  if (text == "none") return std::nullopt;
  const auto colon = text.rfind(':');
  if (colon != std::string::npos && is_host(text.substr(0, colon)) &&
      is_port(text.substr(colon + 1))) {
    return text;
  }
  return fail(fmt::format("\"{}\" is not ADDRESS:PORT", printable(text, 60)),
              "write \"127.0.0.1:9477\", \"[::1]:9477\" or \"none\"");
}

Result<void> check_message(const std::string& text) {
  static const std::vector<std::string> kKnown{"user", "tty",  "reason", "advice",
                                               "idle", "left", "limit",  "source"};
  for (auto open = text.find('{'); open != std::string::npos; open = text.find('{', open + 1)) {
    const auto close = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", open + 1);
    if (close == std::string::npos || close == open + 1 || text[close] != '}') continue;
    const std::string name = text.substr(open + 1, close - open - 1);
    if (std::ranges::find(kKnown, name) != kKnown.end()) continue;
    return fail(fmt::format("unknown placeholder {{{}}}", name),
                fmt::format("known are: {{{}}}", fmt::join(kKnown, "} {")));
  }
  return {};
}

std::string with_crlf(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n' && !out.ends_with('\r')) out += '\r';
    out += c;
  }
  return out;
}

}  // namespace idlewarden

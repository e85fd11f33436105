// SPDX-License-Identifier: Apache-2.0
// The patterns of sshd_config(5), declared in sshd_config.h: match.c, addrmatch.c and addr.c of
// OpenSSH.
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "base/text.h"
#include "limits/sshd_config.h"

namespace idlewarden {
namespace {

constexpr std::size_t kLongestPattern = 1022;  // sshd gives the whole list up above it
constexpr std::size_t kLongestAddress = 63;

struct Address {
  int family = 0;
  std::size_t length = 0;  // bytes in use
  std::array<std::uint8_t, 16> bytes{};
  std::uint32_t scope = 0;
};

// getaddrinfo(3) as sshd asks it: numeric only, so it never looks a name up.
std::optional<Address> parse_address(const std::string& text) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (::getaddrinfo(text.c_str(), nullptr, &hints, &found) != 0) return std::nullopt;
  Address address;
  if (found->ai_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, found->ai_addr, sizeof in);
    address.length = 4;
    std::memcpy(address.bytes.data(), &in.sin_addr, address.length);
  } else if (found->ai_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, found->ai_addr, sizeof in);
    address.length = 16;
    std::memcpy(address.bytes.data(), &in.sin6_addr, address.length);
    address.scope = in.sin6_scope_id;
  }
  address.family = found->ai_family;
  ::freeaddrinfo(found);
  return address.length == 0 ? std::nullopt : std::optional(address);
}

void mask(Address& address, std::size_t bits) {
  for (std::size_t i = 0; i < address.length; ++i) {
    const std::size_t kept = bits > 8 * i ? bits - 8 * i : 0;
    if (kept < 8) address.bytes[i] &= static_cast<std::uint8_t>(0xff00U >> kept);
  }
}

enum class Network { no, yes, inconsistent };  // is the text one?

Network parse_network(std::string_view text, Address& network, std::size_t& bits) {
  if (text.size() > kLongestAddress) return Network::no;
  const std::size_t slash = text.find('/');
  bits = 0;
  if (slash != std::string_view::npos) {
    const std::string_view number = text.substr(slash + 1);
    if (number.empty() || number.find_first_not_of("0123456789") != std::string_view::npos) {
      return Network::no;
    }
    for (const char c : number) {
      bits = bits * 10 + static_cast<std::size_t>(c - '0');
      if (bits > 128) return Network::no;
    }
  }
  const auto address = parse_address(std::string(text.substr(0, slash)));
  if (!address) return Network::no;
  if (slash == std::string_view::npos) bits = address->length * 8;
  if (bits > address->length * 8) return Network::inconsistent;
  network = *address;
  mask(network, bits);
  return network.bytes == address->bytes ? Network::yes : Network::inconsistent;
}

bool in_network(Address address, const Address& network, std::size_t bits) {
  mask(address, bits);
  return address.family == network.family && address.bytes == network.bytes &&
         address.scope == network.scope;
}

}  // namespace

bool match_pattern(std::string_view value, std::string_view pattern) {
  std::size_t v = 0;
  std::size_t p = 0;
  std::size_t star = std::string_view::npos;  // the last '*', and where it stopped eating
  std::size_t eaten = 0;
  while (v < value.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      eaten = v;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == value[v])) {
      ++p;
      ++v;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      v = ++eaten;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

int match_pattern_list(std::string_view value, std::string_view patterns, bool fold_case) {
  if (fold_case) return match_pattern_list(lower(value), lower(patterns), false);
  bool matched = false;
  while (!patterns.empty()) {
    const bool negated = patterns.front() == '!';
    if (negated) patterns.remove_prefix(1);
    const std::size_t comma = patterns.find(',');
    const std::string_view pattern = patterns.substr(0, comma);
    patterns.remove_prefix(comma == std::string_view::npos ? patterns.size() : comma + 1);
    if (pattern.size() > kLongestPattern) return 0;
    if (!match_pattern(value, pattern)) continue;
    if (negated) return -1;
    matched = true;
  }
  return matched ? 1 : 0;
}

std::optional<int> match_address_list(std::string_view address, std::string_view patterns) {
  std::optional<Address> wanted;
  if (!address.empty()) {
    wanted = parse_address(std::string(address));
    if (!wanted) return 0;
  }
  bool matched = false;
  for (const std::string& entry : split(patterns, ',')) {
    const bool negated = entry.starts_with('!');
    const std::string_view pattern = std::string_view(entry).substr(negated ? 1 : 0);
    if (pattern.empty()) return std::nullopt;
    Address network;
    std::size_t bits = 0;
    bool hit = false;
    switch (parse_network(pattern, network, bits)) {
      case Network::inconsistent: return std::nullopt;
      case Network::yes: hit = wanted && in_network(*wanted, network, bits); break;
      case Network::no: hit = wanted && match_pattern(address, pattern); break;
    }
    if (hit && negated) return -1;
    matched = matched || hit;
  }
  return matched ? 1 : 0;
}

}  // namespace idlewarden

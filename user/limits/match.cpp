// SPDX-License-Identifier: Apache-2.0
#include "limits/match.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>

#include "base/text.h"
#include "limits/sshd_config.h"

namespace idlewarden {
namespace {

constexpr const char* kBlanks = " \t\n\v\f\r";

using List = std::vector<std::string>;

std::string joined(const List& list) {
  return fmt::format("{}", fmt::join(list, ","));
}

bool any_name(const List& list) {
  return list.empty() || list == List{"*"};
}

bool name_matches(const List& list, const std::string& value) {
  if (list.empty()) return true;
  return !value.empty() && match_pattern_list(value, joined(list), false) == 1;
}

// As sshd's ga_match_pattern_list(): one negated group is enough for "no".
bool group_matches(const List& list, const List& groups) {
  if (list.empty()) return true;
  const std::string patterns = joined(list);
  bool found = false;
  for (const std::string& group : groups) {
    const int result = match_pattern_list(group, patterns, false);
    if (result < 0) return false;
    found = found || result > 0;
  }
  return found;
}

bool address_matches(const List& list, const std::string& address) {
  if (list.empty()) return true;
  return !address.empty() && match_address_list(address, joined(list)) == 1;
}

bool hours_match(const std::vector<Hours>& hours, WallTime wall) {
  return hours.empty() ||
         std::ranges::any_of(hours, [&](const Hours& span) { return span.contains(wall); });
}

// The address with the bits behind the first `prefix` ones cleared.
void mask(std::uint8_t* bytes, std::size_t size, unsigned prefix) {
  for (std::size_t i = 0; i < size; ++i) {
    const unsigned before = static_cast<unsigned>(i) * 8;
    const unsigned kept = prefix > before ? std::min(prefix - before, 8U) : 0;
    bytes[i] &= static_cast<std::uint8_t>(~(0xffU >> kept));
  }
}

}  // namespace

std::string mismatch(const Match& match, const Subject& subject, WallTime wall) {
  if (subject.foreign) {
    // A rule means the accounts of the host: a name that a container gives is another's.
    if (!any_name(match.users)) return "users";
    if (!match.groups.empty()) return "groups";
  } else {
    if (!name_matches(match.users, subject.user)) return "users";
    if (!group_matches(match.groups, subject.groups)) return "groups";
  }
  if (!address_matches(match.addresses, subject.address)) return "addresses";
  if (!match.hosts.empty()) return "hosts";
  if (!name_matches(match.ttys, subject.tty)) return "ttys";
  if (!match.kinds.empty() && std::ranges::find(match.kinds, subject.kind) == match.kinds.end()) {
    return "kinds";
  }
  if (!hours_match(match.hours, wall)) return "hours";
  return {};
}

bool undecided(const Match& match, const Subject& subject, WallTime wall) {
  if (match.addresses.empty() || !subject.address_unknown) return false;
  Match rest = match;
  rest.addresses.clear();
  return mismatch(rest, subject, wall).empty();
}

bool matches_everything(const Match& match) {
  return any_name(match.users) && match.groups.empty() && match.addresses.empty() &&
         match.hosts.empty() && match.ttys.empty() && match.kinds.empty() && match.hours.empty();
}

bool matches_nothing(const Match& match) {
  return (!match.addresses.empty() || !match.hosts.empty()) && !match.kinds.empty() &&
         std::ranges::all_of(
             match.kinds, [](Kind kind) { return kind == Kind::console || kind == Kind::serial; });
}

Result<void> check_pattern(const std::string& pattern) {
  if (pattern.empty() || pattern == "!") return fail("an empty pattern", "\"*\" matches any");
  if (pattern.find(',') != std::string::npos) {
    return fail("a comma in a pattern", "write the patterns as strings of their own");
  }
  if (pattern.size() > 255) return fail("a pattern of more than 255 bytes", "no name is so long");
  return {};
}

Result<void> check_account(const std::string& pattern) {
  const std::string plain = pattern.starts_with('!') ? pattern.substr(1) : pattern;
  if (trim(plain) != plain) {
    return fail(fmt::format("\"{}\" has a blank at one end", printable(pattern, 80)),
                "no name has, so it matches nobody");
  }
  return check_pattern(pattern);
}

Result<void> check_host(const std::string& pattern) {
  if (pattern.find_first_of(kBlanks) != std::string::npos) {
    return fail(fmt::format("\"{}\" has a blank in it", printable(pattern, 80)),
                "write the patterns as strings of their own");
  }
  return check_pattern(pattern);
}

Result<void> check_tty(const std::string& pattern) {
  const std::string negation = pattern.starts_with('!') ? "!" : "";
  const std::string plain = pattern.substr(negation.size());
  if (plain.starts_with('/')) {
    const std::string name = plain.starts_with("/dev/") ? plain.substr(5) : "pts/*";
    return fail(fmt::format("\"{}\" is no tty's name", printable(pattern, 80)),
                fmt::format("write \"{}{}\"", negation, printable(name, 80)));
  }
  return check_host(pattern);
}

Result<void> check_address(const std::string& address) {
  const std::string shown = printable(address, 80);
  const std::string plain = address.starts_with('!') ? address.substr(1) : address;
  constexpr const char* kHint = "write \"10.1.2.3\", \"10.0.0.0/8\", \"2001:db8::/32\" or \"10.*\"";
  if (plain.find_first_of("*?") != std::string::npos) {
    if (plain.find_first_not_of("0123456789abcdefABCDEF.:*?") == std::string::npos) return {};
    return fail(fmt::format("\"{}\" is not a pattern of addresses", shown), kHint);
  }
  const auto slash = plain.find('/');
  const std::string base = plain.substr(0, slash);
  std::uint8_t bytes[16] = {};
  std::size_t size = 0;
  if (::inet_pton(AF_INET, base.c_str(), bytes) == 1) size = 4;
  if (size == 0 && ::inet_pton(AF_INET6, base.c_str(), bytes) == 1) size = 16;
  if (size == 0) return fail(fmt::format("\"{}\" is not an address", shown), kHint);
  if (slash == std::string::npos) return {};
  unsigned prefix = 0;
  const char* const end = plain.data() + plain.size();
  const auto [stop, error] = std::from_chars(plain.data() + slash + 1, end, prefix);
  if (error != std::errc() || stop != end || prefix > size * 8) {
    return fail(fmt::format("\"{}\" has no good prefix length", shown),
                fmt::format("0 to {} bits", size * 8));
  }
  std::uint8_t masked[16] = {};
  std::ranges::copy(bytes, masked);
  mask(masked, size, prefix);
  if (std::ranges::equal(bytes, masked)) return {};
  char network[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(size == 4 ? AF_INET : AF_INET6, masked, network, sizeof network);
  return fail(fmt::format("\"{}\" has bits set behind its prefix", shown),
              fmt::format("write \"{}/{}\"", network, prefix));
}

bool only_negated(const std::vector<std::string>& list) {
  return !list.empty() &&
         std::ranges::all_of(list, [](const std::string& entry) { return entry.starts_with('!'); });
}

}  // namespace idlewarden

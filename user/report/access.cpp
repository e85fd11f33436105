// SPDX-License-Identifier: Apache-2.0
#include "report/access.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/files.h"
#include "base/text.h"

namespace idlewarden {
namespace {

constexpr std::size_t kLeastToken = 16;
constexpr std::size_t kMostToken = 256;

bool is_loopback(const std::string& numeric) {
  in_addr v4{};
  if (::inet_pton(AF_INET, numeric.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  in6_addr v6{};
  if (::inet_pton(AF_INET6, numeric.c_str(), &v6) != 1) return false;
  // IPv4 in an IPv6 socket.
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

// "localhost:9477", "127.0.0.1", "[::1]:9477"
bool names_loopback(std::string_view host) {
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    return end != std::string_view::npos && is_loopback(std::string(host.substr(1, end - 1)));
  }
  const std::string name = lower(host.substr(0, host.find(':')));
  return name == "localhost" || is_loopback(name);
}

bool may_stand_in_a_token(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("-._~").find(c) != std::string_view::npos;  // RFC 3986, unreserved
}

std::string presented(const Visitor& visitor) {
  constexpr std::string_view kScheme = "bearer ";
  if (lower(visitor.authorization).starts_with(kScheme)) {
    return std::string(trim(std::string_view(visitor.authorization).substr(kScheme.size())));
  }
  return visitor.token;
}

}  // namespace

bool equal_in_constant_time(std::string_view guess, std::string_view secret) {
  volatile unsigned different = guess.size() == secret.size() ? 0 : 1;
  for (std::size_t i = 0; i < guess.size(); ++i) {
    const char of_secret = secret.empty() ? '\0' : secret[i % secret.size()];
    different = different | static_cast<unsigned char>(guess[i] ^ of_secret);
  }
  return different == 0 && !secret.empty();
}

Result<std::string> read_token(const std::string& file) {
  const auto content = Root().read(file, {.max_bytes = 4096, .owner = {}});
  if (!content) return content.error().during("reading metrics.token_file");
  struct stat st {};
  if (::stat(file.c_str(), &st) != 0) return fail_errno("cannot look at " + file);
  if ((st.st_mode & S_IROTH) != 0) {
    return fail_at({.file = file}, "everybody may read the token", "chmod 600 " + file);
  }
  std::string token(trim(*content));
  if (token.size() < kLeastToken || token.size() > kMostToken ||
      !std::ranges::all_of(token, may_stand_in_a_token)) {
    return fail_at({.file = file}, "this is no token",
                   "16 to 256 letters and digits: openssl rand -hex 32 > " + file);
  }
  return token;
}

std::optional<Refusal> refusal(const Snapshot& snapshot, const Visitor& visitor) {
  const std::string guess = presented(visitor);
  std::string unreadable;
  if (!guess.empty() && !snapshot.token_file.empty()) {
    const auto token = read_token(snapshot.token_file);
    if (token && equal_in_constant_time(guess, *token)) return std::nullopt;
    // Not to a stranger what the file's name is; the log and the metrics say what is wrong.
    if (!token) unreadable = "the daemon cannot read its token";
  }
  const bool on_loopback =
      is_loopback(visitor.local_address) && is_loopback(visitor.peer_address) && !visitor.proxied;
  if (snapshot.page == StatusPage::loopback && on_loopback) {
    if (visitor.hosts.size() == 1 && names_loopback(visitor.hosts.front())) return std::nullopt;
    return Refusal{421,
                   "this is shown to whoever asks for localhost, 127.0.0.1 or [::1], and not for "
                   "another host"};
  }
  if (snapshot.token_file.empty()) {
    return Refusal{403,
                   "what names people is shown on this host's loopback only (ssh -L "
                   "9477:127.0.0.1:9477), elsewhere with the token of [metrics] token_file"};
  }
  return Refusal{401, !unreadable.empty() ? unreadable
                      : guess.empty()     ? "this needs the token: Authorization: Bearer TOKEN, or "
                                            "?token=TOKEN"
                                          : "this is not the token"};
}

}  // namespace idlewarden

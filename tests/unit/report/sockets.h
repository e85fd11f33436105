// SPDX-License-Identifier: Apache-2.0
// Raw clients for the server tests: what a well-behaved HTTP library would not do.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "support/loopback.h"

namespace idlewarden::test {

using TestClock = std::chrono::steady_clock;

inline std::chrono::milliseconds since(TestClock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(TestClock::now() - start);
}

// Of "127.0.0.1:PORT".
inline UniqueFd connect_tcp(const std::string& address) {
  return connect_loopback(std::stoi(address.substr(address.rfind(':') + 1)));
}

inline bool send_all(const UniqueFd& fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

// Whatever arrives until the other side closes or the time is up.
inline std::string read_all(const UniqueFd& fd, std::chrono::milliseconds timeout) {
  const auto until = TestClock::now() + timeout;
  std::string out;
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - TestClock::now()).count();
    pollfd p{fd.get(), POLLIN, 0};
    if (left <= 0 || ::poll(&p, 1, static_cast<int>(left)) <= 0) return out;
    char buffer[4096];
    const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (n <= 0) return out;
    out.append(buffer, static_cast<std::size_t>(n));
  }
}

inline bool is_closed(const UniqueFd& fd) {
  char c = 0;
  const ssize_t n = ::recv(fd.get(), &c, 1, MSG_DONTWAIT | MSG_PEEK);
  return n == 0 || (n < 0 && errno != EAGAIN);
}

inline std::string get(const UniqueFd& fd, const std::string& target,
                       std::chrono::milliseconds timeout = std::chrono::seconds(5)) {
  send_all(fd, "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
  return read_all(fd, timeout);
}

}  // namespace idlewarden::test

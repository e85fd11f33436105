// SPDX-License-Identifier: Apache-2.0
// The HTTP library's server without its sockets: a FrontDoor accepts, waits and gathers the head of
// a request, the library parses it, finds the handler and writes the answer.
#pragma once

#include <httplib.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <string>
#include <string_view>

namespace idlewarden {

inline constexpr std::chrono::seconds kWriteTimeout{5};  // for one piece of an answer

// One request: its head was read already, the answer goes to the socket. There is no body to read.
class OneRequest final : public httplib::Stream {
 public:
  OneRequest(int socket, std::string_view head) : socket_(socket), head_(head) {}

  bool is_readable() const override { return !head_.empty(); }
  bool is_writable() const override {
    pollfd p{socket_, POLLOUT, 0};
    return ::poll(&p, 1, 0) >= 0 && (p.revents & (POLLHUP | POLLERR)) == 0;
  }
  ssize_t read(char* to, size_t size) override {
    const std::size_t n = head_.copy(to, size);
    head_.remove_prefix(n);
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* from, size_t size) override {
    const auto until = std::chrono::steady_clock::now() + kWriteTimeout;
    for (size_t sent = 0; sent < size;) {
      const ssize_t n = ::send(socket_, from + sent, size - sent, MSG_NOSIGNAL);
      if (n >= 0) {
        sent += static_cast<size_t>(n);
        continue;
      }
      if (errno != EAGAIN && errno != EINTR) return -1;
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          until - std::chrono::steady_clock::now());
      pollfd p{socket_, POLLOUT, 0};
      if (left.count() <= 0 || ::poll(&p, 1, static_cast<int>(left.count())) < 0) return -1;
    }
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    address_of(&::getpeername, ip, port);
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    address_of(&::getsockname, ip, port);
  }
  // Only asked whether it fits into an fd_set, which nothing here uses.
  socket_t socket() const override { return 0; }

 private:
  // Empty where it is no internet address.
  void address_of(int (*ask)(int, sockaddr*, socklen_t*), std::string& ip, int& port) const {
    ip.clear();
    port = 0;
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    // The calls take a generic address; that is what sockaddr_storage is for.
    auto* const address = reinterpret_cast<sockaddr*>(&storage);
    char host[NI_MAXHOST] = "";
    if (ask(socket_, address, &length) != 0 || storage.ss_family == AF_UNIX) return;
    if (::getnameinfo(address, length, host, sizeof host, nullptr, 0, NI_NUMERICHOST) == 0) {
      ip = host;
    }
  }

  int socket_;
  std::string_view head_;
};

// The library parses, routes and writes; accepting and waiting is the front door's.
class Http final : public httplib::Server {
 public:
  Http() {
    set_exception_handler([](const auto&, httplib::Response& response, const std::exception_ptr&) {
      response.status = 500;
    });
    svr_sock_ = 0;  // anything but INVALID_SOCKET: not shutting down
  }

  void answer(int socket, std::string_view head) noexcept {
    try {
      OneRequest stream(socket, head);
      bool closed = true;
      // No ranges: a thousand of them would have the answer repeated a thousand times.
      process_request(stream, true, closed, [](httplib::Request& r) { r.ranges.clear(); });
    } catch (...) {
      // Out of memory, at worst: the client sees its connection closed, the daemon lives on.
      return;
    }
  }

  // Ends streams at their next piece.
  void stop_streams() { svr_sock_ = INVALID_SOCKET; }
};

}  // namespace idlewarden

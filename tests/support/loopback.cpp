// SPDX-License-Identifier: Apache-2.0
#include "support/loopback.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

namespace idlewarden::test {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<in_port_t>(port));
  return address;
}

UniqueFd tcp_socket() {
  return UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

}  // namespace

LoopbackListener::LoopbackListener(int backlog) : fd(tcp_socket()) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  auto* const name = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd.get(), name, size) != 0 || ::listen(fd.get(), backlog) != 0 ||
      ::getsockname(fd.get(), name, &size) != 0) {
    throw std::system_error(errno, std::generic_category(), "listening on 127.0.0.1");
  }
  port = ntohs(address.sin_port);
}

UniqueFd connect_loopback(int port) {
  UniqueFd fd = tcp_socket();
  const sockaddr_in address = loopback(port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fd.reset();
  }
  return fd;
}

int free_port() {
  return LoopbackListener().port;
}

bool is_listening(int port) {
  return static_cast<bool>(connect_loopback(port));
}

}  // namespace idlewarden::test

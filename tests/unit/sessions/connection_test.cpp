// SPDX-License-Identifier: Apache-2.0
// Against this kernel: what is borrowed here are the test's own sockets.
#include "sessions/connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "base/unique_fd.h"
#include "support/hung_process.h"

namespace idlewarden {
namespace {

sockaddr_storage ipv6(const char* text, std::uint16_t port) {
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(port);
  EXPECT_EQ(::inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
  sockaddr_storage storage{};
  std::memcpy(&storage, &in6, sizeof in6);
  return storage;
}

TEST(Endpoint, AddressesAreNumbers) {
  EXPECT_EQ(endpoint_from(ipv6("2001:db8::7", 22)), (Endpoint{"2001:db8::7", 22}));
  EXPECT_EQ(endpoint_from(ipv6("::ffff:192.0.2.9", 50000)), (Endpoint{"192.0.2.9", 50000}));
  sockaddr_storage unix_socket{};
  unix_socket.ss_family = AF_UNIX;
  EXPECT_EQ(endpoint_from(unix_socket), std::nullopt);
}

// A connection of this process with itself.
struct Loop {
  explicit Loop(int family)
      : listener(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        client(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_storage address{};
    address.ss_family = static_cast<sa_family_t>(family);
    if (family == AF_INET6) {
      address = ipv6("::1", 0);
    } else {
      sockaddr_in in{};
      in.sin_family = AF_INET;
      in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      std::memcpy(&address, &in, sizeof in);
    }
    socklen_t size = family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    ok = ::bind(listener.get(), generic, size) == 0 && ::listen(listener.get(), 1) == 0 &&
         ::getsockname(listener.get(), generic, &size) == 0 &&
         ::connect(client.get(), generic, size) == 0;
    server.reset(::accept4(listener.get(), generic, &size, SOCK_CLOEXEC));
    if (const auto end = endpoint_from(address)) client_end = *end;
  }
  UniqueFd listener;
  UniqueFd client;
  UniqueFd server;
  Endpoint client_end;
  bool ok = false;
};

// A child that keeps only `socket` (and a unix socket before it) open, until the object's end.
struct Holder {
  explicit Holder(int socket) {
    pid = ::fork();
    if (pid == 0) {
      ::dup2(socket, 40);
      ::close_range(3, 39, 0);
      ::close_range(41, ~0U, 0);
      int pair[2];
      if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) ::_exit(1);
      while (true) ::pause();
    }
    // Until the descriptors are as they shall be.
    for (int i = 0; i < 2000; ++i, ::usleep(1000)) {
      const auto fds = Procfs().descriptors(pid);
      if (fds && fds->size() >= 5 && fds->back() == 40 && (*fds)[3] == 3 && (*fds)[4] == 4 &&
          Procfs().link(pid, "fd/4").value_or("").starts_with("socket:") && fds->size() == 6) {
        break;
      }
    }
  }
  ~Holder() {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  std::uint64_t start() const { return Procfs().stat(pid)->start_ticks; }
  pid_t pid = -1;
};

class ConnectionOf : public ::testing::TestWithParam<int> {};

TEST_P(ConnectionOf, AnotherProcess) {
  const Loop loop(GetParam());
  if (!loop.ok) GTEST_SKIP() << "no loopback of this family here";
  const Holder holder(loop.server.get());
  const auto found = connection_of(Procfs(), holder.pid, holder.start());
  if (!found && found.error().code == EPERM) GTEST_SKIP() << found.error().text();
  ASSERT_TRUE(found) << found.error().text();
  ASSERT_TRUE(*found);
  EXPECT_EQ((*found)->remote, loop.client_end);
  EXPECT_EQ((*found)->local.address, loop.client_end.address);
  EXPECT_NE((*found)->local.port, 0);
}

INSTANTIATE_TEST_SUITE_P(Families, ConnectionOf, ::testing::Values(AF_INET, AF_INET6));

TEST(Connection, AListeningSocketIsNone) {
  const Loop loop(AF_INET);
  ASSERT_TRUE(loop.ok);
  const Holder holder(loop.listener.get());
  const auto found = connection_of(Procfs(), holder.pid, holder.start());
  if (!found && found.error().code == EPERM) GTEST_SKIP() << found.error().text();
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_FALSE(*found);
}

TEST(Connection, AnotherProcessUnderThatPidIsAnError) {
  const Loop loop(AF_INET);
  ASSERT_TRUE(loop.ok);
  const Holder holder(loop.server.get());
  const auto found = connection_of(Procfs(), holder.pid, holder.start() + 1);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ESRCH);
}

// Its user has let it hang in the middle of execve(2): nobody waits with it, and no one else's
// connection is hidden by that.
TEST(Connection, AProcessThatHangsInExec) {
  const Loop loop(AF_INET);
  ASSERT_TRUE(loop.ok);
  const Holder roots(loop.server.get());
  ASSERT_EQ(::fcntl(loop.server.get(), F_SETFD, 0), 0);
  ASSERT_EQ(::fcntl(loop.listener.get(), F_SETFD, 0), 0);
  const test::HungProcess hung(54'321, test::HungProcess::In::exec);
  if (!hung.why_not().empty()) GTEST_SKIP() << hung.why_not();
  const Procfs procfs;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 40; ++i) {
    const auto found = connection_of(procfs, hung.pid(), 1);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, ETIMEDOUT) << found.error().text();
    EXPECT_TRUE(listened_at(procfs, hung.pid()).empty());
  }
  const auto others = connection_of(procfs, roots.pid, roots.start());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  ASSERT_TRUE(others) << others.error().text();
  EXPECT_TRUE(*others);
}

TEST(Connection, AProcessThatIsGoneIsAnError) {
  const auto found = connection_of(Procfs(), 5'000'000, 1);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ENOENT);
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// Against this kernel: a process of the test's own that serves a connection of the test's own.
#include "kernel/connection_probe.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "support/hung_process.h"
#include "support/loopback.h"

namespace idlewarden {
namespace {

using namespace std::chrono_literals;

// Does as it is told through a pipe, and says when it is done: 'p' writes 3 bytes to a pipe, 's'
// writes 52 to the connection, 'r' reads 36 from the connection, 'c' has a child that writes 1000
// to the pipe and ends.
class Served : public testing::Test {
 protected:
  void SetUp() override {
    const test::LoopbackListener listener(1);
    client = test::connect_loopback(listener.port);
    ASSERT_TRUE(client);
    const UniqueFd own(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ASSERT_TRUE(own);
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, orders.data()), 0);
    pid = ::_Fork();  // without the thread that a sanitizer would begin in it
    if (pid == 0) serve(own.get(), orders[1]);
    end = {pid, Procfs().stat(pid)->start_ticks, own.get()};
  }
  void TearDown() override {
    for (const int fd : orders) ::close(fd);
    if (pid <= 0) return;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }

  [[noreturn]] static void serve(int socket, int orders) {
    int to_nobody[2];
    if (::pipe(to_nobody) != 0) ::_exit(1);
    char order = 0;
    std::array<char, 64> bytes{};
    // recv() and send() are no read and write to /proc/PID/io, so the orders do not count.
    while (::recv(orders, &order, 1, 0) == 1) {
      ssize_t n = 0;
      if (order == 'p') n = ::write(to_nobody[1], bytes.data(), 3);
      if (order == 's') n = ::write(socket, bytes.data(), 52);
      if (order == 'r') n = ::read(socket, bytes.data(), 36);
      if (order == 'c') n = have_a_child(to_nobody[1]);
      const char done = static_cast<char>(n);
      ::send(orders, &done, 1, 0);
    }
    ::_exit(0);
  }
  static ssize_t have_a_child(int pipe) {
    const pid_t child = ::fork();
    if (child == 0) {
      const std::array<char, 1000> bytes{};
      ::_exit(::write(pipe, bytes.data(), bytes.size()) == 1000 ? 0 : 1);
    }
    int status = 1;
    return ::waitpid(child, &status, 0) == child && status == 0 ? 1 : 0;
  }
  char tell(char order) const {
    char done = 0;
    EXPECT_EQ(::send(orders[0], &order, 1, 0), 1);
    EXPECT_EQ(::recv(orders[0], &done, 1, 0), 1);
    return done;
  }
  ConnectionBytes look() const {
    const auto found = system_connection_probe()->look(end);
    EXPECT_TRUE(found) << found.error().text();
    return found.value_or(ConnectionBytes());
  }

  UniqueFd client;
  std::array<int, 2> orders{-1, -1};
  pid_t pid = 0;
  ConnectionEnd end;
};

TEST_F(Served, ToTheByte) {
  const ConnectionBytes start = look();
  EXPECT_EQ(tell('p'), 3);
  const ConnectionBytes typed = look();
  EXPECT_EQ(typed.written - start.written, 3u);
  EXPECT_EQ(typed.given, start.given);
  EXPECT_EQ(typed.socket, start.socket);

  EXPECT_EQ(tell('s'), 52);
  const ConnectionBytes answered = look();
  EXPECT_EQ(answered.written - typed.written, 52u);
  EXPECT_EQ(answered.given - typed.given, 52u) << "whether it has been acknowledged or not";

  const std::string data(36, 'x');
  ASSERT_EQ(::send(client.get(), data.data(), data.size(), 0), 36);
  const ConnectionBytes arrived = look();
  EXPECT_EQ(arrived.taken, answered.taken) << "in the queue, not read";
  EXPECT_EQ(tell('r'), 36);
  const ConnectionBytes read = look();
  EXPECT_EQ(read.read - answered.read, 36u);
  EXPECT_EQ(read.taken - answered.taken, 36u);
  EXPECT_EQ(read.written, answered.written);
}

TEST_F(Served, WhatAChildWroteIsNotItsOwn) {
  const ConnectionBytes start = look();
  EXPECT_EQ(tell('c'), 1);
  const ConnectionBytes after = look();
  EXPECT_EQ(after.written, start.written);
  EXPECT_EQ(after.read, start.read);
  EXPECT_GT(after.children, start.children);
}

TEST_F(Served, WhatIsNotYetSentIsGiven) {
  const ConnectionBytes start = look();
  // The client reads nothing: its window closes, and the rest waits here.
  std::uint64_t given = 0;
  for (int i = 0; i < 20000; ++i, given += 52) ASSERT_EQ(tell('s'), 52);
  const ConnectionBytes full = look();
  EXPECT_EQ(full.given - start.given, given);
  EXPECT_EQ(full.written - start.written, given);
}

TEST_F(Served, HowLongNothingHasGoneOverIt) {
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(tell('s'), 52);
  std::this_thread::sleep_for(300ms);
  const Nanoseconds quiet = look().quiet;
  EXPECT_GT(quiet, 250ms);
  EXPECT_LE(quiet, std::chrono::steady_clock::now() - before);
  const auto sent = std::chrono::steady_clock::now();
  ASSERT_EQ(::send(client.get(), "x", 1, 0), 1);
  EXPECT_LE(look().quiet, std::chrono::steady_clock::now() - sent) << "nor what has arrived";
}

TEST_F(Served, AnotherSocketHasAnotherCookie) {
  const auto first = look().socket;
  end.socket = orders[1];
  const auto found = system_connection_probe()->look(end);
  ASSERT_FALSE(found) << "a unix socket has no such counters";
  EXPECT_NE(found.error().code, ESRCH);
  EXPECT_NE(first, 0u);
}

TEST_F(Served, ADescriptorThatIsClosedIsGone) {
  end.socket = 1000;
  const auto found = system_connection_probe()->look(end);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ESRCH);
}

TEST_F(Served, AProcessThatHasEndedIsGone) {
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  const auto found = system_connection_probe()->look(end);
  pid = 0;
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ESRCH);
}

TEST_F(Served, AnotherThatHasItsPidIsNotLookedAt) {
  ++end.start_ticks;
  const auto found = system_connection_probe()->look(end);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ESRCH);
}

TEST_F(Served, OneThatHangsInExecHoldsNobodyUp) {
  const test::HungProcess hung(54'321, test::HungProcess::In::exec);
  if (!hung.why_not().empty()) GTEST_SKIP() << hung.why_not();
  const auto probe = system_connection_probe();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 40; ++i) {
    const auto found = probe->look({hung.pid(), 1, 0});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, ETIMEDOUT) << found.error().text();
  }
  EXPECT_TRUE(probe->look(end));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
}

TEST_F(Served, AKernelThatDoesNotCountIsSaid) {
  const auto found = system_connection_probe(Procfs("/nonexistent"))->look(end);
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().text().find("CONFIG_TASK_IO_ACCOUNTING"), std::string::npos)
      << found.error().text();
}

TEST(ConnectionProbe, AnUnknownSocketIsAnError) {
  const auto found = system_connection_probe()->look({::getpid(), 1, -1});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, 0);
}

}  // namespace
}  // namespace idlewarden

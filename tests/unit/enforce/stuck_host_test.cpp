// SPDX-License-Identifier: Apache-2.0
#include "enforce/stuck_host.h"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "support/hung_process.h"
#include "support/loopback.h"

namespace idlewarden {
namespace {

using std::chrono::milliseconds;

// A process that holds one end of a TCP connection of loopback, and the test the other.
class StuckHostTest : public testing::Test {
 protected:
  void SetUp() override {
    const test::LoopbackListener listener(1);
    peer = test::connect_loopback(listener.port);
    ASSERT_TRUE(peer);
    UniqueFd own(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ASSERT_TRUE(own);
    sigset_t before;
    sigset_t set = orders();
    sigprocmask(SIG_BLOCK, &set, &before);  // so that no order comes too early
    host = ::fork();
    if (host == 0) serve(own.get());
    sigprocmask(SIG_SETMASK, &before, nullptr);
  }
  void TearDown() override {
    if (host <= 0) return;
    ::kill(host, SIGKILL);
    ::waitpid(host, nullptr, 0);
  }
  static sigset_t orders() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    return set;
  }
  // SIGUSR1: floods the connection until it takes no more. SIGUSR2: makes a child.
  [[noreturn]] static void serve(int connection) {
    const sigset_t set = orders();
    for (;;) {
      int signal = 0;
      sigwait(&set, &signal);
      if (signal == SIGUSR2 && ::fork() == 0) {
        ::alarm(10);
        ::pause();
      }
      const std::string text(65536, 'x');
      while (signal == SIGUSR1 && ::send(connection, text.data(), text.size(), MSG_DONTWAIT) > 0) {
      }
    }
  }
  void tell(int signal) {
    ::kill(host, signal);
    std::this_thread::sleep_for(milliseconds(300));
  }
  bool look() { return stuck.look(Procfs(), host); }
  void drain() {
    std::string buffer(1 << 20, '\0');
    while (::recv(peer.get(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0) {
      std::this_thread::sleep_for(milliseconds(20));
    }
  }

  UniqueFd peer;
  pid_t host = 0;
  StuckHost stuck;
};

TEST_F(StuckHostTest, WithoutOutputItIsNot) {
  EXPECT_FALSE(look());
}

TEST_F(StuckHostTest, WithOutputThatNobodyTakesItIs) {
  tell(SIGUSR1);
  EXPECT_TRUE(look());
  EXPECT_TRUE(look());
}

TEST_F(StuckHostTest, WhileThePeerTakesAnythingItIsNot) {
  tell(SIGUSR1);
  EXPECT_TRUE(look());
  drain();
  EXPECT_FALSE(look());
}

TEST_F(StuckHostTest, WithAnotherChildItHasOtherWork) {
  tell(SIGUSR1);
  tell(SIGUSR2);
  EXPECT_FALSE(look());
  const auto child = other_child(Procfs(), host, 0);
  ASSERT_TRUE(child);
  ASSERT_GT(*child, 0);
  EXPECT_EQ(other_child(Procfs(), host, *child), 0);
  ::kill(*child, SIGKILL);
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_TRUE(look());  // a zombie is no work
}

TEST_F(StuckHostTest, NobodyWaitsForOneThatHangsInExec) {
  const test::HungProcess hung(54'321, test::HungProcess::In::exec);
  if (!hung.why_not().empty()) GTEST_SKIP() << hung.why_not();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(stuck.look(Procfs(), hung.pid()));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
}

TEST_F(StuckHostTest, WhatCannotBeLookedAtIsNot) {
  EXPECT_FALSE(stuck.look(Procfs("/nonexistent"), host));
  EXPECT_EQ(other_child(Procfs("/nonexistent"), host, 0), std::nullopt);
}

}  // namespace
}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "kernel/fixture.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>

namespace idlewarden::test {
namespace {

const SystemClock kClock;

const char* demanded() {
  return std::getenv("IDLEWARDEN_BACKEND");
}

// Once for the whole process: a BPF file system nobody else sees, so that tests of several
// processes, and a daemon on this host, cannot meet.
bool private_bpffs() {
  static const bool mounted = unshare(CLONE_NEWNS) == 0 &&
                              mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                              mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr) == 0;
  return mounted;
}

}  // namespace

std::vector<Backend> tested_backends() {
  if (const char* name = demanded()) {
    const auto backend = backend_from(name);
    if (!backend) std::abort();
    return {*backend};
  }
  return {Backend::fentry, Backend::kprobe, Backend::tracepoint, Backend::sampler};
}

std::vector<Backend> tested_hooks() {
  std::vector<Backend> backends = tested_backends();
  std::erase(backends, Backend::sampler);
  return backends;
}

std::string backend_name(const testing::TestParamInfo<Backend>& info) {
  return std::string(to_string(info.param));
}

std::string fresh_pin_dir() {
  static int count = 0;
  const bool mounted = private_bpffs();
  EXPECT_TRUE(mounted) << "no BPF file system of our own at /sys/fs/bpf";
  if (!mounted) return {};
  return "/sys/fs/bpf/test" + std::to_string(++count) + "/v1";
}

void BackendTest::SetUp() {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
}

void BackendTest::open(KernelOptions options) {
  options.backend = GetParam();
  opened_ = {};
  auto opened = open_activity_source(options, kClock);
  if (opened) {
    opened_ = std::move(*opened);
    return;
  }
  ASSERT_EQ(demanded(), nullptr) << opened.error().text();
  GTEST_SKIP() << opened.error().text();
}

PtySession BackendTest::session(const std::string& ptmx) {
  auto started = PtySession::start(ptmx);
  if (!started) {
    ADD_FAILURE() << started.error().text();
    std::abort();
  }
  watch(*started);
  // The scan that gave the tty its baseline.
  EXPECT_TRUE(source().scan().has_value());
  return std::move(*started);
}

void BackendTest::watch(const PtySession& session) {
  const Tty tty = tty_of(session);
  ttys_[session.master()] = tty;
  const auto watched = source().watch(tty);
  EXPECT_TRUE(watched.has_value());
}

Tty BackendTest::tty_of(const PtySession& session) {
  const auto row = row_of(source(), session.leader());
  EXPECT_TRUE(row && row->tty) << "the session is not in the table";
  return row && row->tty ? *row->tty : Tty{};
}

InputSeen BackendTest::seen(const PtySession& session) {
  if (sampled()) {
    EXPECT_TRUE(source().scan().has_value());
  }
  return source().input(ttys_.at(session.master()));
}

}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// What the kernel tests share: a backend for each test, opened without pins, or with pins in a
// folder of its own on a BPF file system that only this process sees.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernel/backends.h"
#include "kernel/pty_session.h"

namespace idlewarden::test {

// The backends to test: all, or the one that IDLEWARDEN_BACKEND names.
std::vector<Backend> tested_backends();
// Those of them that have a hook.
std::vector<Backend> tested_hooks();
std::string backend_name(const testing::TestParamInfo<Backend>& info);

// A folder for pins that does not exist yet, on a BPF file system in this process's own mount
// namespace; empty, with a failed expectation, where that cannot be had.
std::string fresh_pin_dir();

class BackendTest : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override;

  // Opens the backend without pins, or skips the test with the kernel's reason; that is a failure
  // where IDLEWARDEN_BACKEND demands it.
  void open(KernelOptions options = {.pin_dir = ""});
  bool ready() const { return opened_.source != nullptr; }
  ActivitySource& source() { return *opened_.source; }
  void close() { opened_.source.reset(); }
  bool sampled() const { return GetParam() == Backend::sampler; }

  // A watched session.
  PtySession session(const std::string& ptmx = "/dev/ptmx");
  void watch(const PtySession& session);
  Tty tty_of(const PtySession& session);  // makes a scan
  // Of a watched session, as known now: with a hook without a scan, else after one.
  InputSeen seen(const PtySession& session);

  OpenedSource opened_;

 private:
  std::map<int, Tty> ttys_;  // by the master's descriptor
};

}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// Why a kernel would not take a program, in plain words. libbpf says it only on its log; what it
// says while a LibbpfLog lives is kept instead of going to stderr.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "kernel/activity_source.h"

namespace idlewarden {

// Captures libbpf's warnings of this thread from its construction to its destruction. One at a
// time per thread.
class LibbpfLog {
 public:
  LibbpfLog();
  ~LibbpfLog();
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;

  const std::string& text() const noexcept { return text_; }
  void append(std::string_view message) { text_.append(message); }

 private:
  std::string text_;
};

// What about this host explains a refusal.
struct HostFacts {
  bool root = true;
  bool btf = true;            // /sys/kernel/btf/vmlinux
  bool kprobes = true;        // the kprobe event source exists
  std::string lockdown = {};  // "none", "integrity", "confidentiality"; empty: no lockdown here
};
HostFacts host_facts();

// The Error for a backend that failed with errno `code` after libbpf wrote `log`: what names the
// cause, hint what an administrator can do.
Error explain_refusal(Backend backend, int code, std::string_view log, const HostFacts& facts);

}  // namespace idlewarden

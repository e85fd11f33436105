// SPDX-License-Identifier: Apache-2.0
#include "kernel/refusal.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/shortage.h"
#include "base/text.h"

namespace idlewarden {
namespace {

constexpr int kNotSupported = 524;  // ENOTSUPP: the kernel's own, not in errno.h

thread_local LibbpfLog* current = nullptr;

int on_message(enum libbpf_print_level level, const char* format, va_list arguments) {
  if (current == nullptr || level != LIBBPF_WARN) return 0;
  // Twice: a verifier's log is a message of megabytes, and its end is what matters.
  va_list again;
  va_copy(again, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, arguments);
  if (length > 0) {
    std::string message(static_cast<std::size_t>(length) + 1, '\0');
    std::vsnprintf(message.data(), message.size(), format, again);
    message.pop_back();
    current->append(message);
  }
  va_end(again);
  return length;
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// The verifier's last words before its statistics, if it had any, else libbpf's first; what only
// repeats errno is nothing.
std::string kernel_words(std::string_view log) {
  const bool verifier = has(log, "BEGIN PROG LOAD LOG");
  std::string words;
  for (const std::string& raw : split(log, '\n')) {
    std::string_view line = trim(raw);
    if (line.starts_with("libbpf: ")) line.remove_prefix(8);
    if (line.empty() || has(line, "BPF program load failed")) continue;
    if (line.starts_with("permission error while running as root")) continue;
    if (has(line, "failed to load") || has(line, "failed to auto-attach")) continue;
    if (line.starts_with("processed ") || has(line, "END PROG LOAD LOG")) break;
    words = line;
    if (!verifier) break;
  }
  return printable(words);
}

std::string kind_of(Backend backend) {
  switch (backend) {
    case Backend::fentry: return "a trampoline on pty_write (fentry)";
    case Backend::kprobe: return "a kprobe on pty_write";
    case Backend::tracepoint: return "a program on the sys_exit tracepoint";
    case Backend::sampler: return "the task iterator";
  }
  std::unreachable();
}

Error explained(std::string what, std::string hint, int code) {
  // The kernel's own ENOTSUPP has no text in strerror(3); the sentence carries it.
  return {.what = std::move(what),
          .where = {},
          .hint = std::move(hint),
          .code = code == kNotSupported ? EOPNOTSUPP : code};
}

Error explain_permission(Backend backend, int code, const HostFacts& facts,
                         const std::string& detail) {
  if (!facts.root) {
    return explained("not allowed to load BPF programs",
                     "run as root, or with CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN", code);
  }
  if (!facts.lockdown.empty() && facts.lockdown != "none") {
    return explained(
        fmt::format("kernel lockdown ({}) refuses {}", facts.lockdown, kind_of(backend)),
        "lockdown comes with Secure Boot or the lockdown= boot parameter; "
        "\"integrity\" allows all that is needed",
        code);
  }
  return explained(fmt::format("this kernel refuses {}{}", kind_of(backend), detail),
                   "a security module, a container, the kernel's configuration or a missing "
                   "capability (a kprobe needs CAP_SYS_ADMIN where kernel.perf_event_paranoid is "
                   "above 2) forbids it; before 5.11 also a low RLIMIT_MEMLOCK",
                   code);
}

}  // namespace

LibbpfLog::LibbpfLog() {
  static const auto installed = libbpf_set_print(on_message);
  (void)installed;
  current = this;
}

LibbpfLog::~LibbpfLog() {
  current = nullptr;
}

HostFacts host_facts() {
  const Root host;
  HostFacts facts;
  facts.root = geteuid() == 0;
  facts.btf = host.exists("/sys/kernel/btf/vmlinux");
  facts.kprobes = host.exists("/sys/bus/event_source/devices/kprobe/type");
  // "none [integrity] confidentiality": the one in brackets holds.
  if (const auto text = host.read("/sys/kernel/security/lockdown")) {
    const auto begin = text->find('[');
    const auto end = text->find(']');
    if (begin < end && end != std::string::npos) {
      facts.lockdown = text->substr(begin + 1, end - begin - 1);
    }
  }
  return facts;
}

Error explain_refusal(Backend backend, int code, std::string_view log, const HostFacts& facts) {
  const std::string words = kernel_words(log);
  const std::string detail = words.empty() ? "" : ": " + words;
  if (!facts.root && (code == EPERM || code == EACCES)) {
    return explain_permission(backend, code, facts, {});
  }
  if (facts.btf && (has(log, "vmlinux BTF: -") || has(log, "valid kernel BTF"))) {
    return explained("cannot use the kernel's type information (/sys/kernel/btf/vmlinux)" + detail,
                     "try again; if it stays like that, the file is broken, or too new for libbpf",
                     code);
  }
  if (!facts.btf) {
    return explained("this kernel has no type information (/sys/kernel/btf/vmlinux)",
                     "a kernel built with CONFIG_DEBUG_INFO_BTF=y is needed", code);
  }
  if (backend == Backend::kprobe && !facts.kprobes) {
    return explained("this kernel has no kprobes", "a kernel built with CONFIG_KPROBES=y", code);
  }
  if (code == EPERM) return explain_permission(backend, code, facts, detail);
  if (backend == Backend::fentry && (code == kNotSupported || code == EOPNOTSUPP)) {
    return explained("this kernel has no BPF trampolines for this processor",
                     "arm64 has them since 6.4; CONFIG_FUNCTION_TRACER and ftrace direct calls",
                     code);
  }
  if (code == ENOENT || code == ESRCH || code == EADDRNOTAVAIL) {
    return explained(
        fmt::format("this kernel has nothing to attach {} to{}", kind_of(backend), detail), {},
        code);
  }
  return explained(fmt::format("this kernel does not take {}{}", kind_of(backend), detail),
                   is_shortage(code) ? "" : "`idlewarden doctor` says what it takes", code);
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "support/syscall_names.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/fcntl.h>
#include <linux/sockios.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace idlewarden::test {
namespace {

// What the arguments of a call mean.
enum class Shape { none, fd, path, at, ioctl, bpf, signal, map, poll_set, command };

struct Known {
  long number;
  const char* name;
  Shape shape;
};

constexpr Known kKnown[] = {
    {SYS_openat, "openat", Shape::at},
    {SYS_openat2, "openat2", Shape::at},
    {SYS_newfstatat, "newfstatat", Shape::at},
    {SYS_readlinkat, "readlinkat", Shape::at},
    {SYS_mkdirat, "mkdirat", Shape::at},
    {SYS_unlinkat, "unlinkat", Shape::at},
    {SYS_renameat, "renameat", Shape::at},
#ifdef SYS_mkdir  // x86-64 has these, newer architectures only those with "at"
    {SYS_readlink, "readlink", Shape::path},
    {SYS_mkdir, "mkdir", Shape::path},
    {SYS_unlink, "unlink", Shape::path},
    {SYS_rename, "rename", Shape::path},
    {SYS_chmod, "chmod", Shape::path},
#endif
    {SYS_statfs, "statfs", Shape::path},
    {SYS_read, "read", Shape::fd},
    {SYS_pread64, "pread64", Shape::fd},
    {SYS_write, "write", Shape::fd},
    {SYS_fstat, "newfstatat", Shape::fd},
    {SYS_fsync, "fsync", Shape::fd},
    {SYS_flock, "flock", Shape::fd},
    {SYS_fchmod, "fchmod", Shape::fd},
    {SYS_getdents64, "getdents64", Shape::fd},
    {SYS_fcntl, "fcntl", Shape::command},
    {SYS_ioctl, "ioctl", Shape::ioctl},
    {SYS_bpf, "bpf", Shape::bpf},
    {SYS_mmap, "mmap", Shape::map},
    {SYS_pidfd_open, "pidfd_open", Shape::none},
    {SYS_pidfd_getfd, "pidfd_getfd", Shape::fd},
    {SYS_pidfd_send_signal, "pidfd_send_signal", Shape::signal},
    {SYS_epoll_create1, "epoll_create1", Shape::none},
    {SYS_epoll_ctl, "epoll_ctl", Shape::poll_set},
    {SYS_timerfd_create, "timerfd_create", Shape::none},
    {SYS_timerfd_settime, "timerfd_settime", Shape::none},
    {SYS_signalfd4, "signalfd4", Shape::none},
    {SYS_eventfd2, "eventfd2", Shape::none},
    {SYS_inotify_init1, "inotify_init1", Shape::none},
    {SYS_inotify_add_watch, "inotify_add_watch", Shape::none},
    {SYS_socket, "socket", Shape::none},
    {SYS_bind, "bind", Shape::fd},
    {SYS_listen, "listen", Shape::fd},
    {SYS_accept4, "accept4", Shape::fd},
    {SYS_connect, "connect", Shape::fd},
    {SYS_getsockopt, "getsockopt", Shape::fd},
    {SYS_setsockopt, "setsockopt", Shape::fd},
    {SYS_sendto, "sendto", Shape::fd},
    {SYS_sendmsg, "sendmsg", Shape::fd},
    {SYS_recvfrom, "recvfrom", Shape::fd},
    {SYS_recvmsg, "recvmsg", Shape::fd},
    {SYS_pipe2, "pipe2", Shape::none},
#ifdef SYS_poll
    {SYS_poll, "poll", Shape::none},
#endif
    {SYS_clone, "clone", Shape::none},
    {SYS_clone3, "clone3", Shape::none},
    {SYS_capset, "capset", Shape::none},
    {SYS_prctl, "prctl", Shape::none},
    {SYS_perf_event_open, "perf_event_open", Shape::none},
};

// Up to the first NUL, or as far as it can be read.
std::string text_at(pid_t pid, std::uint64_t address, std::size_t most) {
  std::string text(most, '\0');
  constexpr std::size_t kPage = 4096;
  std::size_t got = 0;
  while (got < most) {
    const std::size_t piece = std::min(most - got, kPage - (address + got) % kPage);
    const iovec here{text.data() + got, piece};
    const iovec there{reinterpret_cast<void*>(address + got), piece};
    if (::process_vm_readv(pid, &here, 1, &there, 1, 0) != static_cast<ssize_t>(piece)) break;
    got += piece;
    if (text.find('\0', got - piece) < got) break;
  }
  text.resize(std::min(text.find('\0'), got));
  return text;
}

std::string descriptor(pid_t pid, std::uint64_t raw) {
  const int fd = static_cast<int>(raw);
  if (fd == AT_FDCWD) return "";
  const std::string process = "/proc/" + std::to_string(pid);
  std::error_code error;
  const std::string link =
      std::filesystem::read_symlink(fmt::format("{}/fd/{}", process, fd), error);
  if (link.find("pidfd") == std::string::npos) return link;
  std::ifstream info(fmt::format("{}/fdinfo/{}", process, fd));
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("Pid:\t")) return "pidfd:" + line.substr(5);
  }
  return "pidfd";
}

std::string path_at(pid_t pid, std::uint64_t folder, std::uint64_t address) {
  const std::string path = text_at(pid, address, 4096);
  if (path.starts_with('/')) return path;
  const std::string base = descriptor(pid, folder);
  return path.empty() || base.empty() ? base + path : base + "/" + path;
}

std::string request_name(std::uint64_t request) {
  switch (request) {
    case TIOCVHANGUP: return "TIOCVHANGUP";
    case TIOCSPTLCK: return "TIOCSPTLCK";
    case TIOCGPTPEER: return "TIOCGPTPEER";
    case TIOCGPTN: return "TIOCGPTN";
    case TIOCSCTTY: return "TIOCSCTTY";
    case TCGETS: return "TCGETS";
    case SIOCOUTQ: return "SIOCOUTQ";
    case SIOCINQ: return "SIOCINQ";
    default: return fmt::format("{:#x}", request);
  }
}

std::string bpf_text(pid_t pid, const seccomp_data& call) {
  const std::uint64_t attr = call.args[1];
  const auto name = [&](std::size_t offset) {
    return text_at(pid, attr + offset, BPF_OBJ_NAME_LEN);
  };
  const auto path = [&] {
    std::uint64_t address = 0;
    const iovec here{&address, sizeof address};
    const iovec there{reinterpret_cast<void*>(attr + offsetof(bpf_attr, pathname)), sizeof address};
    const bool read = ::process_vm_readv(pid, &here, 1, &there, 1, 0) == sizeof address;
    return read ? text_at(pid, address, 4096) : "";
  };
  switch (call.args[0]) {
    case BPF_MAP_CREATE: return "MAP_CREATE " + name(offsetof(bpf_attr, map_name));
    case BPF_PROG_LOAD: return "PROG_LOAD " + name(offsetof(bpf_attr, prog_name));
    case BPF_MAP_LOOKUP_ELEM: return "MAP_LOOKUP_ELEM";
    case BPF_MAP_UPDATE_ELEM: return "MAP_UPDATE_ELEM";
    case BPF_MAP_DELETE_ELEM: return "MAP_DELETE_ELEM";
    case BPF_MAP_GET_NEXT_KEY: return "MAP_GET_NEXT_KEY";
    case BPF_MAP_FREEZE: return "MAP_FREEZE";
    case BPF_OBJ_PIN: return "OBJ_PIN " + path();
    case BPF_OBJ_GET: return "OBJ_GET " + path();
    case BPF_OBJ_GET_INFO_BY_FD: return "OBJ_GET_INFO_BY_FD";
    case BPF_RAW_TRACEPOINT_OPEN: return "RAW_TRACEPOINT_OPEN";
    case BPF_BTF_LOAD: return "BTF_LOAD";
    case BPF_LINK_CREATE: return "LINK_CREATE";
    case BPF_ITER_CREATE: return "ITER_CREATE";
    default: return fmt::format("{}", call.args[0]);
  }
}

std::string object_of(pid_t pid, Shape shape, const seccomp_data& call) {
  const auto& args = call.args;
  switch (shape) {
    case Shape::none: return "";
    case Shape::fd: return descriptor(pid, args[0]);
    case Shape::path: return text_at(pid, args[0], 4096);
    case Shape::at: return path_at(pid, args[0], args[1]);
    case Shape::ioctl: return request_name(args[1]) + " " + descriptor(pid, args[0]);
    case Shape::bpf: return bpf_text(pid, call);
    case Shape::signal: return fmt::format("{} {}", args[1], descriptor(pid, args[0]));
    case Shape::map: return descriptor(pid, args[4]);
    case Shape::poll_set: return fmt::format("op{} {}", args[1], descriptor(pid, args[2]));
    case Shape::command: return fmt::format("cmd{} {}", args[1], descriptor(pid, args[0]));
  }
  std::unreachable();
}

// Numbers become N, what TempDir made TMP. The operations and signals above stay.
std::string kind_of(const std::string& object) {
  std::string kind;
  for (std::size_t i = 0; i < object.size();) {
    const std::string_view rest = std::string_view(object).substr(i);
    if (constexpr std::string_view kTemporary = "/tmp/idlewarden-"; rest.starts_with(kTemporary)) {
      i = std::min(object.find('/', i + kTemporary.size()), object.size());
      kind += "TMP";
      continue;
    }
    const auto is_digit = [&](std::size_t at) {
      return at < object.size() && std::isdigit(static_cast<unsigned char>(object[at])) != 0;
    };
    const bool after_separator =
        i > 0 && std::string_view("/[:").find(object[i - 1]) != std::string_view::npos;
    if (!after_separator || !is_digit(i)) {
      kind += object[i++];
      continue;
    }
    while (is_digit(i)) ++i;
    kind += 'N';
  }
  return kind;
}

}  // namespace

std::vector<long> gated_syscalls() {
  std::vector<long> numbers;
  for (const Known& known : kKnown) numbers.push_back(known.number);
  return numbers;
}

std::optional<SyscallGate::Call> describe(pid_t thread, const seccomp_data& call) {
  const auto known = std::ranges::find(kKnown, call.nr, &Known::number);
  if (known == std::end(kKnown)) return std::nullopt;
  const std::string object = object_of(thread, known->shape, call);
  if (known->shape == Shape::map && object.empty()) return std::nullopt;
  const std::string space = object.empty() ? "" : " ";
  return SyscallGate::Call{.name = known->name,
                           .what = known->name + space + object,
                           .kind = known->name + space + kind_of(object)};
}

}  // namespace idlewarden::test

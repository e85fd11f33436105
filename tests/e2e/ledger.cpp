// SPDX-License-Identifier: Apache-2.0
#include "e2e/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <set>
#include <utility>

namespace idlewarden::test {
namespace {

constexpr std::array<std::pair<std::string_view, int>, 47> kErrors{{
    {"openat", EMFILE},
    {"openat2", EMFILE},
    {"newfstatat", EIO},
    {"readlinkat", EIO},
    {"mkdirat", ENOSPC},
    {"unlinkat", EIO},
    {"renameat", ENOSPC},
    {"readlink", EIO},
    {"mkdir", ENOSPC},
    {"unlink", EIO},
    {"rename", ENOSPC},
    {"chmod", EIO},
    {"statfs", EIO},
    {"read", EIO},
    {"pread64", EIO},
    {"write", ENOSPC},
    {"fsync", ENOSPC},
    {"flock", ENOLCK},
    {"fchmod", EIO},
    {"getdents64", EIO},
    {"fcntl", EMFILE},
    {"ioctl", EIO},
    {"bpf", ENOMEM},
    {"mmap", ENOMEM},
    {"pidfd_open", EMFILE},
    {"pidfd_getfd", EMFILE},
    {"pidfd_send_signal", EPERM},
    {"epoll_create1", EMFILE},
    {"epoll_ctl", ENOSPC},
    {"timerfd_create", EMFILE},
    {"timerfd_settime", ENOMEM},
    {"signalfd4", EMFILE},
    {"eventfd2", EMFILE},
    {"inotify_init1", EMFILE},
    {"inotify_add_watch", ENOSPC},
    {"socket", EMFILE},
    {"bind", EACCES},
    {"listen", ENOMEM},
    {"accept4", EMFILE},
    {"connect", EAGAIN},
    {"getsockopt", ENOBUFS},
    {"setsockopt", ENOMEM},
    {"sendto", ENOBUFS},
    {"sendmsg", ENOBUFS},
    {"recvfrom", ENOMEM},
    {"recvmsg", ENOMEM},
    {"pipe2", EMFILE},
}};

// Whatever a host has of these, it is the same call in the same place: one of each is enough.
struct Group {
  std::string_view begins;
  std::string_view name;
};
constexpr Group kGroups[] = {
    {"/etc/passwd", "ACCOUNTS"},
    {"/etc/group", "ACCOUNTS"},
    {"/etc/nsswitch", "ACCOUNTS"},
    {"/etc/userdb", "ACCOUNTS"},
    {"/etc/ld.so", "ACCOUNTS"},
    {"/run/systemd/userdb", "ACCOUNTS"},
    {"/run/userdb", "ACCOUNTS"},
    {"/run/host", "ACCOUNTS"},
    {"/lib", "ACCOUNTS"},
    {"/usr/lib/x86", "ACCOUNTS"},
    {"/usr/lib/userdb", "ACCOUNTS"},
    {"//", "ACCOUNTS"},
    {"/etc/localtime", "ZONE"},
    {"/usr/share/zoneinfo", "ZONE"},
    {"/etc/systemd/logind", "LOGIND"},
    {"/etc/", "HOST_FILE"},
    {"/usr/", "HOST_FILE"},
    {"/home/", "HOST_FILE"},
    {"/run/", "HOST_FILE"},
    {"/etc", "HOST_FILE"},
    {"/usr", "HOST_FILE"},
    {"/run", "HOST_FILE"},
};

// But what the kernel never refuses: to take a descriptor out of an epoll set that it is in.
std::vector<std::string> distinct(auto begin, auto end) {
  std::vector<std::string> kinds;
  std::set<std::string> known;
  for (auto at = begin; at != end; ++at) {
    if (at->starts_with("epoll_ctl op2")) continue;
    if (known.insert(*at).second) kinds.push_back(*at);
  }
  return kinds;
}

std::string grouped(const std::string& kind) {
  const auto space = kind.find(' ');
  const std::string_view object = std::string_view(kind).substr(std::min(space + 1, kind.size()));
  for (const Group& group : kGroups) {
    if (space == std::string::npos || !object.starts_with(group.begins)) continue;
    if (object.starts_with("/run/bpf")) continue;
    return kind.substr(0, space + 1) + std::string(group.name);
  }
  return kind;
}

}  // namespace

int plausible_error(const SyscallGate::Call& call) {
  for (const auto& [name, error] : kErrors) {
    if (name == call.name) return error;
  }
  if (call.name == "poll") return ENOMEM;
  if (call.name == "clone" || call.name == "clone3") return EAGAIN;
  return EPERM;
}

SyscallGate::Guard Ledger::guard() {
  return [this](const SyscallGate::Call& call) { return judge(call); };
}

SyscallGate::Verdict Ledger::judge(const SyscallGate::Call& call) {
  const std::lock_guard lock(mutex_);
  begun_ = begun_ || call.name == "capset";
  if (!begun_) return {};
  const std::string kind = grouped(call.kind);
  calls_.push_back(kind);
  if (kind == after_) {
    after_.clear();
    return {};
  }
  if (!after_.empty() || kind != armed_) return {};
  armed_.clear();
  const int error = plausible_error(call);
  fired_ = fmt::format("{}: {}", call.what, std::strerror(error));
  return {.error = error};
}

std::vector<std::string> Ledger::kinds() const {
  const std::lock_guard lock(mutex_);
  return distinct(calls_.begin(), calls_.end());
}

std::vector<std::string> Ledger::kinds_after(const std::string& kind) const {
  const std::lock_guard lock(mutex_);
  const auto first = std::ranges::find(calls_, kind);
  return first == calls_.end() ? std::vector<std::string>()
                               : distinct(std::next(first), calls_.end());
}

void Ledger::forget() {
  const std::lock_guard lock(mutex_);
  calls_.clear();
}

void Ledger::arm(const std::string& kind, const std::string& after) {
  const std::lock_guard lock(mutex_);
  armed_ = kind;
  after_ = after;
  fired_.reset();
}

void Ledger::disarm() {
  const std::lock_guard lock(mutex_);
  armed_.clear();
}

std::optional<std::string> Ledger::fired() const {
  const std::lock_guard lock(mutex_);
  return fired_;
}

}  // namespace idlewarden::test

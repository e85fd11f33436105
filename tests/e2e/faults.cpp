// SPDX-License-Identifier: Apache-2.0
#include "e2e/faults.h"

#include <algorithm>
#include <functional>
#include <sstream>

namespace idlewarden::test {
namespace {

enum class When { always, at_start, later };
struct Silent {
  std::string_view kind;  // how it begins
  const char* why;
  When when = When::always;
};
constexpr const char* kProbe = "libbpf asks what this kernel can, and does without";
constexpr const char* kAgain = "the same is asked once more before anything rests on the answer";
constexpr const char* kShown = "only what is shown; read again at the next scan";
constexpr const char* kAsked = "nobody is admitted or ended before it is asked again";
constexpr const char* kOwn =
    "one scrape without the daemon's own descriptors; of others it is told";
constexpr const char* kLibrary = "the C library goes on with its default";
constexpr const char* kPlaced = "the first turn places all watches once more";
constexpr const char* kPins =
    "there were no pins; where there are, their names collide, which is told";
constexpr const char* kUsers =
    "a file of the user's, which can only tighten; read again at the next login";
constexpr const char* kWhose = "whose a slow process is: it then waits for itself alone";
constexpr const char* kNext = "a client or a bus that is tried again by itself";
constexpr Silent kSilent[] = {
    {"bpf BTF_LOAD", kProbe},
    {"bpf PROG_LOAD ", kAgain},  // libbpf, without what is new
    {"bpf MAP_CREATE", kProbe},
    {"bpf 35", kProbe},
    {"newfstatat /sys/kernel/btf", kLibrary},
    {"read ZONE", kLibrary},
    {"openat ZONE", kLibrary},
    {"newfstatat ZONE", kLibrary},
    {"ioctl TCGETS", "the log has no colours"},
    {"getsockopt", kNext},
    {"setsockopt", kNext},
    {"connect", kNext},
    {"socket", kNext},
    {"accept4", kNext},
    {"recvfrom", kNext},
    {"sendto", kNext},
    {"poll", kNext},
    {"clone3", kNext},
    {"pidfd_open", "a hook's child is looked at now and then instead", When::later},
    {"openat ACCOUNTS", kAgain},
    {"read ACCOUNTS", kAgain},
    {"newfstatat ACCOUNTS", kAgain},
    {"mmap ACCOUNTS", kAgain},
    {"readlinkat ACCOUNTS", kAgain},
    {"openat /proc/N/status", kWhose},
    {"read /proc/N/status", kWhose},
    {"openat /proc/N/loginuid", kWhose},
    {"read /proc/N/loginuid", kWhose},
    {"openat /proc/N/comm", kShown},
    {"openat /proc/N/stat", kAsked, When::later},
    {"read /proc/N/stat", kAsked, When::later},
    {"read /proc/N/comm", kShown},
    {"newfstatat /proc/N/fd/", kShown},
    {"openat /proc/N/statm", "one scrape without the daemon's own memory"},
    {"read /proc/N/statm", "one scrape without the daemon's own memory"},
    {"openat /proc/N/fd", kOwn},
    {"newfstatat /proc/N/fd", kOwn},
    {"fcntl cmd3 /proc/N/fd", kOwn},
    {"fcntl cmd2 /proc/N/fd", kOwn},
    {"getdents64 /proc/N/fd", kOwn},
    {"openat2 HOST_FILE", "a file of which it is not known whether it changed is read again",
     When::later},
    {"openat2 /proc/sys/kernel/pty/max", "the kernel's default; more ptys go to the overflow map"},
    {"read /proc/sys/kernel/pty/max", "the kernel's default; more ptys go to the overflow map"},
    {"newfstatat /proc/sys/kernel/pty/max", "as above"},
    {"newfstatat TMP/events", "the file is opened anew"},
    {"newfstatat HOST_FILE", "looked at again by the next turn"},
    {"openat /", "a file of which it is not known whether it changed is read again", When::later},
    {"prctl", "a thread without its name"},
    {"write anon_inode:[eventfd]", "a client that is told to ask again"},
    {"read anon_inode:[eventfd]", "stays readable, so it is read again"},
    {"read anon_inode:inotify", "stays readable, so it is read again"},
    {"openat /proc/N/cgroup", kAsked},
    {"read /proc/N/cgroup", kAsked},
    {"openat HOST_FILE",
     "a folder of the shells' files, listed again 20 s later at most; without "
     "it a limit can only be missing"},
    {"getdents64 HOST_FILE", "as above"},
    {"fcntl cmd2 /etc/", "as above"},
    {"fcntl cmd3 /etc/", "as above"},
    {"readlinkat HOST_FILE", kUsers},
    {"newfstatat /home", kUsers},
    {"openat /proc/self/task/N/fd/N", kUsers},
    {"newfstatat /", kPlaced, When::at_start},
    {"newfstatat /tmp", kPlaced, When::at_start},
    {"newfstatat TMP", kPlaced, When::at_start},
    {"newfstatat TMP/policies.d", kPlaced, When::at_start},
    {"statfs", kPlaced, When::at_start},
    {"inotify_add_watch", kPlaced, When::at_start},
    {"readlink HOST_FILE", kPlaced, When::at_start},
    {"fcntl cmd2 /run/bpf", kPins, When::at_start},
    {"fcntl cmd3 /run/bpf", kPins, When::at_start},
    {"newfstatat /run/bpf", kPins, When::at_start},
    {"getdents64 /run/bpf", kPins, When::at_start},
    {"newfstatat TMP/policies.d", "looked at again by the next turn", When::later},
    {"read pipe:",
     "of the self-test's child: without it the test is passed or fails, which is told"},
    {"newfstatat TMP/policy", "a file that seems to have changed is read again"},
};

struct Needed {
  std::string_view kind;  // how it begins
  const char* why;
};
constexpr const char* kLoop = "without its event loop and its clients it is of no use";
constexpr const char* kConfiguration = "an unread configuration is no configuration";
constexpr const char* kOwnLog = "who asks for an events file is told at once that there is none";
constexpr const char* kByName = "this backend was asked for by name, and proves itself first";
constexpr Needed kNeeded[] = {
    {"capset", "it keeps no capability that it does not need"},
    {"clone3", kLoop},
    {"epoll_", kLoop},
    {"eventfd2", kLoop},
    {"signalfd4", kLoop},
    {"timerfd_create", kLoop},
    {"socket", kLoop},
    {"bind socket", kLoop},
    {"listen socket", kLoop},
    {"fchmod socket", kLoop},
    {"newfstatat TMP/socket", kLoop},
    {"openat /", kConfiguration},
    {"openat2 TMP/policy.toml", kConfiguration},
    {"read TMP/policy.toml", kConfiguration},
    {"openat TMP/policies.d", kConfiguration},
    {"openat2 TMP/policies.d", kConfiguration},
    {"fcntl cmd2 TMP/policies.d", kConfiguration},
    {"fcntl cmd3 TMP/policies.d", kConfiguration},
    {"openat TMP/events", kOwnLog},
    {"openat /proc/N/stat", "whose session it runs in itself, which it never ends"},
    {"read /proc/N/stat", "as above"},
    {"openat /proc/sys/kernel/random/boot_id", "ends of another boot are nobody's"},
    {"read /proc/sys/kernel/random/boot_id", "as above"},
    {"openat /sys/kernel/btf/vmlinux", kByName},
    {"read /sys/kernel/btf/vmlinux", kByName},
    {"bpf ", kByName},
    {"mmap anon_inode:bpf-map", kByName},
    {"fcntl cmd1030 anon_inode:bpf", kByName},
    {"read anon_inode:bpf_iter", kByName},
    {"openat /dev/ptmx", kByName},
    {"ioctl TIOC", kByName},
    {"newfstatat /dev/pts/N", kByName},
    {"write /dev/ptmx", kByName},
    {"pipe2", kByName},
    {"read pipe:", kByName},
    {"clone", kByName},
};

bool begins(std::string_view kind, std::string_view with) {
  // Exactly, where what follows would be something else.
  const bool whole = with.ends_with(" /") || with == "newfstatat TMP" || with.ends_with("/stat") ||
                     with.ends_with("/fd");
  return whole ? kind == with : kind.starts_with(with);
}

}  // namespace

Typist::Typist(PtyProcess& terminal)
    : thread_([&terminal](const std::stop_token& stop) {
        while (!stop.stop_requested() && terminal.running()) {
          terminal.type("x\x7f");
          std::this_thread::sleep_for(200ms);
        }
      }) {}

std::vector<std::string> of_shard(const std::vector<std::string>& kinds, int shard) {
  std::vector<std::string> mine;
  for (const std::string& kind : kinds) {
    if (static_cast<int>(std::hash<std::string>()(kind) % kShards) == shard) mine.push_back(kind);
  }
  return mine;
}

std::string complaints(const std::string& log) {
  std::string all;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    const bool event = line.find(" warning would end ") != std::string::npos;
    const bool loud = line.find(" warning ") != std::string::npos ||
                      line.find(" error ") != std::string::npos || line.starts_with("idlewarden: ");
    if (loud && !event) all += line + "\n";
  }
  return all;
}

std::vector<std::string> degraded(const MonitorProcess& monitor) {
  const std::string metrics = monitor.metrics();
  std::vector<std::string> reasons;
  const std::string key = "idlewarden_degraded{reason=\"";
  for (auto at = metrics.find(key); at != std::string::npos; at = metrics.find(key, at + 1)) {
    const auto begin = at + key.size();
    reasons.push_back(metrics.substr(begin, metrics.find('"', begin) - begin));
  }
  return reasons;
}

std::optional<std::string> needs_no_word(const std::string& kind, bool at_start) {
  for (const Silent& silent : kSilent) {
    if (silent.when == (at_start ? When::later : When::at_start)) continue;
    if (begins(kind, silent.kind)) return silent.why;
  }
  return std::nullopt;
}

bool is_needed_to_start(const std::string& kind) {
  return std::ranges::any_of(kNeeded,
                             [&](const Needed& needed) { return begins(kind, needed.kind); });
}

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : ", ") + word;
  return all;
}

}  // namespace idlewarden::test

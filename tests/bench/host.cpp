// SPDX-License-Identifier: Apache-2.0
// host CONFIG LEADER N USERS: N logins, each as an sshd has it: a process of its own that runs as
// the user, holds the master of a pty and a TCP connection to 127.0.0.1, and is called
// "sshd: bench@pts/3"; under it the session leader LEADER on that pty; above it one that looks like
// the listening sshd of the configuration CONFIG. The uids are 60000 to 60000 + USERS. Stands in
// for logins that cost nothing themselves: nothing is encrypted, nobody reads.
//
// This process itself has the other ends and types. It prints "ready PID", of the listener, then
// takes commands, a line each, and answers each with a line:
//   type COUNT   from now on that many sessions get a byte twice a second, evenly spread
//   key N        one byte to session N
//   add          one more session
//   ends SECONDS one byte to each session, spread over that time; then waits for their ends
// The answer to `key` and `add` is the CLOCK_BOOTTIME of the act in ns; that to `ends` is a line
// "N KEY END" for each session whose terminal was hung up, with both times, and then "done". Ends
// when its input ends.
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace {

constexpr uid_t kFirstUid = 60000;
constexpr int kTurnsPerSecond = 50;
constexpr int kMasterFd = 3;
constexpr int kSocketFd = 4;
constexpr int kClientFd = 5;

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

long long boot_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

std::string own_path() {
  char path[4096];
  const auto size =
      checked(static_cast<int>(::readlink("/proc/self/exe", path, sizeof path)), "readlink");
  return {path, static_cast<std::size_t>(size)};
}

// One session's host, from its exec on: the master and the connection are open.
int serve(const char* leader) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int slave = checked(::open(::ptsname(kMasterFd), O_RDWR | O_NOCTTY), "open the slave");
  const pid_t pid = checked(::fork(), "fork");
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::login_tty(slave);
    ::close_range(3, kClientFd - 1, 0);  // it keeps the client's end, which nobody else has
    ::close_range(kClientFd + 1, ~0U, 0);
    ::execl(leader, "-bash", nullptr);
    ::_exit(127);
  }
  ::close(slave);
  ::close(kClientFd);
  while (true) ::pause();
}

struct Ends {
  int master, server, client;
};

// The body of a process that serves one session, up to its exec.
[[noreturn]] void become_host(const Ends& ends, uid_t uid, const char* self, const char* leader) {
  // Not in the session of the one above, as sshd's is not.
  ::setsid();
  // First above those that they become.
  const int master = ::fcntl(ends.master, F_DUPFD, kClientFd + 1);
  const int server = ::fcntl(ends.server, F_DUPFD, kClientFd + 1);
  const int client = ::fcntl(ends.client, F_DUPFD, kClientFd + 1);
  ::dup2(master, kMasterFd);
  ::dup2(server, kSocketFd);
  ::dup2(client, kClientFd);
  ::close_range(kClientFd + 1, ~0U, 0);
  const std::string tty = ::ptsname(kMasterFd);
  const std::string title = "sshd: bench@" + tty.substr(std::strlen("/dev/"));
  if (::chown(tty.c_str(), uid, 0) == 0 && ::setgid(uid) == 0 && ::setuid(uid) == 0) {
    ::execl(self, title.c_str(), "--serve", leader, nullptr);
  }
  ::_exit(127);
}

// The listener: makes a host of each message, the uid with the three ends, on its standard input.
int listen_for(const char* leader) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGCHLD, SIG_IGN);
  const std::string self = own_path();
  while (true) {
    uid_t uid = 0;
    Ends ends{};
    iovec data{&uid, sizeof uid};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof ends)];
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (::recvmsg(STDIN_FILENO, &message, MSG_CMSG_CLOEXEC) <= 0) return 0;
    std::memcpy(&ends, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof ends);
    const pid_t pid = checked(::fork(), "fork");
    if (pid == 0) become_host(ends, uid, self.c_str(), leader);
    for (const int fd : {ends.master, ends.server, ends.client}) ::close(fd);
    checked(static_cast<int>(::send(STDIN_FILENO, &pid, sizeof pid, 0)), "answer");
  }
}

class Hosts {
 public:
  Hosts(const char* config, const char* leader, int users) : users_(users) {
    int pair[2];
    checked(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), "socketpair");
    to_listener_ = pair[0];
    const std::string self = own_path();
    listener_ = checked(::fork(), "fork");
    if (listener_ == 0) {
      ::dup2(pair[1], STDIN_FILENO);
      const std::string title =
          "sshd: " + self + " -D -f " + config + " [listener] 0 of 10-100 startups";
      ::execl(self.c_str(), title.c_str(), "--listen", leader, nullptr);
      ::_exit(127);
    }
    ::close(pair[1]);
    accepting_ = checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* address = reinterpret_cast<sockaddr*>(&address_);
    socklen_t size = sizeof address_;
    checked(::bind(accepting_, address, size), "bind");
    checked(::listen(accepting_, 16), "listen");
    checked(::getsockname(accepting_, address, &size), "getsockname");
  }

  void add() {
    const int master = checked(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), "open a pty");
    checked(::grantpt(master), "grantpt");
    checked(::unlockpt(master), "unlockpt");
    termios mode{};
    checked(::tcgetattr(master, &mode), "tcgetattr");
    mode.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    checked(::tcsetattr(master, TCSANOW, &mode), "tcsetattr");
    const int client = checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    checked(::connect(client, reinterpret_cast<sockaddr*>(&address_), sizeof address_), "connect");
    const int server = checked(::accept4(accepting_, nullptr, nullptr, SOCK_CLOEXEC), "accept");
    hand_over({master, server, client});
    ::close(server);
    ::close(client);
    masters_.push_back(master);
  }

  void key(std::size_t which) const {
    const char key = 'x';
    if (::write(masters_.at(which), &key, 1) != 1) throw std::runtime_error("a key was not taken");
  }
  std::size_t count() const { return masters_.size(); }

  // As `ends` says. A pty's master is told (EPOLLHUP) when nobody has the slave open any more.
  void ends(double seconds) const {
    const int epoll = checked(::epoll_create1(EPOLL_CLOEXEC), "epoll");
    for (std::size_t i = 0; i < count(); ++i) {
      epoll_event want{.events = 0, .data = {.u64 = i}};
      checked(::epoll_ctl(epoll, EPOLL_CTL_ADD, masters_[i], &want), "epoll_ctl");
    }
    const double step_ns = 1e9 * seconds / static_cast<double>(count());
    const long long begun = boot_ns();
    std::vector<long long> keys;
    for (std::size_t left = count(); left > 0;) {
      const long long now = boot_ns();
      const long long next =
          begun + static_cast<long long>(static_cast<double>(keys.size()) * step_ns);
      if (keys.size() < count() && now >= next) {
        key(keys.size());
        keys.push_back(now);
        continue;
      }
      const int wait_ms = keys.size() < count() ? static_cast<int>((next - now) / 1'000'000) : -1;
      epoll_event event{};
      if (::epoll_wait(epoll, &event, 1, wait_ms) <= 0) continue;
      const auto which = event.data.u64;
      std::printf("%zu %lld %lld\n", static_cast<std::size_t>(which),
                  which < keys.size() ? keys[which] : 0, boot_ns());
      ::epoll_ctl(epoll, EPOLL_CTL_DEL, masters_[which], nullptr);
      --left;
    }
    ::close(epoll);
    std::puts("done");
  }
  pid_t listener() const { return listener_; }

 private:
  void hand_over(const Ends& ends) const {
    uid_t uid = kFirstUid + static_cast<uid_t>(count()) % static_cast<uid_t>(users_);
    iovec data{&uid, sizeof uid};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof ends)] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof ends);
    std::memcpy(CMSG_DATA(header), &ends, sizeof ends);
    checked(static_cast<int>(::sendmsg(to_listener_, &message, 0)), "sendmsg");
    pid_t pid = 0;
    if (::recv(to_listener_, &pid, sizeof pid, 0) <= 0) {
      throw std::runtime_error("the listener is gone");
    }
  }

  int users_;
  int to_listener_ = -1;
  pid_t listener_ = -1;
  int accepting_ = -1;
  sockaddr_in address_{};
  std::vector<int> masters_;
};

// Types as it was told and takes commands, until there are no more of those.
void run(Hosts& hosts) {
  std::size_t typing = 0;
  std::size_t next = 0;
  double due = 0;
  while (true) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, typing > 0 ? 1000 / kTurnsPerSecond : -1) > 0) {
      char line[64];
      if (std::fgets(line, sizeof line, stdin) == nullptr) return;
      const std::string command(line);
      long long answer = boot_ns();
      if (command.starts_with("type ")) {
        typing = std::min<std::size_t>(std::strtoul(line + 5, nullptr, 10), hosts.count());
        answer = static_cast<long long>(typing);
        due = 0;
      } else if (command.starts_with("key ")) {
        hosts.key(std::strtoul(line + 4, nullptr, 10));
      } else if (command == "add\n") {
        hosts.add();
      } else if (!command.starts_with("ends ")) {
        throw std::runtime_error("no such command: " + command);
      }
      if (command.starts_with("ends ")) {
        hosts.ends(std::strtod(line + 5, nullptr));
      } else {
        std::printf("%lld\n", answer);
      }
      std::fflush(stdout);
    }
    for (due += 2.0 * static_cast<double>(typing) / kTurnsPerSecond; due >= 1; --due) {
      hosts.key(next++ % typing);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 3 && std::strcmp(argv[1], "--serve") == 0) return serve(argv[2]);
    if (argc == 3 && std::strcmp(argv[1], "--listen") == 0) return listen_for(argv[2]);
    if (argc != 5) {
      std::fputs("usage: host CONFIG LEADER N USERS\n", stderr);
      return 2;
    }
    rlimit files{};
    checked(::getrlimit(RLIMIT_NOFILE, &files), "getrlimit");
    files.rlim_cur = files.rlim_max;  // a master each
    checked(::setrlimit(RLIMIT_NOFILE, &files), "setrlimit");
    std::setvbuf(stdin, nullptr, _IONBF, 0);
    Hosts hosts(argv[1], argv[2], std::max(1, std::atoi(argv[4])));
    for (int i = std::atoi(argv[3]); i > 0; --i) hosts.add();
    std::printf("ready %d\n", hosts.listener());
    std::fflush(stdout);
    run(hosts);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "host: %s\n", error.what());
    return 1;
  }
}

// SPDX-License-Identifier: Apache-2.0
#include "report/hook_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/pidfd.h"
#include "base/text.h"
#include "base/trusted_program.h"
#include "base/unique_fd.h"
#include "report/text.h"

namespace idlewarden {
namespace {

using End = HookOutcome::End;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr rlim_t kDataBytes = 512UL << 20;
constexpr rlim_t kDescriptors = 256;
constexpr std::size_t kOutputKept = 1024;
// Then its output is closed, and SIGPIPE ends what goes on printing.
constexpr std::size_t kOutputRead = 64UL << 10;
constexpr std::size_t kSaidLimit = 200;
// After SIGKILL: a process that a dead file system holds does not die, and is left behind.
constexpr std::chrono::seconds kDyingTakes{2};

struct Pipe {
  UniqueFd read, write;
};

// Not in the place of a standard stream, should the daemon have been started without.
UniqueFd above_standard_streams(int fd) {
  const UniqueFd low(fd);
  return UniqueFd(::fcntl(low.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return fail_errno("cannot make a pipe");
  Pipe pipe{above_standard_streams(ends[0]), above_standard_streams(ends[1])};
  if (!pipe.read || !pipe.write) return fail_errno("cannot make a pipe");
  return pipe;
}

// What the child needs, made before the fork: behind it nothing may be allocated.
struct Prepared {
  const char* program;
  std::vector<char*> arguments;
  std::vector<char*> environment;
  rlim_t cpu_seconds;
  int input, output, failure;
};

bool set_limit(__rlimit_resource resource, rlim_t value) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return false;
  limit.rlim_max = limit.rlim_cur = std::min(value, limit.rlim_max);
  return ::setrlimit(resource, &limit) == 0;
}

// With no_new_privs an execve by root gives back only what was there before it: nothing.
bool give_up_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2]{};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
         ::syscall(SYS_capset, &header, none) == 0;
}

// Only async-signal-safe calls (signal-safety(7)): the daemon has other threads.
bool become(const Prepared& prepared) {
  // Should the daemon be killed, nobody would watch over its time.
  if (::setsid() < 0 || ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return false;
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) (void)::sigaction(number, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::umask(0077);
  return ::sigprocmask(SIG_SETMASK, &none, nullptr) == 0 && ::chdir("/") == 0 &&
         ::dup2(prepared.input, STDIN_FILENO) >= 0 && ::dup2(prepared.output, STDOUT_FILENO) >= 0 &&
         ::dup2(prepared.output, STDERR_FILENO) >= 0 && set_limit(RLIMIT_CORE, 0) &&
         set_limit(RLIMIT_NOFILE, kDescriptors) && set_limit(RLIMIT_DATA, kDataBytes) &&
         set_limit(RLIMIT_CPU, prepared.cpu_seconds) && give_up_capabilities();
}

[[noreturn]] void child(const Prepared& prepared) {
  int failure = prepared.failure;
  if (become(prepared)) {
    // Kept at 3 until execve() closes it; all above go.
    if (failure == 3 || ::dup3(failure, 3, O_CLOEXEC) == 3) failure = 3;
    if (failure == 3 && ::close_range(4, ~0U, 0) == 0) {
      ::execve(prepared.program, prepared.arguments.data(), prepared.environment.data());
    }
  }
  const int code = errno;
  (void)!::write(failure, &code, sizeof code);
  ::_exit(127);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// The child while it runs; the group is killed and the child reaped at the end at the latest.
class Child {
 public:
  Child(pid_t pid, UniqueFd output) : pid_(pid), output_(std::move(output)) {
    pidfd_.reset(::pidfd_open(pid, 0));
  }
  ~Child() {
    kill_group();
    if (status_) ::waitpid(pid_, nullptr, 0);  // ended already: does not block
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Until it has ended (true), the time is over, or `give_up_fd` (-1: none) is readable.
  bool wait(SteadyTime until, int give_up_fd) {
    while (true) {
      read_output();
      if (ended()) return true;
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      if (left.count() <= 0) return false;
      pollfd fds[]{{pidfd_.get(), POLLIN, 0}, {give_up_fd, POLLIN, 0}, {output_.get(), POLLIN, 0}};
      // Without a pidfd it is asked now and then.
      const auto most = pidfd_ ? left.count() : std::min<long>(left.count(), 50);
      if (::poll(fds, 3, static_cast<int>(most)) > 0 && fds[1].revents != 0) return ended();
      if (fds[2].revents != 0 && (fds[2].revents & POLLIN) == 0) output_.reset();
    }
  }
  // The pid stays taken, so this hits its group and no other, until the child is reaped.
  void kill_group() const {
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);  // before its setsid() it had no group
  }
  // How it ended, as waitid(2) says; only after wait() said that it has.
  const siginfo_t& status() const { return *status_; }
  const std::string& output() const { return kept_; }

 private:
  bool ended() {
    siginfo_t info{};
    if (!status_ &&
        ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == pid_) {
      status_ = info;
      read_output();
    }
    return status_.has_value();
  }
  void read_output() {
    char buffer[4096];
    const ssize_t n = output_ ? ::read(output_.get(), buffer, sizeof buffer) : 0;
    if (n <= 0) return;
    kept_.append(buffer, static_cast<std::size_t>(n));
    read_ += static_cast<std::size_t>(n);
    if (read_ > kOutputRead) output_.reset();
    if (kept_.size() > kOutputKept) kept_.erase(0, kept_.size() - kOutputKept);
  }

  const pid_t pid_;
  UniqueFd pidfd_;
  UniqueFd output_;
  std::string kept_;  // the last of it
  std::size_t read_ = 0;
  std::optional<siginfo_t> status_;
};

// ", having said \"...\"": the last line that it printed.
std::string said(const std::string& output) {
  const std::string_view text = trim(output);
  const std::string_view line = text.substr(text.rfind('\n') + 1);  // npos + 1: from the start
  return line.empty() ? "" : fmt::format(", having said \"{}\"", printable(line, kSaidLimit));
}

HookOutcome outcome_of(const Child& child, const UniqueFd& failure) {
  int code = 0;
  if (::read(failure.get(), &code, sizeof code) == sizeof code) {
    return {End::failed, fmt::format("cannot be run: {}", std::strerror(code))};
  }
  const siginfo_t& status = child.status();
  if (status.si_code == CLD_EXITED && status.si_status == 0) return {};
  const auto how = status.si_code == CLD_EXITED
                       ? fmt::format("exit status {}", status.si_status)
                       : fmt::format("killed by SIG{}", sigabbrev_np(status.si_status));
  return {End::failed, how + said(child.output())};
}

HookOutcome watch(Child& child, const UniqueFd& failure, Seconds timeout, int give_up_fd) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  if (child.wait(until, give_up_fd)) return outcome_of(child, failure);
  const bool over = std::chrono::steady_clock::now() >= until;
  child.kill_group();
  const bool died = child.wait(std::chrono::steady_clock::now() + kDyingTakes, -1);
  const std::string why = fmt::format("killed after {} s{}{}", timeout.count(),
                                      died ? "" : ", and still not dead", said(child.output()));
  return over ? HookOutcome{End::timed_out, why} : HookOutcome{End::given_up, {}};
}

}  // namespace

std::vector<std::string> hook_environment(const Event& event) {
  std::vector<std::string> out{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                               "IDLEWARDEN_MESSAGE=" + to_human_line(event)};
  const nlohmann::ordered_json members = to_json(event);
  for (const auto& [name, value] : members.items()) {
    if (value.is_null()) continue;
    std::string upper = name;
    std::ranges::transform(upper, upper.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    });
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    out.push_back(fmt::format("IDLEWARDEN_{}={}", upper, text));
  }
  return out;
}

HookOutcome run_hook(const Hooks& hooks, const Event& event, int give_up_fd) {
  const auto failed = [](const Error& error) { return HookOutcome{End::failed, error.text()}; };
  // It was so when the policy was read; since then it may have been replaced.
  if (auto good = check_trusted_program(Root(), hooks.on_event); !good) return failed(good.error());
  auto input = make_pipe();
  auto output = make_pipe();
  auto failure = make_pipe();
  for (const auto* pipe : {&input, &output, &failure}) {
    if (!*pipe) return failed(pipe->error());
  }
  // Less than a pipe holds, so that it is all in there before anybody reads.
  const std::string line = to_json_line(event) + "\n";
  if (::write(input->write.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    return failed(fail_errno("cannot hand it the event").error());
  }
  input->write.reset();
  // Its own ends do not return early (O_NONBLOCK belongs to the open file, which is this pipe's
  // end).
  if (::fcntl(input->read.get(), F_SETFL, 0) != 0 ||
      ::fcntl(output->write.get(), F_SETFL, O_WRONLY) != 0) {
    return failed(fail_errno("cannot make its pipes").error());
  }

  std::vector<std::string> arguments{hooks.on_event, std::string(to_string(event.type))};
  std::vector<std::string> environment = hook_environment(event);
  const Prepared prepared{.program = hooks.on_event.c_str(),
                          .arguments = pointers(arguments),
                          .environment = pointers(environment),
                          .cpu_seconds = static_cast<rlim_t>(hooks.timeout.count()),
                          .input = input->read.get(),
                          .output = output->write.get(),
                          .failure = failure->write.get()};
  const pid_t pid = ::fork();
  if (pid == 0) child(prepared);
  if (pid < 0) return failed(fail_errno("cannot fork").error());
  Child running(pid, std::move(output->read));
  output->write.reset();
  return watch(running, failure->read, hooks.timeout, give_up_fd);
}

}  // namespace idlewarden

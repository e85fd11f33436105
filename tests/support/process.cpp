// SPDX-License-Identifier: Apache-2.0
#include "support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "support/temp_dir.h"

namespace idlewarden::test {
namespace {

[[noreturn]] void become(const std::vector<std::string>& argv,
                         const std::map<std::string, std::string>& environment,
                         void (*before_exec)() = nullptr) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Nothing of the test runner's, or of who started that.
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  std::vector<char*> raw;
  for (const std::string& argument : argv) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
  if (before_exec != nullptr) before_exec();
  ::execvp(raw[0], raw.data());
  ::_exit(127);
}

std::string slurp(const std::string& file) {
  std::ostringstream out;
  out << std::ifstream(file).rdbuf();
  return out.str();
}

}  // namespace

bool emulated() {
  return std::getenv("IDLEWARDEN_SLOW") != nullptr;
}

std::chrono::milliseconds patience(std::chrono::milliseconds timeout) {
  return emulated() ? 10 * timeout : timeout;
}

Process::Process(const std::vector<std::string>& argv, const std::string& output_file,
                 const std::map<std::string, std::string>& environment, int input,
                 void (*before_exec)()) {
  pid_ = ::fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ == 0) {
    const int out = ::open(output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    const int in = input >= 0 ? input : ::open("/dev/null", O_RDONLY);
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(out, 2);
    become(argv, environment, before_exec);
  }
  meant_ = pid_;
}

Process::~Process() {
  if (running()) stop();
}

bool Process::running() {
  if (!status_) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
  }
  return !status_;
}

void Process::signal(int number) const {
  ::kill(meant_, number);
}

std::optional<int> Process::wait(std::chrono::milliseconds timeout) {
  const auto until = std::chrono::steady_clock::now() + patience(timeout);
  while (running() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(10ms);
  return status_;
}

int Process::stop(std::chrono::seconds grace) {
  if (running()) {
    signal(SIGTERM);
    if (!wait(grace)) {
      signal(SIGKILL);
      wait(10s);
    }
  }
  return status_.value_or(-1);
}

Finished run(const std::vector<std::string>& argv, std::chrono::seconds timeout) {
  const TempDir dir;
  const std::string file = dir.path() + "/output";
  Process process(argv, file);
  const auto status = process.wait(timeout);
  if (!status) throw std::runtime_error(argv[0] + " did not end in time:\n" + slurp(file));
  return {*status, slurp(file)};
}

PipedProcess::PipedProcess(const std::vector<std::string>& argv) {
  char name[] = "/tmp/iw-output-XXXXXX";
  const int file = ::mkstemp(name);
  int ends[2];
  if (file < 0 || ::pipe2(ends, O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe");
  }
  ::close(file);
  file_ = name;
  input_ = ends[1];
  process_ = std::make_unique<Process>(argv, file_, std::map<std::string, std::string>(), ends[0]);
  ::close(ends[0]);
}

PipedProcess::~PipedProcess() {
  end_input();
  process_->stop();
  ::unlink(file_.c_str());
}

void PipedProcess::tell(const std::string& text) const {
  if (::write(input_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw std::system_error(errno, std::generic_category(), "telling a process");
  }
}

void PipedProcess::end_input() {
  if (input_ >= 0) ::close(std::exchange(input_, -1));
}

std::string PipedProcess::output() const {
  return slurp(file_);
}

bool PipedProcess::wait_for(const std::string& text, std::chrono::milliseconds timeout) {
  const auto until = std::chrono::steady_clock::now() + patience(timeout);
  while (output().find(text) == std::string::npos) {
    if (!running() || std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

PtyProcess::PtyProcess(const std::vector<std::string>& argv,
                       const std::map<std::string, std::string>& environment) {
  winsize size{};
  size.ws_row = 24;
  size.ws_col = 80;
  pid_ = ::forkpty(&master_, nullptr, nullptr, &size);
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "forkpty");
  if (pid_ == 0) become(argv, environment);
  ::fcntl(master_, F_SETFD, FD_CLOEXEC);
  reader_ = std::jthread([this] { read_all(); });
}

PtyProcess::~PtyProcess() {
  if (running()) ::kill(pid_, SIGKILL);
  reader_.join();
  ::close(master_);
}

void PtyProcess::read_all() {
  char buffer[4096];
  while (true) {
    pollfd p{.fd = master_, .events = POLLIN, .revents = 0};
    ::poll(&p, 1, 20);
    if ((p.revents & POLLIN) != 0) {
      const ssize_t n = ::read(master_, buffer, sizeof buffer);
      if (n > 0) {
        std::string reply;
        {
          const std::lock_guard lock(mutex_);
          output_.append(buffer, static_cast<std::size_t>(n));
          for (const auto& [query, answer] : answers_) {
            for (auto at = output_.find(query, answered_up_to_); at != std::string::npos;
                 at = output_.find(query, at + query.size())) {
              reply += answer;
            }
          }
          answered_up_to_ = output_.size();
        }
        if (!reply.empty() && ::write(master_, reply.data(), reply.size()) < 0) return;
        continue;
      }
    }
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      const std::lock_guard lock(mutex_);
      ended_at_ = std::chrono::steady_clock::now();
      return;
    }
    if ((p.revents & POLLHUP) != 0) std::this_thread::sleep_for(5ms);
  }
}

void PtyProcess::type(const std::string& keys) {
  if (::write(master_, keys.data(), keys.size()) != static_cast<ssize_t>(keys.size())) {
    throw std::system_error(errno, std::generic_category(), "typing");
  }
}

void PtyProcess::resize(unsigned short rows, unsigned short columns) {
  const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  if (::ioctl(master_, TIOCSWINSZ, &size) != 0) {
    throw std::system_error(errno, std::generic_category(), "resizing a terminal");
  }
}

void PtyProcess::answer(const std::string& query, const std::string& reply) {
  const std::lock_guard lock(mutex_);
  answers_[query] = reply;
}

std::string PtyProcess::output() const {
  const std::lock_guard lock(mutex_);
  return output_;
}

bool PtyProcess::wait_for(const std::string& text, std::chrono::milliseconds timeout) const {
  const auto until = std::chrono::steady_clock::now() + patience(timeout);
  while (output().find(text) == std::string::npos) {
    if (!running() || std::chrono::steady_clock::now() > until) {
      return output().find(text) != std::string::npos;
    }
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

std::optional<SteadyTime> PtyProcess::ended_at() const {
  const std::lock_guard lock(mutex_);
  return ended_at_;
}

bool PtyProcess::wait_end(std::chrono::milliseconds timeout) const {
  const auto until = std::chrono::steady_clock::now() + timeout;
  while (running() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(5ms);
  return !running();
}

}  // namespace idlewarden::test

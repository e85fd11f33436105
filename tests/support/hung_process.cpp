// SPDX-License-Identifier: Apache-2.0
#include "support/hung_process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <system_error>
#include <thread>

#include "base/unique_fd.h"

namespace idlewarden::test {
namespace {

[[noreturn]] void hang_in_exec(uid_t user, const std::string& file) {
  const int silent = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (silent < 0 || ::setresuid(user, user, user) != 0) ::_exit(1);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::execl("/bin/sleep", "sleep", "1000", nullptr);
  ::_exit(1);
}

[[noreturn]] void hang_in_memory(uid_t user, const std::string& file) {
  const int silent = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  const int memory = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  void* const page = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, silent, 0);
  if (silent < 0 || memory < 0 || page == MAP_FAILED) ::_exit(1);
  if (::setresuid(user, user, user) != 0) ::_exit(1);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // which a change of the user would take back
  // A page fault of its own would let go of the lock meanwhile.
  std::thread([&] {
    char byte = 0;
    [[maybe_unused]] const auto read =
        ::pread(memory, &byte, 1, static_cast<off_t>(reinterpret_cast<std::uintptr_t>(page)));
    ::_exit(0);
  }).detach();
  while (true) {
    void* const more = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ::usleep(1000);
    ::munmap(more, 4096);
  }
}

bool waits_for_its_memory(pid_t pid) {
  std::string line;
  std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/stat"), line);
  return line.find(") D ") != std::string::npos;
}

// It has the memory of the program already, with nothing in it, and its name not yet. To look at
// its links, or at its stat in newer kernels, would be to hang too.
bool waits_in_exec(pid_t pid) {
  const std::string process = "/proc/" + std::to_string(pid);
  std::string name;
  std::string state;
  std::string arguments;
  std::getline(std::ifstream(process + "/comm"), name);
  std::getline(std::ifstream(process + "/cmdline"), arguments);
  std::ifstream status(process + "/status");
  while (std::getline(status, state) && !state.starts_with("State:")) {
  }
  return name != "sleep" && arguments.empty() && status && !state.contains('Z');
}

// For good: several times in a row.
bool hangs(pid_t pid, HungProcess::In in) {
  int seen = 0;
  for (int i = 0; i < 500 && seen < 10; ++i) {
    ::usleep(10'000);
    const bool now = in == HungProcess::In::exec ? waits_in_exec(pid) : waits_for_its_memory(pid);
    seen = now ? seen + 1 : 0;
  }
  return seen == 10;
}

}  // namespace

HungProcess::HungProcess(uid_t user, In in) {
  if (!own_mounts()) {
    why_not_ = "cannot have mounts of its own";
    return;
  }
  // Before the threads of the file system: what is forked from many may start none of its own.
  int begin[2];
  if (::pipe2(begin, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category());
  pid_ = ::fork();
  if (pid_ == 0) {
    ::close(begin[1]);
    char word = 0;
    if (::read(begin[0], &word, 1) != 1) ::_exit(1);
    // As who has logged in.
    std::ofstream("/proc/self/loginuid") << user;
    const std::string file = folder_.path() + "/" + SilentFs::kOpened;
    in == In::exec ? hang_in_exec(user, file) : hang_in_memory(user, file);
  }
  ::close(begin[0]);
  const UniqueFd teller(begin[1]);
  silent_ = std::make_unique<SilentFs>(folder_.path());
  why_not_ = silent_->why_not();
  if (!why_not_.empty()) return;
  [[maybe_unused]] const auto told = ::write(teller.get(), "!", 1);
  if (!hangs(pid_, in)) why_not_ = "a process did not hang";
  silent_->go_after(std::chrono::seconds(10));
}

HungProcess::~HungProcess() {
  if (pid_ > 0) ::kill(pid_, SIGKILL);
  silent_.reset();
  if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
}

}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
#include "support/far_tree.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>

namespace idlewarden::test {

FarTree::FarTree() {
  if (!own_mounts()) {
    why_not_ = "cannot have mounts of its own";
    return;
  }
  int there[2];
  char word = 0;
  if (::pipe2(there, O_CLOEXEC) != 0) why_not_ = std::strerror(errno);
  if (!why_not_.empty()) return;
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::chroot(folder_.path().c_str()) != 0 || ::write(there[1], "!", 1) != 1) ::_exit(1);
    while (true) ::pause();
  }
  ::close(there[1]);
  if (::read(there[0], &word, 1) != 1) why_not_ = "cannot have a root of its own";
  ::close(there[0]);
}

FarTree::~FarTree() {
  recover();
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void FarTree::link(const std::string& path, const std::string& target) const {
  const std::filesystem::path at = folder_.path() + "/" + path;
  std::filesystem::create_directories(at.parent_path());
  std::filesystem::create_symlink(target, at);
}

void FarTree::stall(const std::string& folder) {
  silent_ = std::make_unique<SilentFs>(folder_.path() + "/" + folder);
  why_not_ = silent_->why_not();
  silent_->go_after(std::chrono::seconds(10));
}

void FarTree::break_off(const std::string& folder) {
  silent_ = std::make_unique<SilentFs>(folder_.path() + "/" + folder);
  why_not_ = silent_->why_not();
  if (why_not_.empty()) silent_->break_off();
}

void FarTree::recover() {
  silent_.reset();
}

}  // namespace idlewarden::test

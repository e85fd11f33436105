// SPDX-License-Identifier: Apache-2.0
#include "support/doors.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include "support/loopback.h"
#include "support/ssh.h"

namespace idlewarden::test {
namespace {

[[noreturn]] void serve(int listener, const std::vector<std::string>& argv) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGCHLD, SIG_IGN);  // reaps
  std::vector<char*> raw;
  for (const std::string& argument : argv) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  while (true) {
    const int connection = ::accept(listener, nullptr, nullptr);
    if (connection < 0) continue;
    if (::fork() == 0) {
      ::signal(SIGCHLD, SIG_DFL);
      for (const int fd : {0, 1, 2}) ::dup2(connection, fd);
      ::close(connection);
      ::close(listener);
      ::execv(raw[0], raw.data());
      ::_exit(127);
    }
    ::close(connection);
  }
}

}  // namespace

DropbearServer::DropbearServer(const std::string& executable) : port_(free_port()) {
  const std::string host_key = dir_.path() + "/host_key";
  const Finished made = run({"dropbearkey", "-t", "ed25519", "-f", host_key});
  if (made.status != 0) throw std::runtime_error("dropbearkey: " + made.output);
  make_key(dir_.path() + "/client_key");
  process_ =
      std::make_unique<Process>(std::vector<std::string>{executable, "-F", "-E", "-s", "-p",
                                                         "127.0.0.1:" + std::to_string(port_), "-r",
                                                         host_key, "-P", dir_.path() + "/pid"},
                                dir_.path() + "/log");
  const auto until = std::chrono::steady_clock::now() + patience(20s);
  while (!is_listening(port_)) {
    if (!process_->running() || std::chrono::steady_clock::now() > until) {
      throw std::runtime_error("dropbear did not start: " + log());
    }
    std::this_thread::sleep_for(20ms);
  }
}

void DropbearServer::authorize(const Account& account) const {
  prepare_home(account, dir_.path() + "/client_key");
}

std::vector<std::string> DropbearServer::client(const Account& account) const {
  return ssh_client(port_, dir_.path() + "/client_key", account);
}

std::string DropbearServer::log() const {
  std::ostringstream out;
  out << std::ifstream(dir_.path() + "/log").rdbuf();
  return out.str();
}

InetServer::InetServer(std::vector<std::string> argv) {
  const LoopbackListener listener;
  port_ = listener.port;
  pid_ = ::fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ == 0) serve(listener.fd.get(), argv);
}

InetServer::~InetServer() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

MoshServer parse_mosh_server(const std::string& output) {
  std::smatch connect;
  std::smatch detached;
  if (!std::regex_search(output, connect, std::regex("MOSH CONNECT ([0-9]+) (\\S+)")) ||
      !std::regex_search(output, detached, std::regex("detached, pid = ([0-9]+)"))) {
    throw std::runtime_error("no mosh-server in: " + output);
  }
  return {connect[1], connect[2], std::stoi(detached[1])};
}

std::string missing(const std::vector<std::string>& programs) {
  std::string names;
  for (const std::string& program : programs) {
    const Finished found = run({"sh", "-c", "command -v \"$0\"", program});
    if (found.status != 0) names += (names.empty() ? "" : ", ") + program;
  }
  return names.empty() ? names : "not installed here: " + names;
}

void adopt_orphans() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
    throw std::system_error(errno, std::generic_category(), "PR_SET_CHILD_SUBREAPER");
  }
}

}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
#include "support/ssh.h"

#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace idlewarden::test {

void make_key(const std::string& file) {
  const Finished made = run({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file});
  if (made.status != 0) throw std::runtime_error("ssh-keygen: " + made.output);
}

void prepare_home(const Account& account, const std::string& key_file) {
  if (!key_file.empty()) {
    std::ostringstream key;
    key << std::ifstream(key_file + ".pub").rdbuf();
    write_host_file(account.home + "/.ssh/authorized_keys", key.str());
  }
  write_host_file(account.home + "/.hushlogin", "");
  write_host_file(account.home + "/.bash_profile",
                  "[ -f ~/.bashrc ] && . ~/.bashrc\nPS1='" + std::string(kPrompt) + "'\n");
}

std::vector<std::string> client_options(int port, const std::string& key_file) {
  return {"-F", "/dev/null",
          "-i", key_file,
          "-o", "Port=" + std::to_string(port),
          "-o", "StrictHostKeyChecking=no",
          "-o", "UserKnownHostsFile=/dev/null",
          "-o", "LogLevel=ERROR",
          "-o", "KexAlgorithms=curve25519-sha256"};
}

std::vector<std::string> ssh_client(int port, const std::string& key_file, const Account& account,
                                    const std::vector<std::string>& options) {
  std::vector<std::string> argv{"ssh", "-tt"};
  const auto common = client_options(port, key_file);
  argv.insert(argv.end(), common.begin(), common.end());
  argv.insert(argv.end(), options.begin(), options.end());
  argv.push_back(account.name + "@127.0.0.1");
  return argv;
}

SshServer::SshServer(const std::string& settings, const std::string& sshd,
                     const std::vector<std::string>& within)
    : port_(free_port()) {
  make_key(dir_.path() + "/host_key");
  make_key(dir_.path() + "/client_key");
  dir_.file("sshd_config", "Port " + std::to_string(port_) + "\nListenAddress 127.0.0.1\nHostKey " +
                               dir_.path() +
                               "/host_key\nPidFile none\nUsePAM no\nPrintMotd no\nStrictModes no\n"
                               "Subsystem sftp internal-sftp\n" +
                               settings + "\n");
  argv_ = within;
  argv_.insert(argv_.end(), {sshd, "-D", "-e", "-f", config_file()});
  start();
}

void SshServer::restart_listener() {
  process_->signal(SIGKILL);
  process_->wait(patience(5s));
  start();
}

void SshServer::start() {
  process_ = std::make_unique<Process>(argv_, dir_.path() + "/log");
  const auto until = std::chrono::steady_clock::now() + patience(20s);
  while (!is_listening(port_)) {
    if (!process_->running() || std::chrono::steady_clock::now() > until) {
      throw std::runtime_error("sshd did not start: " + log());
    }
    std::this_thread::sleep_for(20ms);
  }
}

std::string SshServer::log() const {
  std::ostringstream out;
  out << std::ifstream(dir_.path() + "/log").rdbuf();
  return out.str();
}

void SshServer::authorize(const Account& account) const {
  prepare_home(account, dir_.path() + "/client_key");
}

std::vector<std::string> SshServer::client_options() const {
  return test::client_options(port_, dir_.path() + "/client_key");
}

std::vector<std::string> SshServer::client(const Account& account,
                                           const std::vector<std::string>& options) const {
  return ssh_client(port_, dir_.path() + "/client_key", account, options);
}

SshLogin::SshLogin(const SshServer& server, const Account& account,
                   const std::vector<std::string>& options, const Terminal& terminal)
    : asked_(std::chrono::steady_clock::now()) {
  const auto client = server.client(account, options);
  terminal_ =
      std::make_unique<PtyProcess>(terminal ? terminal(client) : client,
                                   std::map<std::string, std::string>{{"TERM", "xterm-256color"}});
  if (!terminal_->wait_for(kPrompt, 60s)) {
    throw std::runtime_error("no prompt; client:\n" + terminal_->output() + "\nserver:\n" +
                             server.log());
  }
  prompted_ = last_key_ = std::chrono::steady_clock::now();
}

void SshLogin::command(const std::string& line) {
  last_key_ = std::chrono::steady_clock::now();
  terminal_->type(line + "\r");
}

std::string SshLogin::tty() {
  command("tty");
  if (!terminal_->wait_for("/dev/pts/", 10s)) throw std::runtime_error(terminal_->output());
  std::this_thread::sleep_for(100ms);  // the rest of the line
  const std::string output = terminal_->output();
  std::smatch found;
  if (!std::regex_search(output, found, std::regex("/dev/pts/[0-9]+"))) {
    throw std::runtime_error("no tty in: " + output);
  }
  return found.str();
}

}  // namespace idlewarden::test

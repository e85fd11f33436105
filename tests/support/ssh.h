// SPDX-License-Identifier: Apache-2.0
// A real sshd on a high port of 127.0.0.1 with keys and a configuration of its own, and real ssh
// clients on ptys. Inside a private host (support/private_host.h) only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "support/loopback.h"
#include "support/private_host.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace idlewarden::test {

// What the shell of an account shows once prepare_home() was there.
inline constexpr const char* kPrompt = "ready> ";

void make_key(const std::string& file);
// A prompt that a test can wait for, nothing that the host's own files would print, and the public
// key in `key_file`.pub allowed in.
void prepare_home(const Account& account, const std::string& key_file = "");
// What ssh, sftp and scp all take.
std::vector<std::string> client_options(int port, const std::string& key_file);
// The command line of a client that logs in as this account.
std::vector<std::string> ssh_client(int port, const std::string& key_file, const Account& account,
                                    const std::vector<std::string>& options = {});

class SshServer {
 public:
  // `settings` is appended to what the test needs (port, keys, no PAM). If `within` is given it is
  // the command that is run, with sshd's command line as its last arguments.
  explicit SshServer(const std::string& settings, const std::string& sshd = "/usr/sbin/sshd",
                     const std::vector<std::string>& within = {});

  pid_t pid() const noexcept { return process_->pid(); }
  int port() const noexcept { return port_; }
  std::string config_file() const { return dir_.path() + "/sshd_config"; }
  std::string log() const;
  void authorize(const Account& account) const;  // lets the clients' key in
  void restart_listener();                       // alone: who is logged in stays
  std::vector<std::string> client_options() const;
  std::vector<std::string> client(const Account& account,
                                  const std::vector<std::string>& options = {}) const;

 private:
  void start();

  TempDir dir_;
  int port_ = 0;
  std::vector<std::string> argv_;
  std::unique_ptr<Process> process_;
};

// A person at an ssh client: logs in, waits for the prompt.
class SshLogin {
 public:
  // `terminal` makes of the client's command line that of a terminal in which the client runs.
  using Terminal = std::function<std::vector<std::string>(std::vector<std::string> client)>;
  SshLogin(const SshServer& server, const Account& account,
           const std::vector<std::string>& options = {}, const Terminal& terminal = {});

  PtyProcess& terminal() { return *terminal_; }
  SteadyTime asked() const noexcept { return asked_; }        // before the client was started
  SteadyTime prompted() const noexcept { return prompted_; }  // when the prompt was seen
  // Types a command and Enter; remembers when.
  void command(const std::string& line);
  SteadyTime last_key() const noexcept { return last_key_; }
  std::string tty();  // "/dev/pts/3", asked of the shell

 private:
  SteadyTime asked_;
  SteadyTime prompted_;
  SteadyTime last_key_;
  std::unique_ptr<PtyProcess> terminal_;
};

}  // namespace idlewarden::test

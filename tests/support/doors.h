// SPDX-License-Identifier: Apache-2.0
// Ways into a host other than OpenSSH's, on high ports of 127.0.0.1. Inside a private host only.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "support/private_host.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace idlewarden::test {

class DropbearServer {
 public:
  explicit DropbearServer(const std::string& executable = "/usr/sbin/dropbear");

  void authorize(const Account& account) const;
  std::vector<std::string> client(const Account& account) const;
  std::string log() const;

 private:
  TempDir dir_;
  int port_ = 0;
  std::unique_ptr<Process> process_;
};

// What inetd(8) does: a program for each connection, with the connection as its stdin and stdout.
// To be made before any thread is.
class InetServer {
 public:
  explicit InetServer(std::vector<std::string> argv);
  ~InetServer();
  InetServer(const InetServer&) = delete;
  InetServer& operator=(const InetServer&) = delete;

  int port() const noexcept { return port_; }

 private:
  pid_t pid_ = -1;
  int port_ = 0;
};

// What a mosh-server prints for its client: "MOSH CONNECT PORT KEY", "detached, pid = PID".
struct MoshServer {
  std::string port;
  std::string key;
  pid_t pid = 0;
};
MoshServer parse_mosh_server(const std::string& output);

// Empty if all of these programs are here, else which are not.
std::string missing(const std::vector<std::string>& programs);

// From now on processes that leave their parent (a mosh-server, a tmux server) become children of
// this one, so that `--only-host-pid` of this process covers them.
void adopt_orphans();

}  // namespace idlewarden::test

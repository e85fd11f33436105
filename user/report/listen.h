// SPDX-License-Identifier: Apache-2.0
// The sockets that the daemon listens on. Errors say in plain words what is in the way.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace idlewarden {

// Removes the socket from the file system, unless somebody else's has taken its place.
class SocketFile {
 public:
  SocketFile(std::string path, dev_t device, ino_t inode)
      : path_(std::move(path)), device_(device), inode_(inode) {}
  ~SocketFile();
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;

 private:
  std::string path_;
  dev_t device_;
  ino_t inode_;
};

struct Listener {
  UniqueFd fd;          // non-blocking, listening
  std::string address;  // as bound: "127.0.0.1:9477", "[::1]:9477" or the socket's path
  std::unique_ptr<SocketFile> file;  // of a unix socket
};

// "127.0.0.1:9477" or "[::1]:9477"; names are not resolved. Port 0: any free one.
// The error of an address that is none has no code.
Result<Listener> listen_tcp(const std::string& address);

// The listening TCP socket that the service manager opened for this process (sd_listen_fds(3)), if
// it did: so the process itself needs no network. Only the first call finds it.
Result<std::optional<Listener>> listen_passed();

// Mode 0600 from the first moment on; a missing folder is made with mode 0755. A socket that nobody
// answers on is replaced; one that is answered is an error, and so is a file that is no socket.
Result<Listener> listen_unix(const std::string& path);

// Blocking. code says why not: ENOENT, ECONNREFUSED, EACCES, ...
Result<UniqueFd> connect_unix(const std::string& path);

}  // namespace idlewarden

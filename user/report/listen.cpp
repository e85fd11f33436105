// SPDX-License-Identifier: Apache-2.0
#include "report/listen.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>

namespace idlewarden {
namespace {

constexpr int kBacklog = 128;

struct HostPort {
  std::string host;
  std::string port;
};

// nullopt when it is neither HOST:PORT nor [HOST]:PORT with a port of 0 to 65535.
std::optional<HostPort> split_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;  // an IPv6 address without brackets
  }
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size()) return std::nullopt;
  return HostPort{std::string(host), std::string(port)};
}

std::string bound_address(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  // The calls take a generic address; that is what sockaddr_storage is for.
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  char host[NI_MAXHOST] = "?";
  char port[NI_MAXSERV] = "?";
  if (::getsockname(fd, address, &length) == 0) {
    ::getnameinfo(address, length, host, sizeof host, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV);
  }
  if (storage.ss_family == AF_INET6) return fmt::format("[{}]:{}", host, port);
  return fmt::format("{}:{}", host, port);
}

std::unexpected<Error> bind_error(const std::string& address, const HostPort& wanted, int code) {
  Error error{.what = "cannot listen on " + address, .where = {}, .hint = {}, .code = code};
  if (code == EADDRINUSE) {
    error.what = fmt::format("port {} of {} is in use", wanted.port, wanted.host);
    error.hint = fmt::format(
        "`ss -ltnp sport = :{}` shows by whom; choose another with --metrics-listen ADDR:PORT, or "
        "none",
        wanted.port);
  } else if (code == EADDRNOTAVAIL) {
    error.hint = "this host has no such address";
  } else if (code == EACCES) {
    error.hint = "ports below 1024 need root";
  }
  return std::unexpected(std::move(error));
}

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail(fmt::format("\"{}\" cannot be a socket's path", path),
                fmt::format("1 to {} bytes long", sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Result<void> make_folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (folder.empty() || std::filesystem::exists(folder, error)) return {};
  if (!std::filesystem::create_directories(folder, error) && error) {
    return fail_errno("cannot make the folder " + folder.string(), error.value());
  }
  // Whatever the umask is: the socket guards itself, and its folder hides nothing.
  if (::chmod(folder.c_str(), 0755) != 0) {
    return fail_errno("cannot set the mode of " + folder.string());
  }
  return {};
}

// Makes way for a new socket at `path`.
Result<void> clear_stale(const std::string& path) {
  struct stat there {};
  if (::lstat(path.c_str(), &there) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno("cannot look at " + path);
  }
  if (!S_ISSOCK(there.st_mode)) {
    return fail(path + " exists and is no socket", "remove it, or choose another --socket PATH");
  }
  const auto answered = connect_unix(path);
  if (answered || answered.error().code != ECONNREFUSED) {
    return fail("another daemon answers on " + path,
                "stop it (`systemctl stop idlewarden`), or choose another --socket PATH");
  }
  if (::unlink(path.c_str()) != 0) return fail_errno("cannot remove the stale socket " + path);
  return {};
}

}  // namespace

SocketFile::~SocketFile() {
  struct stat there {};
  if (::lstat(path_.c_str(), &there) == 0 && there.st_dev == device_ && there.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
}

Result<Listener> listen_tcp(const std::string& address) {
  const auto wanted = split_address(address);
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int looked = wanted
                         ? ::getaddrinfo(wanted->host.c_str(), wanted->port.c_str(), &hints, &found)
                         : EAI_NONAME;
  if (looked == EAI_SYSTEM || looked == EAI_MEMORY) {
    return fail_errno("cannot listen on " + address, looked == EAI_MEMORY ? ENOMEM : errno);
  }
  if (looked != 0) {
    return fail(fmt::format("\"{}\" is no address and port to listen on", address),
                "write 127.0.0.1:9477, [::1]:9477 or none");
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  UniqueFd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) {
    auto error = fail_errno("cannot make a socket for " + address).error();
    // RestrictAddressFamilies=, systemd.exec(5)
    if (error.code == EAFNOSUPPORT) {
      error.hint =
          "`systemctl status idlewarden.socket` says why it listens for nobody; once that is "
          "mended: "
          "`systemctl stop idlewarden.socket idlewarden && systemctl start idlewarden`";
    }
    return std::unexpected(std::move(error));
  }
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // past TIME_WAIT; best effort
  if (::bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return bind_error(address, *wanted, errno);
  }
  std::string bound = bound_address(fd.get());
  return Listener{.fd = std::move(fd), .address = std::move(bound), .file = nullptr};
}

Result<std::optional<Listener>> listen_passed() {
  const int passed = ::sd_listen_fds(1);
  if (passed < 0) return fail_errno("cannot read LISTEN_FDS", -passed);
  if (passed == 0) return std::nullopt;
  UniqueFd fd(SD_LISTEN_FDS_START);
  const bool inet = ::sd_is_socket_inet(fd.get(), AF_UNSPEC, SOCK_STREAM, 1, 0) > 0;
  if (passed != 1 || !inet) {
    return fail("the service manager passed something else than one listening TCP socket",
                "idlewarden.socket is to have one ListenStream=ADDRESS:PORT");
  }
  if (::fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0)
    return fail_errno("cannot use the passed socket");
  std::string bound = bound_address(fd.get());
  return Listener{.fd = std::move(fd), .address = std::move(bound), .file = nullptr};
}

Result<Listener> listen_unix(const std::string& path) {
  const auto address = unix_address(path);
  if (!address) return std::unexpected(address.error());
  if (auto made = make_folder_of(path); !made) return std::unexpected(made.error());
  if (auto cleared = clear_stale(path); !cleared) return std::unexpected(cleared.error());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // bind(2) gives the file the mode of the socket, less the umask: it is never open to others, and
  // the umask of the whole process stays alone.
  if (!fd || ::fchmod(fd.get(), 0600) != 0) return fail_errno("cannot make a socket for " + path);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return fail_errno("cannot listen on " + path);
  }
  struct stat made {};
  if (::lstat(path.c_str(), &made) != 0) return fail_errno("cannot look at " + path);
  return Listener{.fd = std::move(fd),
                  .address = path,
                  .file = std::make_unique<SocketFile>(path, made.st_dev, made.st_ino)};
}

Result<UniqueFd> connect_unix(const std::string& path) {
  const auto address = unix_address(path);
  if (!address) return std::unexpected(address.error());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("cannot make a socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    return fail_errno("cannot connect to " + path);
  }
  return fd;
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "report/client.h"

#include <fmt/format.h>
#include <httplib.h>
#include <signal.h>

#include "base/text.h"
#include "report/listen.h"

namespace idlewarden {
namespace {

// The library writes without MSG_NOSIGNAL. A signal that came meanwhile is taken, not delivered.
class SigpipeBlocked {
 public:
  SigpipeBlocked() {
    sigemptyset(&sigpipe_);
    sigaddset(&sigpipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
  }
  ~SigpipeBlocked() {
    const timespec now{};
    if (sigismember(&before_, SIGPIPE) == 0) sigtimedwait(&sigpipe_, nullptr, &now);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SigpipeBlocked(const SigpipeBlocked&) = delete;
  SigpipeBlocked& operator=(const SigpipeBlocked&) = delete;

 private:
  sigset_t sigpipe_{};
  sigset_t before_{};
};

std::unexpected<Error> unreachable(const std::string& socket, int code) {
  return std::unexpected(Error{.what = "cannot reach the daemon at " + printable(socket),
                               .where = {},
                               .hint = code == EACCES
                                           ? "its socket is for root only"
                                           : "is it running? `systemctl start idlewarden`",
                               .code = code});
}

// The library does not tell why it could not connect; this does.
Result<httplib::Client> connect(const std::string& socket, std::chrono::seconds silence) {
  if (const auto probe = connect_unix(socket); !probe) {
    // Without a code it is the path, which no daemon can have.
    if (probe.error().code == 0) return probe.error().during("cannot reach the daemon");
    return unreachable(socket, probe.error().code);
  }
  httplib::Client client(socket, 80);
  client.set_address_family(AF_UNIX);
  client.set_default_headers({{"Host", "localhost"}});  // not the path
  client.set_connection_timeout(std::chrono::seconds(2));
  client.set_read_timeout(silence);
  return client;
}

std::unexpected<Error> refused(int status, const std::string& body) {
  // A daemon that does not know the target at all says nothing about it.
  if (status == 404 && !trim(body).empty()) {
    return std::unexpected(
        Error{.what = printable(trim(body), 1024), .where = {}, .hint = {}, .code = ESRCH});
  }
  return fail(fmt::format("the daemon answered {}: {}", status, printable(trim(body), 1024)));
}

}  // namespace

std::string percent_encoded(std::string_view raw) {
  std::string out;
  for (const char c : raw) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

Result<std::string> fetch_unix(const std::string& socket, const std::string& target) {
  const SigpipeBlocked blocked;
  auto client = connect(socket, std::chrono::seconds(10));
  if (!client) return std::unexpected(client.error());
  const auto response = client->Get(target);
  if (!response) return unreachable(socket, ETIMEDOUT);
  if (response->status != 200) return refused(response->status, response->body);
  return response->body;
}

Result<void> follow_unix(const std::string& socket, const std::string& target,
                         const LineHandler& handler) {
  const SigpipeBlocked blocked;
  // Three times what the daemon lets pass without a sign of life.
  auto client = connect(socket, std::chrono::seconds(30));
  if (!client) return std::unexpected(client.error());
  int status = 0;
  bool enough = false;
  std::string pending;
  const auto response = client->Get(
      target,
      [&](const httplib::Response& head) {
        status = head.status;
        return true;
      },
      [&](const char* data, std::size_t size) {
        pending.append(data, size);
        if (status != 200) return true;  // the reason, for the error
        std::size_t begin = 0;
        for (std::size_t end; !enough && (end = pending.find('\n', begin)) != std::string::npos;
             begin = end + 1) {
          if (end > begin) enough = !handler(std::string_view(pending).substr(begin, end - begin));
        }
        pending.erase(0, begin);
        return !enough;
      });
  if (enough || (response && status == 200)) return {};
  if (status != 0 && status != 200) return refused(status, pending);
  if (status == 0) return unreachable(socket, ETIMEDOUT);
  return fail("the daemon at " + printable(socket) + " has ended the stream");
}

}  // namespace idlewarden

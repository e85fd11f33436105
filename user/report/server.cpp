// SPDX-License-Identifier: Apache-2.0
#include "report/server.h"

#include <fmt/format.h>
#include <httplib.h>
#include <poll.h>
#include <sys/socket.h>

#include <charconv>

#include "report/front_door.h"
#include "report/listen.h"
#include "report/render.h"
#include "report/what_if.h"

namespace idlewarden {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kWriteTimeout{5};       // for one piece of an answer
constexpr std::chrono::milliseconds kFollowWait{500};  // how soon a follower notices the end
constexpr std::chrono::seconds kHeartbeat{10};

// One request: its head was read already, the answer goes to the socket. There is no body to read.
class OneRequest final : public httplib::Stream {
 public:
  OneRequest(int socket, std::string_view head) : socket_(socket), head_(head) {}

  bool is_readable() const override { return !head_.empty(); }
  bool is_writable() const override {
    pollfd p{socket_, POLLOUT, 0};
    return ::poll(&p, 1, 0) >= 0 && (p.revents & (POLLHUP | POLLERR)) == 0;
  }
  ssize_t read(char* to, size_t size) override {
    const std::size_t n = head_.copy(to, size);
    head_.remove_prefix(n);
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* from, size_t size) override {
    const auto until = steady_clock::now() + kWriteTimeout;
    for (size_t sent = 0; sent < size;) {
      const ssize_t n = ::send(socket_, from + sent, size - sent, MSG_NOSIGNAL);
      if (n >= 0) {
        sent += static_cast<size_t>(n);
        continue;
      }
      if (errno != EAGAIN && errno != EINTR) return -1;
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(until - steady_clock::now());
      pollfd p{socket_, POLLOUT, 0};
      if (left.count() <= 0 || ::poll(&p, 1, static_cast<int>(left.count())) < 0) return -1;
    }
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override { nobody(ip, port); }
  void get_local_ip_and_port(std::string& ip, int& port) const override { nobody(ip, port); }
  // Only asked whether it fits into an fd_set, which nothing here uses.
  socket_t socket() const override { return 0; }

 private:
  static void nobody(std::string& ip, int& port) {
    ip.clear();
    port = 0;
  }

  int socket_;
  std::string_view head_;
};

// The library parses, routes and writes; accepting and waiting is the front door's.
class Http final : public httplib::Server {
 public:
  Http() {
    set_exception_handler([](const auto&, httplib::Response& response, std::exception_ptr) {
      response.status = 500;
    });
    svr_sock_ = 0;  // anything but INVALID_SOCKET: not shutting down
  }

  void answer(int socket, std::string_view head) noexcept {
    try {
      OneRequest stream(socket, head);
      bool closed = true;
      // No ranges: a thousand of them would have the answer repeated a thousand times.
      process_request(stream, true, closed, [](httplib::Request& r) { r.ranges.clear(); });
    } catch (...) {
      // Out of memory, at worst: the client sees its connection closed, the daemon lives on.
    }
  }

  // Ends streams at their next piece.
  void stop_streams() { svr_sock_ = INVALID_SOCKET; }
};

void set_text(httplib::Response& response, int status, const std::string& text) {
  response.status = status;
  response.set_content(text + "\n", "text/plain; charset=utf-8");
}

// A handler that answers from a fresh snapshot; 503 if there is none.
template <class Render>
httplib::Server::Handler from_snapshot(const SnapshotProvider& provider, const char* type,
                                       Render render) {
  return [provider, type, render](const httplib::Request& request, httplib::Response& response) {
    const auto snapshot = provider();
    if (!snapshot) return set_text(response, 503, snapshot.error().text());
    response.set_content(render(*snapshot, request), type);
  };
}

int number_or(const httplib::Request& request, const char* name, int otherwise) {
  const std::string text = request.get_param_value(name);
  int value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void add_common(Http& http, const SnapshotProvider& provider) {
  using Request = httplib::Request;
  http.Get("/metrics",
           from_snapshot(provider, "text/plain; version=0.0.4; charset=utf-8",
                         [](const Snapshot& s, const Request&) { return metrics_text(s); }));
  http.Get("/healthz",
           from_snapshot(provider, "text/plain; charset=utf-8",
                         [](const Snapshot&, const Request&) { return std::string("ok\n"); }));
}

void add_sessions(Http& http, const SnapshotProvider& provider) {
  using Request = httplib::Request;
  http.Get("/v1/sessions",
           from_snapshot(provider, "application/json", [](const Snapshot& s, const Request&) {
             return sessions_json(s) + "\n";
           }));
  http.Get("/v1/sessions.txt",
           from_snapshot(provider, "text/plain; charset=utf-8",
                         [](const Snapshot& s, const Request& request) {
                           const bool ascii = request.get_param_value("charset") == "ascii";
                           return sessions_table(s, number_or(request, "width", 0),
                                                 ascii ? Charset::ascii : Charset::utf8);
                         }));
  http.Get("/v1/sessions/(.+)", [provider](const Request& request, httplib::Response& response) {
    const auto snapshot = provider();
    if (!snapshot) return set_text(response, 503, snapshot.error().text());
    const auto row = find_session(*snapshot, request.matches[1]);
    if (!row) return set_text(response, 404, row.error().text());
    const bool text = request.get_param_value("format") == "text";
    response.set_content(
        (text ? explain_session_text(**row) : explain_session_json(*snapshot, **row)) + "\n",
        text ? "text/plain; charset=utf-8" : "application/json");
  });
  http.Get("/v1/status",
           from_snapshot(provider, "application/json",
                         [](const Snapshot& s, const Request&) { return status_json(s) + "\n"; }));
}

std::string lines_of(const std::vector<Event>& events, bool sentences) {
  std::string out;
  for (const Event& event : events) {
    out += sentences ? rfc3339(event.time) + " " + to_human_line(event) : to_json_line(event);
    out += "\n";
  }
  return out;
}

// Called again and again by the library until it returns false or the server stops.
class Follower {
 public:
  Follower(Reporter& reporter, bool sentences)
      : reporter_(reporter), sentences_(sentences), next_(reporter.latest()) {}

  bool operator()(size_t, httplib::DataSink& sink) {
    const Reporter::Batch batch = reporter_.wait_after(next_, kFollowWait);
    next_ = batch.next;
    std::string text = lines_of(batch.events, sentences_);
    // What a client has left behind unnoticed is found by writing to it.
    if (text.empty() && steady_clock::now() - spoken_ >= kHeartbeat) text = "\n";
    if (text.empty()) return sink.is_writable();
    spoken_ = steady_clock::now();
    return sink.write(text.data(), text.size());
  }

 private:
  Reporter& reporter_;
  bool sentences_;
  std::uint64_t next_;
  steady_clock::time_point spoken_ = steady_clock::now();
};

void add_events(Http& http, Reporter& reporter) {
  http.Get("/v1/events", [&reporter](const httplib::Request& request, httplib::Response& response) {
    const bool sentences = request.get_param_value("format") == "text";
    const char* const type = sentences ? "text/plain; charset=utf-8" : "application/x-ndjson";
    if (number_or(request, "follow", 0) == 0) {
      const auto batch = reporter.wait_after(0, std::chrono::milliseconds(0));
      return response.set_content(lines_of(batch.events, sentences), type);
    }
    response.set_chunked_content_provider(type, Follower(reporter, sentences));
  });
}

void add_idle_gaps(Http& http, const IdleGapsProvider& provider) {
  const auto answer = [provider](const char* type, auto render) {
    return [=](const httplib::Request& request, httplib::Response& response) {
      const auto asked = what_if_limits(request.get_param_value("limits"));
      if (!asked) return set_text(response, 400, asked.error().text());
      const auto gaps = provider();
      if (!gaps) return set_text(response, 503, gaps.error().text());
      response.set_content(render(what_if(*gaps, *asked), request), type);
    };
  };
  using Request = httplib::Request;
  http.Get("/v1/idle-gaps", answer("application/json", [](const WhatIf& w, const Request&) {
             return what_if_json(w) + "\n";
           }));
  http.Get("/v1/idle-gaps.txt",
           answer("text/plain; charset=utf-8", [](const WhatIf& w, const Request& request) {
             return what_if_text(w, number_or(request, "users", kUsersShown));
           }));
}

class HttpServer final : public Server {
 public:
  explicit HttpServer(std::unique_ptr<Http> http) : http_(std::move(http)) {}
  ~HttpServer() override {
    file_.reset();          // while the socket is open, its inode cannot become another's
    http_->stop_streams();  // the door, which goes next, waits for them
  }

  Result<void> start(Listener listener) {
    address_ = std::move(listener.address);
    file_ = std::move(listener.file);
    auto door = FrontDoor::open(
        std::move(listener.fd),
        [http = http_.get()](int socket, std::string_view head) { http->answer(socket, head); });
    if (!door) return std::unexpected(door.error());
    door_ = std::move(*door);
    return {};
  }
  std::string address() const override { return address_; }

 private:
  std::string address_;
  std::unique_ptr<SocketFile> file_;
  std::unique_ptr<Http> http_;
  std::unique_ptr<FrontDoor> door_;  // the last member: goes first
};

Result<std::unique_ptr<Server>> start(Result<Listener> listener, std::unique_ptr<Http> http) {
  if (!listener) return std::unexpected(listener.error());
  auto server = std::make_unique<HttpServer>(std::move(http));
  if (auto started = server->start(std::move(*listener)); !started) {
    return std::unexpected(started.error());
  }
  return server;
}

}  // namespace

Result<std::unique_ptr<Server>> serve_metrics(Result<Listener> listener,
                                              SnapshotProvider provider) {
  auto http = std::make_unique<Http>();
  add_common(*http, provider);
  http->Get("/", [](const httplib::Request&, httplib::Response& response) {
    set_text(response, 200, "idlewarden\n/metrics  for Prometheus\n/healthz  ok or 503");
  });
  return start(std::move(listener), std::move(http));
}

Result<std::unique_ptr<Server>> serve_metrics(const std::string& address,
                                              SnapshotProvider provider) {
  return serve_metrics(listen_tcp(address), std::move(provider));
}

Result<std::unique_ptr<Server>> serve_unix(const std::string& path, SnapshotProvider provider,
                                           Reporter& reporter, IdleGapsProvider gaps) {
  auto http = std::make_unique<Http>();
  add_common(*http, provider);
  add_sessions(*http, provider);
  add_events(*http, reporter);
  add_idle_gaps(*http, gaps);
  return start(listen_unix(path), std::move(http));
}

}  // namespace idlewarden

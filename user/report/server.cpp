// SPDX-License-Identifier: Apache-2.0
#include "report/server.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <climits>
#include <stdexcept>

#include "report/access.h"
#include "report/client.h"
#include "report/front_door.h"
#include "report/http.h"
#include "report/listen.h"
#include "report/page.h"
#include "report/render.h"
#include "report/what_if.h"

namespace idlewarden {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kFollowWait{500};  // how soon a follower notices the end
constexpr std::chrono::seconds kHeartbeat{10};
// In place of the status page.
constexpr const char* kPlainPage = "idlewarden\n/metrics  for Prometheus\n/healthz  ok or 503";

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

// Whether a request may see what names people.
using MayNamePeople = bool (*)(const Snapshot&, const httplib::Request&);

void add_common(Http& http, const SnapshotProvider& provider, MayNamePeople may) {
  using Request = httplib::Request;
  http.Get("/metrics", from_snapshot(provider, "text/plain; version=0.0.4; charset=utf-8",
                                     [may](const Snapshot& s, const Request& request) {
                                       return metrics_text(s, may(s, request));
                                     }));
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

Visitor visitor_of(const httplib::Request& request) {
  Visitor visitor{.local_address = request.local_addr,
                  .peer_address = request.remote_addr,
                  .hosts = {},
                  .authorization = request.get_header_value("Authorization"),
                  .token = request.get_param_value("token"),
                  .proxied = false};
  for (auto [it, end] = request.headers.equal_range("Host"); it != end; ++it) {
    visitor.hosts.push_back(it->second);
  }
  for (const char* header :
       {"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP"}) {
    visitor.proxied = visitor.proxied || request.has_header(header);
  }
  return visitor;
}

// What to do with a request that may see what names people.
using Shown = std::function<void(const Snapshot&, const httplib::Request&, httplib::Response&)>;

httplib::Server::Handler to_those_who_may(const SnapshotProvider& provider, Shown show) {
  return [provider, show = std::move(show)](const httplib::Request& request,
                                            httplib::Response& response) {
    const auto snapshot = provider();
    if (!snapshot) return set_text(response, 503, snapshot.error().text());
    const bool front_page = request.path == "/";
    if (snapshot->page == StatusPage::off) {
      return front_page ? set_text(response, 200, kPlainPage)
                        : set_text(response, 404, "the policy has [metrics] page = \"off\"");
    }
    const auto refused = refusal(*snapshot, visitor_of(request));
    if (!refused) return show(*snapshot, request, response);
    if (refused->status == 401) response.set_header("WWW-Authenticate", "Bearer");
    std::string text = front_page ? fmt::format("{}\n\n", kPlainPage) : "";
    set_text(response, refused->status, text + refused->text);
  };
}

// Unguessable, and another for each answer.
std::string fresh_nonce() {
  std::array<unsigned char, 16> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    throw std::runtime_error("getrandom");  // becomes a 500
  }
  return fmt::format("{:02x}", fmt::join(random, ""));
}

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "this host";
}

void add_page(Http& http, const SnapshotProvider& provider, Reporter& reporter) {
  using Request = httplib::Request;
  using Response = httplib::Response;
  const auto events = [&reporter] {
    return reporter.wait_after(0, std::chrono::milliseconds(0)).events;
  };
  // Never kept, never in a frame, never a part of somebody else's page.
  http.set_default_headers({{"Cache-Control", "no-store"},
                            {"X-Content-Type-Options", "nosniff"},
                            {"X-Frame-Options", "DENY"},
                            {"Referrer-Policy", "no-referrer"},
                            {"Cross-Origin-Resource-Policy", "same-origin"}});
  http.Get("/", to_those_who_may(provider, [events](const Snapshot& s, const Request& request,
                                                    Response& response) {
             const std::string token = request.get_param_value("token");
             const PageContext context{
                 .host = host_name(),
                 .nonce = fresh_nonce(),
                 .query = token.empty() ? "" : "?token=" + percent_encoded(token)};
             response.set_header("Content-Security-Policy", page_policy(context.nonce));
             response.set_content(status_page(s, events(), context), "text/html; charset=utf-8");
           }));
  http.Get("/api/v1/sessions",
           to_those_who_may(provider, [](const Snapshot& s, const Request&, Response& response) {
             response.set_content(sessions_json(s) + "\n", "application/json");
           }));
  http.Get("/api/v1/status",
           to_those_who_may(provider, [](const Snapshot& s, const Request&, Response& response) {
             response.set_content(status_json(s) + "\n", "application/json");
           }));
  http.Get("/api/v1/events", to_those_who_may(provider, [events](const Snapshot&, const Request&,
                                                                 Response& response) {
             response.set_content(lines_of(events(), false), "application/x-ndjson");
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
                                              const SnapshotProvider& provider,
                                              Reporter& reporter) {
  auto http = std::make_unique<Http>();
  add_common(*http, provider, [](const Snapshot& s, const httplib::Request& request) {
    return !refusal(s, visitor_of(request));
  });
  add_page(*http, provider, reporter);
  return start(std::move(listener), std::move(http));
}

Result<std::unique_ptr<Server>> serve_metrics(const std::string& address,
                                              const SnapshotProvider& provider,
                                              Reporter& reporter) {
  return serve_metrics(listen_tcp(address), provider, reporter);
}

Result<std::unique_ptr<Server>> serve_unix(const std::string& path,
                                           const SnapshotProvider& provider, Reporter& reporter,
                                           const IdleGapsProvider& gaps) {
  auto http = std::make_unique<Http>();
  // It is root's.
  add_common(*http, provider, [](const Snapshot&, const httplib::Request&) { return true; });
  add_sessions(*http, provider);
  add_events(*http, reporter);
  add_idle_gaps(*http, gaps);
  return start(listen_unix(path), std::move(http));
}

}  // namespace idlewarden

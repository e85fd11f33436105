// SPDX-License-Identifier: Apache-2.0
#include "support/http.h"

#include <fmt/format.h>
#include <httplib.h>

#include <stdexcept>
#include <thread>

namespace idlewarden::test {
namespace {

using Json = nlohmann::json;

httplib::Client client_of(int port) {
  httplib::Client client("127.0.0.1", port);
  client.set_connection_timeout(std::chrono::seconds(5));
  client.set_read_timeout(std::chrono::seconds(60));
  return client;
}

}  // namespace

std::string HttpAnswer::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

HttpAnswer http_get(int port, const std::string& target, const HttpHeaders& headers) {
  httplib::Headers sent(headers.begin(), headers.end());
  const auto response = client_of(port).Get(target, sent);
  if (!response) return {};
  return {.status = response->status,
          .body = response->body,
          .headers = {response->headers.begin(), response->headers.end()}};
}

Json http_json(const std::string& method, int port, const std::string& target, const Json& body) {
  auto client = client_of(port);
  const std::string sent = body.is_null() ? "" : body.dump();
  const auto response = method == "GET"    ? client.Get(target)
                        : method == "POST" ? client.Post(target, sent, "application/json")
                                           : client.Delete(target);
  if (!response || response->status != 200) {
    throw std::runtime_error(
        fmt::format("{} {}: {}", method, target, response ? response->body : "nobody answers"));
  }
  return Json::parse(response->body);
}

bool wait_for_http(int port, const std::string& target, std::chrono::seconds timeout) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  while (http_get(port, target).status != 200) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return true;
}

std::string percent_encoded(const std::string& raw) {
  std::string out;
  for (const char c : raw) {
    const auto byte = static_cast<unsigned char>(c);
    out += std::isalnum(byte) != 0 ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return out;
}

struct WebhookReceiver::Impl {
  httplib::Server server;
  std::thread thread;
  mutable std::mutex mutex;
  std::vector<Json> received;
};

WebhookReceiver::WebhookReceiver() : impl_(std::make_unique<Impl>()) {
  impl_->server.Post("/", [this](const httplib::Request& request, httplib::Response&) {
    const std::lock_guard lock(impl_->mutex);
    impl_->received.push_back(Json::parse(request.body));
  });
  port_ = impl_->server.bind_to_any_port("127.0.0.1");
  if (port_ <= 0) throw std::runtime_error("no port for the webhook receiver");
  impl_->thread = std::thread([this] { impl_->server.listen_after_bind(); });
}

WebhookReceiver::~WebhookReceiver() {
  impl_->server.stop();
  impl_->thread.join();
}

std::vector<Json> WebhookReceiver::received() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->received;
}

}  // namespace idlewarden::test

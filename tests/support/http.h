// SPDX-License-Identifier: Apache-2.0
// Asking servers on 127.0.0.1, and being one.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace idlewarden::test {

using HttpHeaders = std::map<std::string, std::string>;

struct HttpAnswer {
  int status = 0;  // 0: nobody answered
  std::string body;
  std::multimap<std::string, std::string> headers;
  std::string header(const std::string& name) const;  // empty: it has none
};

HttpAnswer http_get(int port, const std::string& target, const HttpHeaders& headers = {});
// GET, POST or DELETE of JSON; the answer's JSON. Throws if it is not a 200.
nlohmann::json http_json(const std::string& method, int port, const std::string& target,
                         const nlohmann::json& body = nullptr);
// Until it answers with a 200; false if that takes too long.
bool wait_for_http(int port, const std::string& target, std::chrono::seconds timeout);

std::string percent_encoded(const std::string& raw);

// Takes JSON that is POSTed to it and keeps it.
class WebhookReceiver {
 public:
  WebhookReceiver();
  ~WebhookReceiver();
  WebhookReceiver(const WebhookReceiver&) = delete;
  WebhookReceiver& operator=(const WebhookReceiver&) = delete;

  int port() const noexcept { return port_; }
  std::vector<nlohmann::json> received() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  int port_ = 0;
};

}  // namespace idlewarden::test

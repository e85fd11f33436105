// SPDX-License-Identifier: Apache-2.0
#include "support/browser.h"

#include <fstream>
#include <stdexcept>
#include <thread>

#include "support/doors.h"
#include "support/http.h"
#include "support/ssh.h"

namespace idlewarden::test {

using Json = nlohmann::json;

std::string Browser::missing() {
  const std::string programs = test::missing({"chromium", "chromedriver"});
  return programs.empty() ? "" : programs + " (Debian packages chromium, chromium-driver)";
}

Browser::Browser() : port_(free_port()) {
  driver_ = std::make_unique<Process>(
      std::vector<std::string>{"chromedriver", "--port=" + std::to_string(port_)},
      dir_.path() + "/log");
  if (!wait_for_http(port_, "/status", 60s)) throw std::runtime_error("chromedriver: no answer");
  // Without a sandbox because the tests are root; quiet because there is no network.
  Json arguments{"--headless",
                 "--no-sandbox",
                 "--disable-gpu",
                 "--disable-quic",
                 "--disable-dev-shm-usage",
                 "--no-first-run",
                 "--disable-background-networking",
                 "--disable-component-update",
                 "--disable-sync",
                 "--hide-scrollbars",
                 "--user-data-dir=" + dir_.path() + "/profile"};
  const Json wanted{{"browserName", "chrome"},
                    {"goog:loggingPrefs", {{"performance", "ALL"}, {"browser", "ALL"}}},
                    {"goog:chromeOptions", {{"args", std::move(arguments)}}}};
  session_ = http_json("POST", port_, "/session",
                       {{"capabilities", {{"alwaysMatch", wanted}}}})["value"]["sessionId"];
}

Browser::~Browser() {
  try {
    http_json("DELETE", port_, "/session/" + session_);  // ends the browser
  } catch (const std::exception&) {
    // The driver's end is the browser's, too.
  }
}

Json Browser::devtools(const std::string& command, const Json& parameters) {
  return http_json("POST", port_, "/session/" + session_ + "/goog/cdp/execute",
                   {{"cmd", command}, {"params", parameters}})["value"];
}

void Browser::open(const std::string& url, const Eyes& eyes) {
  devtools("Emulation.setDeviceMetricsOverride",
           {{"width", eyes.width}, {"height", 900}, {"deviceScaleFactor", 1}, {"mobile", false}});
  devtools("Emulation.setEmulatedMedia",
           {{"features",
             {{{"name", "prefers-color-scheme"}, {"value", eyes.dark ? "dark" : "light"}}}}});
  devtools("Emulation.setScriptExecutionDisabled", {{"value", !eyes.scripts}});
  http_json("POST", port_, "/session/" + session_ + "/url", {{"url", url}});
}

Json Browser::evaluate(const std::string& expression) {
  const Json answer =
      devtools("Runtime.evaluate", {{"expression", expression}, {"returnByValue", true}});
  if (answer.contains("exceptionDetails")) throw std::runtime_error(answer.dump());
  return answer["result"].value("value", Json());
}

bool Browser::wait_until(const std::string& expression, std::chrono::milliseconds timeout) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  while (evaluate(expression) != true) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(100ms);
  }
  return true;
}

void Browser::click(const std::string& selector) {
  const std::string base = "/session/" + session_ + "/element";
  const Json found =
      http_json("POST", port_, base, {{"using", "css selector"}, {"value", selector}})["value"];
  http_json("POST", port_, base + "/" + found.begin()->get<std::string>() + "/click",
            Json::object());
}

void Browser::screenshot(const std::string& file) {
  const Json picture = devtools("Page.captureScreenshot", {{"captureBeyondViewport", true}});
  const std::string encoded = dir_.file("picture", picture["data"].get<std::string>());
  const Finished done = run({"sh", "-c", "base64 -d <\"$1\" >\"$2\"", "sh", encoded, file});
  if (done.status != 0) throw std::runtime_error("cannot write " + file + ": " + done.output);
}

std::vector<std::pair<std::string, std::string>> Browser::accessibility() {
  std::vector<std::pair<std::string, std::string>> out;
  const Json tree = devtools("Accessibility.getFullAXTree");
  for (const Json& node : tree["nodes"]) {
    if (node.value("ignored", false)) continue;
    const auto text = [&](const char* key) {
      return node.contains(key) ? node[key].value("value", std::string()) : std::string();
    };
    out.emplace_back(text("role"), text("name"));
  }
  return out;
}

std::vector<Json> Browser::log(const std::string& type) {
  return http_json("POST", port_, "/session/" + session_ + "/se/log", {{"type", type}})["value"];
}

std::vector<std::string> Browser::requests() {
  std::vector<std::string> out;
  for (const Json& entry : log("performance")) {
    const Json message = Json::parse(entry["message"].get<std::string>())["message"];
    if (message["method"] != "Network.requestWillBeSent") continue;
    const Json& parameters = message["params"];
    // The tab that it begins with.
    if (parameters["documentURL"].get<std::string>().starts_with("chrome:")) continue;
    out.push_back(parameters["request"]["url"]);
  }
  return out;
}

std::vector<std::string> Browser::complaints() {
  std::vector<std::string> out;
  for (const Json& entry : log("browser")) out.push_back(entry["message"]);
  return out;
}

}  // namespace idlewarden::test

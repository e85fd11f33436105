// SPDX-License-Identifier: Apache-2.0
// A real browser without a window: Debian's Chromium, told what to do by its ChromeDriver
// (W3C WebDriver and the DevTools protocol, both JSON over HTTP on 127.0.0.1).
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"

namespace idlewarden::test {

struct Eyes {
  int width = 1400;
  bool dark = false;
  bool scripts = true;  // false: JavaScript is switched off
};

class Browser {
 public:
  using Json = nlohmann::json;

  // Empty if there is one, else why not.
  static std::string missing();

  Browser();  // throws if it does not start
  ~Browser();
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

  void open(const std::string& url, const Eyes& eyes = {});
  // The value of a JavaScript expression in the page; it works with the page's scripts off, too.
  Json evaluate(const std::string& expression);
  bool wait_until(const std::string& expression, std::chrono::milliseconds timeout);
  void click(const std::string& selector);
  void screenshot(const std::string& file);  // the whole page, PNG
  // The page's accessible nodes: {role, name} of each.
  std::vector<std::pair<std::string, std::string>> accessibility();
  // Since the last call: the addresses that were asked for, and what the console complains of.
  std::vector<std::string> requests();
  std::vector<std::string> complaints();

 private:
  Json devtools(const std::string& command, const Json& parameters = Json::object());
  std::vector<Json> log(const std::string& type);

  TempDir dir_;
  std::unique_ptr<Process> driver_;
  int port_ = 0;
  std::string session_;
};

}  // namespace idlewarden::test

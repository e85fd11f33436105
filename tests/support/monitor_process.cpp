// SPDX-License-Identifier: Apache-2.0
#include "support/monitor_process.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "support/confinement.h"

namespace idlewarden::test {
namespace fs = std::filesystem;
namespace {

std::size_t occurrences(const std::string& text, const std::string& word) {
  std::size_t count = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

}  // namespace

std::string binary() {
  const char* from_environment = std::getenv("IDLEWARDEN_BINARY");
  return from_environment != nullptr ? from_environment : IDLEWARDEN_BUILT_BINARY;
}

MonitorProcess::MonitorProcess(const MonitorOptions& options)
    : environment_(options.environment), guard_(options.guard) {
  if (options.only_host_pids.empty()) throw std::logic_error("a monitor without a scope");
  std::vector<std::string> argv = options.through;
  argv.insert(argv.end(),
              {binary(), "run", "--socket", socket(), "--pin-dir", options.pin_dir, "--state-dir",
               options.state_dir, "--metrics-listen", options.metrics_listen, "--backend",
               options.backend, "--events-file", dir_.path() + "/events"});
  if (!options.policy.empty()) {
    write_policy(options.policy);
    argv.insert(argv.end(), {"--config", dir_.path() + "/policy.toml"});
  }
  for (const pid_t pid : options.only_host_pids) {
    argv.insert(argv.end(), {"--only-host-pid", std::to_string(pid)});
  }
  argv.insert(argv.end(), options.more.begin(), options.more.end());
  argv_ = std::move(argv);
  writable_ = {dir_.path()};
  for (const std::string& more : {options.pin_dir, options.state_dir}) {
    if (more != "none") writable_.push_back(fs::path(more).parent_path());
  }
  dir_.file("events", "");
  start();
}

MonitorProcess::~MonitorProcess() {
  process_.reset();
  const std::string text = log();
  const auto found = std::min(text.find("Sanitizer: "), text.find("runtime error: "));
  if (found != std::string::npos) ADD_FAILURE() << text.substr(text.rfind('\n', found) + 1);
}

void MonitorProcess::start() {
  const auto told = [this] {
    return std::max(events("backend_changed").size(), occurrences(log(), "input is now seen by"));
  };
  const std::size_t before = told();
  // A gate is for the daemon itself, not for a service manager's client that waits for it.
  const auto unit = guard_ ? std::nullopt : confining_unit();
  std::optional<ConfinedService> service;
  if (unit) service.emplace(*unit, argv_, environment_, writable_);
  process_ = std::make_unique<Process>(service ? service->command() : argv_, dir_.path() + "/log",
                                       environment_, -1, guard_ ? &SyscallGate::enter : nullptr);
  if (guard_) {
    gate_ = std::make_unique<SyscallGate>(guard_);
    gate_->attach(process_->pid());
  }
  // Its first event says that the kernel side stands; one of its two ways out is enough.
  const auto until = std::chrono::steady_clock::now() + patience(60s);
  while (told() == before) {
    if (std::chrono::steady_clock::now() > until || !process_->running()) {
      throw NotStarted(log(), process_->wait(0ms));
    }
    std::this_thread::sleep_for(20ms);
  }
  if (!service) return;
  const auto pid = service->pid();
  if (!pid) throw std::runtime_error("the monitor's service has no process:\n" + log());
  process_->stand_for(*pid);
}

void MonitorProcess::kill() {
  process_->signal(SIGKILL);
  if (!process_->wait(10s)) throw std::runtime_error("the monitor survived SIGKILL");
}

void MonitorProcess::restart() {
  process_.reset();
  gate_.reset();
  start();
}

std::vector<MonitorProcess::Json> MonitorProcess::events() const {
  std::vector<Json> all;
  std::ifstream file(dir_.path() + "/events");
  for (std::string line; std::getline(file, line);) {
    if (!file.eof()) all.push_back(Json::parse(line));  // an unfinished last line is left out
  }
  return all;
}

std::vector<MonitorProcess::Json> MonitorProcess::events(const std::string& type) const {
  std::vector<Json> some;
  for (Json& event : events()) {
    if (event["event"] == type) some.push_back(std::move(event));
  }
  return some;
}

MonitorProcess::Json MonitorProcess::wait_event(const std::string& type,
                                                std::chrono::milliseconds timeout,
                                                const Predicate& predicate) const {
  const auto until = std::chrono::steady_clock::now() + patience(timeout);
  while (true) {
    for (Json& event : events(type)) {
      if (!predicate || predicate(event)) return event;
    }
    if (std::chrono::steady_clock::now() > until || !process_->running()) return nullptr;
    std::this_thread::sleep_for(20ms);
  }
}

MonitorProcess::Json MonitorProcess::sessions() const {
  Finished asked = run({binary(), "sessions", "--json", "--socket", socket()});
  // A daemon that is short of time says so, after 2 s.
  for (int i = 0; i < 5 && asked.output.find("did not answer within") != std::string::npos; ++i) {
    asked = run({binary(), "sessions", "--json", "--socket", socket()});
  }
  if (asked.status != 0) throw std::runtime_error("sessions: " + asked.output);
  return Json::parse(asked.output);
}

bool MonitorProcess::refuses() const {
#ifdef __SANITIZE_THREAD__
  return true;
#else
  const Finished asked = run({binary(), "sessions", "--socket", socket()});
  return asked.output.find("refused") != std::string::npos;
#endif
}

std::string MonitorProcess::metrics() const {
  // 503: a daemon that is short of time, or whose own call was made to fail, says so.
  const Finished asked = run({"curl", "-sS", "--fail", "--retry", "5", "--retry-delay", "1",
                              "--unix-socket", socket(), "http://localhost/metrics"});
  if (asked.status != 0) throw std::runtime_error("metrics: " + asked.output);
  return asked.output;
}

void MonitorProcess::write_policy(const std::string& toml) const {
  dir_.file("policy.toml", toml, 0600);
}

std::string MonitorProcess::log() const {
  std::ostringstream out;
  out << std::ifstream(dir_.path() + "/log").rdbuf();
  return out.str();
}

}  // namespace idlewarden::test

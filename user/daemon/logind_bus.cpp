// SPDX-License-Identifier: Apache-2.0
#include "daemon/logind_bus.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace idlewarden {
namespace {

constexpr const char* kService = "org.freedesktop.login1";
constexpr const char* kObject = "/org/freedesktop/login1";
constexpr const char* kManager = "org.freedesktop.login1.Manager";
constexpr const char* kSession = "org.freedesktop.login1.Session";
constexpr const char* kDriver = "org.freedesktop.DBus";
constexpr const char* kDriverObject = "/org/freedesktop/DBus";
constexpr const char* kLocal = "org.freedesktop.DBus.Local";

// A bus allows 128 unanswered calls (dbus-daemon(1), max_replies_per_connection).
constexpr std::size_t kMostAsked = 32;
constexpr std::chrono::seconds kFirstWait{1};
constexpr std::chrono::seconds kLongestWait{60};

bool is_not_there(const sd_bus_error* error) {
  return sd_bus_error_has_names(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER, SD_BUS_ERROR_SERVICE_UNKNOWN,
                                SD_BUS_ERROR_UNKNOWN_OBJECT,
                                "org.freedesktop.login1.NoSuchSession") != 0;
}

// One property of GetAll's answer, the message being at its value; others are skipped.
int read_property(sd_bus_message* m, const char* name, LogindSession& session) {
  const char* text = nullptr;
  int r = 0;
  if (std::strcmp(name, "Class") == 0) {
    r = sd_bus_message_read(m, "v", "s", &text);
    if (r >= 0) session.kind = text;
  } else if (std::strcmp(name, "Seat") == 0) {
    r = sd_bus_message_read(m, "v", "(so)", &text, nullptr);
    if (r >= 0) session.seat = text;
  } else if (std::strcmp(name, "Leader") == 0) {
    std::uint32_t pid = 0;
    r = sd_bus_message_read(m, "v", "u", &pid);
    session.leader = static_cast<pid_t>(pid);
  } else {
    r = sd_bus_message_skip(m, "v");
  }
  return r;
}

bool read_properties(sd_bus_message* m, LogindSession& session) {
  if (sd_bus_message_enter_container(m, 'a', "{sv}") < 0) return false;
  int r = 0;
  while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
    const char* name = nullptr;
    if (sd_bus_message_read(m, "s", &name) < 0 || read_property(m, name, session) < 0 ||
        sd_bus_message_exit_container(m) < 0) {
      return false;
    }
  }
  return r == 0;
}

}  // namespace

LogindBus::LogindBus(LogindSessions& sessions, Procfs procfs, std::function<void()> changed,
                     std::function<void(const std::string&)> warn)
    : sessions_(sessions),
      procfs_(std::move(procfs)),
      changed_(std::move(changed)),
      warn_(std::move(warn)),
      wait_(kFirstWait) {}

LogindBus::~LogindBus() = default;

template <LogindBus::Callback Method>
int LogindBus::call(sd_bus_message* message, void* self, sd_bus_error*) {
  return (static_cast<LogindBus*>(self)->*Method)(message);
}

void LogindBus::start(sd_event* event, std::chrono::milliseconds patience) {
  event_ = event;
  connect();
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!settled_) {
    const auto left = std::chrono::duration_cast<std::chrono::microseconds>(
        until - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    const int r = sd_bus_process(bus_.get(), nullptr);
    if (r < 0 ||
        (r == 0 && sd_bus_wait(bus_.get(), static_cast<std::uint64_t>(left.count())) < 0)) {
      break;
    }
  }
  started_ = true;
  told_version_ = sessions_.version();
}

bool LogindBus::connect() {
  question_.reset();
  asked_.clear();
  unasked_.clear();
  matches_.clear();
  owner_.clear();
  bus_.reset();
  sd_bus* bus = nullptr;
  const bool opened = sd_bus_open_system_with_description(&bus, "logind") >= 0;
  bus_.reset(bus);
  if (!opened || sd_bus_set_exit_on_disconnect(bus, 0) < 0 ||
      sd_bus_attach_event(bus, event_, SD_EVENT_PRIORITY_NORMAL) < 0 || !listen()) {
    try_again_later();
    return false;
  }
  return true;
}

bool LogindBus::listen() {
  sd_bus* const bus = bus_.get();
  const auto match = [&](const char* sender, const char* path, const char* interface,
                         const char* member, sd_bus_message_handler_t handler) {
    sd_bus_slot* slot = nullptr;
    const int r = sd_bus_match_signal_async(bus, &slot, sender, path, interface, member, handler,
                                            nullptr, this);
    matches_.emplace_back(slot);
    return r >= 0;
  };
  if (!match(nullptr, nullptr, kLocal, "Disconnected", call<&LogindBus::on_disconnected>) ||
      !match(kService, kObject, kManager, "SessionNew", call<&LogindBus::on_new>) ||
      !match(kService, kObject, kManager, "SessionRemoved", call<&LogindBus::on_removed>)) {
    return false;
  }
  const std::string owners = fmt::format(
      "type='signal',sender='{}',path='{}',interface='{}',member='NameOwnerChanged',"
      "arg0='{}'",
      kDriver, kDriverObject, kDriver, kService);
  sd_bus_slot* slot = nullptr;
  if (sd_bus_add_match_async(bus, &slot, owners.c_str(), call<&LogindBus::on_owner_changed>,
                             nullptr, this) < 0) {
    return false;
  }
  matches_.emplace_back(slot);
  slot = nullptr;
  const int r =
      sd_bus_call_method_async(bus, &slot, kDriver, kDriverObject, kDriver, "GetNameOwner",
                               call<&LogindBus::on_owner>, this, "s", kService);
  question_.reset(slot);
  return r >= 0;
}

void LogindBus::try_again_later() {
  settled_ = true;
  const auto usec = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(wait_).count());
  wait_ = std::min(wait_ * 2, kLongestWait);
  sd_event_source* source = nullptr;
  const auto again = [](sd_event_source*, std::uint64_t, void* self) {
    static_cast<LogindBus*>(self)->connect();
    return 0;
  };
  // It is the loop's own clock and memory: where this fails everything does.
  if (sd_event_add_time_relative(event_, &source, CLOCK_MONOTONIC, usec, 0, again, this) >= 0) {
    retry_.reset(source);
  }
}

int LogindBus::on_disconnected(sd_bus_message*) {
  owner_.clear();
  try_again_later();
  return 0;
}

void LogindBus::refused(sd_bus_message* answer, const char* what) {
  const sd_bus_error* const error = sd_bus_message_get_error(answer);
  if (is_not_there(error)) return;
  warn_(fmt::format("logind does not say {}: {}", what,
                    printable(error->message != nullptr ? error->message : error->name)));
  try_again_later();
}

int LogindBus::on_owner(sd_bus_message* answer) {
  const char* name = nullptr;
  if (sd_bus_message_is_method_error(answer, nullptr) != 0) {
    refused(answer, "who it is");
    settled_ = true;
  } else if (owner_.empty() && sd_bus_message_read(answer, "s", &name) >= 0) {
    set_owner(name);
  }
  return 0;
}

int LogindBus::on_owner_changed(sd_bus_message* signal) {
  const char* now = nullptr;
  const char* const sender = sd_bus_message_get_sender(signal);
  if (sender == nullptr || std::strcmp(sender, kDriver) != 0 ||
      sd_bus_message_read(signal, "sss", nullptr, nullptr, &now) < 0) {
    return 0;
  }
  set_owner(now);
  return 0;
}

// Whatever was asked of the one before will not be answered.
void LogindBus::set_owner(const char* name) {
  owner_ = name;
  asked_.clear();
  unasked_.clear();
  if (!owner_.empty()) list();
}

void LogindBus::list() {
  sd_bus_slot* slot = nullptr;
  // To the owner itself and not to the name, which would start a logind that is not there.
  if (sd_bus_call_method_async(bus_.get(), &slot, owner_.c_str(), kObject, kManager, "ListSessions",
                               call<&LogindBus::on_list>, this, "") < 0) {
    try_again_later();
  }
  question_.reset(slot);
}

int LogindBus::on_list(sd_bus_message* answer) {
  if (sd_bus_message_is_method_error(answer, nullptr) != 0) {
    refused(answer, "which sessions there are");
    return 0;
  }
  std::vector<std::string> ids;
  if (sd_bus_message_enter_container(answer, 'a', "(susso)") < 0) return 0;
  const char* id = nullptr;
  const char* path = nullptr;
  int r = 0;
  while ((r = sd_bus_message_read(answer, "(susso)", &id, nullptr, nullptr, nullptr, &path)) > 0) {
    ids.emplace_back(id);
    unasked_.emplace_back(id, path);
  }
  if (r < 0) return 0;  // half a list takes nothing back
  wait_ = kFirstWait;
  sessions_.retain(ids);
  ask_next();
  return 0;
}

void LogindBus::ask_next() {
  while (!unasked_.empty() && asked_.size() < kMostAsked) {
    const auto [session, path] = std::move(unasked_.front());
    unasked_.pop_front();
    auto question = std::make_unique<Question>(Question{this, session, nullptr});
    const auto answered = [](sd_bus_message* answer, void* userdata, sd_bus_error*) {
      auto* const asked = static_cast<Question*>(userdata);
      LogindBus* const self = asked->bus;
      const std::string whose = asked->session;
      // The one that is being answered goes on living until this returns.
      const auto kept = std::move(self->asked_[whose]);
      self->asked_.erase(whose);
      self->on_properties(whose, answer);
      return 0;
    };
    sd_bus_slot* slot = nullptr;
    if (sd_bus_call_method_async(bus_.get(), &slot, owner_.c_str(), path.c_str(),
                                 "org.freedesktop.DBus.Properties", "GetAll", answered,
                                 question.get(), "s", kSession) < 0) {
      continue;
    }
    question->slot.reset(slot);
    asked_.insert_or_assign(session, std::move(question));
  }
  if (unasked_.empty() && asked_.empty()) {
    settled_ = true;
    tell_if_changed();
  }
}

void LogindBus::on_properties(const std::string& session, sd_bus_message* answer) {
  LogindSession found;
  found.id = session;
  if (sd_bus_message_is_method_error(answer, nullptr) != 0) {
    refused(answer, "what its sessions are");
  } else if (read_properties(answer, found)) {
    const auto leader = procfs_.stat(found.leader);
    if (leader) found.leader_start_ticks = leader->start_ticks;
    sessions_.put(std::move(found));
  }
  ask_next();
}

bool LogindBus::from_logind(sd_bus_message* message) const {
  const char* const sender = sd_bus_message_get_sender(message);
  return sender != nullptr && !owner_.empty() && owner_ == sender;
}

int LogindBus::on_new(sd_bus_message* signal) {
  const char* id = nullptr;
  const char* path = nullptr;
  if (!from_logind(signal) || sd_bus_message_read(signal, "so", &id, &path) < 0) return 0;
  forget(id);
  unasked_.emplace_back(id, path);
  ask_next();
  return 0;
}

int LogindBus::on_removed(sd_bus_message* signal) {
  const char* id = nullptr;
  if (!from_logind(signal) || sd_bus_message_read(signal, "so", &id, nullptr) < 0) return 0;
  forget(id);
  sessions_.remove(id);
  tell_if_changed();
  ask_next();
  return 0;
}

void LogindBus::forget(const std::string& session) {
  asked_.erase(session);
  std::erase_if(unasked_, [&](const auto& entry) { return entry.first == session; });
}

void LogindBus::tell_if_changed() {
  if (!started_ || !settled_ || told_version_ == sessions_.version()) return;
  told_version_ = sessions_.version();
  changed_();
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// Hears systemd-logind on the system bus (sd-bus(3), org.freedesktop.login1(5)) and keeps a
// LogindSessions up to date. Every call is asynchronous, on the daemon's event loop. Where there is
// no bus, or no logind on it, it stays as it is and goes on looking; it never starts a logind.
//
// Anybody may send a message to any name on the bus: a signal counts only if it comes from the very
// connection that owns logind's name.
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/procfs.h"
#include "sessions/logind_sessions.h"

namespace idlewarden {

class LogindBus {
 public:
  // `changed` is called on the loop when the sessions are others than before; `warn` when logind
  // refuses to answer. All three outlive this.
  LogindBus(LogindSessions& sessions, Procfs procfs, std::function<void()> changed,
            std::function<void(const std::string&)> warn);
  ~LogindBus();
  LogindBus(const LogindBus&) = delete;
  LogindBus& operator=(const LogindBus&) = delete;

  // Waits for logind's list for so long at most, so that nobody is first taken for what logind says
  // they are not; then goes on on the loop.
  void start(sd_event* event, std::chrono::milliseconds patience);

 private:
  template <auto Unref>
  struct Deleter {
    void operator()(auto* object) const noexcept { Unref(object); }
  };
  using Bus = std::unique_ptr<sd_bus, Deleter<sd_bus_close_unref>>;
  using Slot = std::unique_ptr<sd_bus_slot, Deleter<sd_bus_slot_unref>>;
  using Source = std::unique_ptr<sd_event_source, Deleter<sd_event_source_disable_unref>>;
  using Callback = int (LogindBus::*)(sd_bus_message*);
  struct Question {
    LogindBus* bus;
    std::string session;
    Slot slot;
  };

  bool connect();
  bool listen();
  void list();
  void ask_next();
  void forget(const std::string& session);
  void tell_if_changed();
  void try_again_later();
  void refused(sd_bus_message* answer, const char* what);

  int on_owner(sd_bus_message* answer);
  int on_owner_changed(sd_bus_message* signal);
  int on_list(sd_bus_message* answer);
  int on_new(sd_bus_message* signal);
  int on_removed(sd_bus_message* signal);
  int on_disconnected(sd_bus_message* signal);
  void on_properties(const std::string& session, sd_bus_message* answer);
  void set_owner(const char* name);
  bool from_logind(sd_bus_message* message) const;

  template <Callback Method>
  static int call(sd_bus_message* message, void* self, sd_bus_error*);

  LogindSessions& sessions_;
  Procfs procfs_;
  std::function<void()> changed_;
  std::function<void(const std::string&)> warn_;
  sd_event* event_ = nullptr;
  Source retry_;
  std::chrono::seconds wait_;
  Bus bus_;
  std::vector<Slot> matches_;
  Slot question_;      // for the owner, then for the list
  std::string owner_;  // logind's unique name; empty: it is not there
  bool started_ = false;
  bool settled_ = false;  // the first list is complete, or there is none
  std::deque<std::pair<std::string, std::string>> unasked_;  // session, path
  std::map<std::string, std::unique_ptr<Question>> asked_;
  std::uint64_t told_version_ = 0;
};

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// A dbus-daemon of the test's own with a made logind on it. Nothing of this machine's bus is used.
#include "daemon/logind_bus.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>

#include "support/process.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using namespace std::chrono_literals;
using test::Process;
using test::TempDir;

void must(int r, const char* what) {
  if (r < 0) throw std::runtime_error(std::string(what) + ": " + std::strerror(-r));
}

// Where sd_bus_open_system() of this process goes.
class PrivateBus {
 public:
  PrivateBus() {
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", ("unix:path=" + socket()).c_str(), 1);
    dir_.file("services/login1.service", "[D-BUS Service]\nName=org.freedesktop.login1\nExec=" +
                                             std::string("/bin/touch ") + started_logind() + "\n");
    dir_.file("bus.conf", "<busconfig><listen>unix:path=" + socket() +
                              "</listen><auth>EXTERNAL</auth><servicedir>" + dir_.path() +
                              "/services</servicedir><policy context='default'>"
                              "<allow send_destination='*'/><allow receive_sender='*'/><allow "
                              "own='*'/></policy></busconfig>");
  }
  void start() {
    daemon_ = std::make_unique<Process>(
        std::vector<std::string>{"dbus-daemon", "--config-file=" + dir_.path() + "/bus.conf",
                                 "--nofork", "--nopidfile"},
        dir_.path() + "/log");
    for (int i = 0; i < 500 && !std::filesystem::exists(socket()); ++i) {
      std::this_thread::sleep_for(10ms);
    }
  }
  void stop() {
    daemon_.reset();
    std::filesystem::remove(socket());
  }
  std::string socket() const { return dir_.path() + "/bus"; }
  std::string started_logind() const { return dir_.path() + "/started"; }

 private:
  TempDir dir_;
  std::unique_ptr<Process> daemon_;
};

struct MadeSession {
  std::string kind = "user";
  std::string seat;
  std::uint32_t leader = 1;
};

// A connection that can be logind, or somebody who says so.
class MadeLogind {
 public:
  explicit MadeLogind(sd_event* event) {
    // The socket is there a moment before somebody listens on it.
    int r = -ENOENT;
    for (int i = 0; i < 100 && (r = sd_bus_open_system(&bus_)) < 0; ++i) {
      std::this_thread::sleep_for(10ms);
    }
    must(r, "bus");
    must(sd_bus_attach_event(bus_, event, 0), "attach");
    must(sd_bus_add_object_vtable(bus_, nullptr, kObject, kManager, kManagerTable, this), "vtable");
    must(sd_bus_add_fallback_vtable(bus_, nullptr, kSessions, "org.freedesktop.login1.Session",
                                    kSessionTable, find, this),
         "vtable");
  }
  ~MadeLogind() { sd_bus_flush_close_unref(bus_); }
  MadeLogind(const MadeLogind&) = delete;
  MadeLogind& operator=(const MadeLogind&) = delete;

  void appear() { must(sd_bus_request_name(bus_, "org.freedesktop.login1", 0), "name"); }
  void vanish() { must(sd_bus_release_name(bus_, "org.freedesktop.login1"), "name"); }
  // To everybody, or to one name.
  void signal(const char* member, const std::string& id, const char* to = nullptr) {
    sd_bus_message* m = nullptr;
    must(sd_bus_message_new_signal(bus_, &m, kObject, kManager, member), "signal");
    if (to != nullptr) must(sd_bus_message_set_destination(m, to), "destination");
    must(sd_bus_message_append(m, "so", id.c_str(), path(id).c_str()), "append");
    must(sd_bus_send(bus_, m, nullptr), "send");
    sd_bus_message_unref(m);
  }

  std::map<std::string, MadeSession> sessions;
  bool silent = false;
  std::string asked_by;

 private:
  static constexpr const char* kObject = "/org/freedesktop/login1";
  static constexpr const char* kManager = "org.freedesktop.login1.Manager";
  static constexpr const char* kSessions = "/org/freedesktop/login1/session";
  static std::string path(const std::string& id) { return std::string(kSessions) + "/_" + id; }

  static int list(sd_bus_message* call, void* userdata, sd_bus_error*) {
    auto* const self = static_cast<MadeLogind*>(userdata);
    self->asked_by = sd_bus_message_get_sender(call);
    if (self->silent) return 1;
    sd_bus_message* answer = nullptr;
    must(sd_bus_message_new_method_return(call, &answer), "answer");
    must(sd_bus_message_open_container(answer, 'a', "(susso)"), "array");
    for (const auto& [id, session] : self->sessions) {
      must(sd_bus_message_append(answer, "(susso)", id.c_str(), 0, "root", session.seat.c_str(),
                                 path(id).c_str()),
           "append");
    }
    must(sd_bus_message_close_container(answer), "array");
    const int r = sd_bus_send(nullptr, answer, nullptr);
    sd_bus_message_unref(answer);
    return r;
  }
  static int find(sd_bus*, const char* path, const char*, void* userdata, void** found,
                  sd_bus_error*) {
    auto* const self = static_cast<MadeLogind*>(userdata);
    const auto session = self->sessions.find(std::string(path).substr(std::strlen(kSessions) + 2));
    if (session == self->sessions.end()) return 0;
    *found = &session->second;
    return 1;
  }
  static int property(sd_bus*, const char*, const char*, const char* name, sd_bus_message* answer,
                      void* userdata, sd_bus_error*) {
    const auto& session = *static_cast<MadeSession*>(userdata);
    const std::string_view which = name;
    if (which == "Class") return sd_bus_message_append(answer, "s", session.kind.c_str());
    if (which == "Leader") return sd_bus_message_append(answer, "u", session.leader);
    if (which == "Seat") return sd_bus_message_append(answer, "(so)", session.seat.c_str(), "/");
    return sd_bus_message_append(answer, "(ua{ss})", 7, 1, "some", "thing");
  }

  static constexpr sd_bus_vtable kManagerTable[] = {
      SD_BUS_VTABLE_START(0),
      SD_BUS_METHOD("ListSessions", "", "a(susso)", list, SD_BUS_VTABLE_UNPRIVILEGED),
      SD_BUS_VTABLE_END};
  static constexpr sd_bus_vtable kSessionTable[] = {
      SD_BUS_VTABLE_START(0),
      SD_BUS_PROPERTY("Another", "(ua{ss})", property, 0, 0),
      SD_BUS_PROPERTY("Class", "s", property, 0, 0),
      SD_BUS_PROPERTY("Leader", "u", property, 0, 0),
      SD_BUS_PROPERTY("Seat", "(so)", property, 0, 0),
      SD_BUS_VTABLE_END};

  sd_bus* bus_ = nullptr;
};

struct LogindBusTest : testing::Test {
  LogindBusTest() { must(sd_event_new(&event), "event"); }
  ~LogindBusTest() override {
    bus.reset();
    logind.reset();
    sd_event_unref(event);
  }
  void log_in_to_logind() {
    private_bus.start();
    logind = std::make_unique<MadeLogind>(event);
    logind->sessions["3"].leader = static_cast<std::uint32_t>(::getpid());
    logind->sessions["c1"].kind = "greeter";
    logind->sessions["c1"].seat = "seat0";
    logind->appear();
  }
  void listen(std::chrono::milliseconds patience = 0ms) {
    bus = std::make_unique<LogindBus>(
        sessions, Procfs(), [this] { ++changes; },
        [this](const std::string& text) { warnings.push_back(text); });
    bus->start(event, patience);
  }
  // Turns the loop until it is so.
  bool becomes(const std::function<bool()>& so, std::chrono::seconds within = 10s) {
    const auto until = std::chrono::steady_clock::now() + within;
    while (!so()) {
      if (std::chrono::steady_clock::now() > until) return false;
      must(sd_event_run(event, 10'000), "run");
    }
    return true;
  }
  void turn_for(std::chrono::milliseconds time) {
    const auto until = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < until) must(sd_event_run(event, 10'000), "run");
  }
  std::function<bool()> knows(const std::string& id) const {
    return [this, id] { return sessions.find(id) != nullptr; };
  }
  std::function<bool()> knows_no(const std::string& id) const {
    return [this, id] { return sessions.find(id) == nullptr; };
  }

  sd_event* event = nullptr;
  PrivateBus private_bus;
  std::unique_ptr<MadeLogind> logind;
  LogindSessions sessions;
  std::unique_ptr<LogindBus> bus;
  int changes = 0;
  std::vector<std::string> warnings;
};

TEST_F(LogindBusTest, ReadsWhatThereIs) {
  log_in_to_logind();
  listen();
  ASSERT_TRUE(becomes([&] { return changes > 0; }));
  ASSERT_TRUE(knows("3")() && knows("c1")());
  EXPECT_EQ(sessions.find("3")->kind, "user");
  EXPECT_EQ(sessions.find("3")->seat, "");
  EXPECT_EQ(sessions.find("3")->leader, ::getpid());
  EXPECT_EQ(sessions.find("3")->leader_start_ticks, Procfs().stat(::getpid())->start_ticks);
  EXPECT_EQ(sessions.find("c1")->kind, "greeter");
  EXPECT_EQ(sessions.find("c1")->seat, "seat0");
  EXPECT_EQ(changes, 1);
  EXPECT_TRUE(warnings.empty());
}

TEST_F(LogindBusTest, HearsOfEachSession) {
  log_in_to_logind();
  listen();
  ASSERT_TRUE(becomes(knows("3")));
  logind->sessions["4"] = {};
  logind->signal("SessionNew", "4");
  EXPECT_TRUE(becomes(knows("4")));
  const int before = changes;
  logind->sessions.erase("3");
  logind->signal("SessionRemoved", "3");
  EXPECT_TRUE(becomes(knows_no("3")));
  EXPECT_EQ(changes, before + 1);
  EXPECT_TRUE(knows("4")() && knows("c1")());
}

TEST_F(LogindBusTest, AsksForManyWithoutExhaustingTheBus) {
  log_in_to_logind();
  for (int i = 100; i < 500; ++i) logind->sessions[std::to_string(i)] = {};
  listen();
  EXPECT_TRUE(becomes([&] { return changes > 0; }, 60s));
  EXPECT_TRUE(knows("100")() && knows("499")() && knows("3")());
  EXPECT_TRUE(warnings.empty());
}

// Whoever can connect to the bus can send this to one name; it is not filtered by the bus.
TEST_F(LogindBusTest, SignalsOfOthersAreNotLoginds) {
  log_in_to_logind();
  listen();
  ASSERT_TRUE(becomes(knows("3")));
  MadeLogind mallory(event);
  mallory.sessions["666"] = {};
  mallory.signal("SessionRemoved", "3", logind->asked_by.c_str());
  mallory.signal("SessionNew", "666", logind->asked_by.c_str());
  mallory.signal("SessionRemoved", "3");
  turn_for(500ms);
  EXPECT_TRUE(knows("3")());
  EXPECT_FALSE(knows("666")());
  logind->signal("SessionRemoved", "3", logind->asked_by.c_str());
  EXPECT_TRUE(becomes(knows_no("3")));
}

TEST_F(LogindBusTest, ALogindThatRestartsTakesNothingBackUntilItSpeaks) {
  log_in_to_logind();
  listen();
  ASSERT_TRUE(becomes(knows("3")));
  logind->vanish();
  logind->sessions.erase("c1");
  logind->sessions["5"] = {};
  turn_for(200ms);
  EXPECT_TRUE(knows("3")() && knows("c1")());
  logind->appear();
  EXPECT_TRUE(becomes(knows("5")));
  EXPECT_TRUE(knows("3")());
  EXPECT_FALSE(knows("c1")());
}

TEST_F(LogindBusTest, ABusThatComesLateOrAgain) {
  listen();
  turn_for(100ms);
  log_in_to_logind();
  ASSERT_TRUE(becomes(knows("3")));
  logind.reset();
  private_bus.stop();
  turn_for(200ms);
  EXPECT_TRUE(knows("3")());
  log_in_to_logind();
  logind->sessions["6"] = {};
  EXPECT_TRUE(becomes(knows("6")));
}

TEST_F(LogindBusTest, WithoutLogindNothingIsStartedAndNothingWaits) {
  private_bus.start();
  const auto before = std::chrono::steady_clock::now();
  listen(20s);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 10s);
  turn_for(500ms);
  EXPECT_EQ(changes, 0);
  EXPECT_TRUE(warnings.empty());
  EXPECT_FALSE(std::filesystem::exists(private_bus.started_logind()));
  logind = std::make_unique<MadeLogind>(event);
  logind->sessions["7"] = {};
  logind->appear();
  EXPECT_TRUE(becomes(knows("7")));
}

TEST_F(LogindBusTest, ASilentLogindDoesNotStallTheStart) {
  log_in_to_logind();
  logind->silent = true;
  const auto before = std::chrono::steady_clock::now();
  listen(100ms);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 5s);
  turn_for(100ms);
  EXPECT_EQ(changes, 0);
}

// On threads of their own, as in life.
TEST_F(LogindBusTest, TheStartWaitsForTheList) {
  std::atomic<bool> ready = false;
  private_bus.start();
  std::jthread other([&](const std::stop_token& stop) {
    sd_event* loop = nullptr;
    must(sd_event_new(&loop), "event");
    {
      MadeLogind made(loop);
      made.sessions["8"] = {};
      made.appear();
      ready = true;
      while (!stop.stop_requested()) must(sd_event_run(loop, 10'000), "run");
    }
    sd_event_unref(loop);
  });
  while (!ready) std::this_thread::sleep_for(1ms);
  listen(20s);
  EXPECT_TRUE(knows("8")());
  EXPECT_EQ(changes, 0) << "nobody is to be told of what the start itself returns";
}

}  // namespace
}  // namespace idlewarden

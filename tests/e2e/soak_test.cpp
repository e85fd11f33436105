// SPDX-License-Identifier: Apache-2.0
// Sessions come and go, 20 a second: the daemon's memory and descriptors do not grow, nobody is
// lost, who types is left alone and who does not is ended. IDLEWARDEN_SOAK_SECONDS and
// IDLEWARDEN_SOAK_RATE make it a long one (scripts/soak).
//
// This process is the host of the sessions, as an sshd would be: it holds their ptys.
#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <thread>

#include "base/procfs.h"
#include "e2e/e2e.h"
#include "sessions/session.h"

namespace idlewarden::test {
namespace {

using Clock = std::chrono::steady_clock;

int from_environment(const char* name, int usual) {
  const char* const text = std::getenv(name);
  return text != nullptr ? std::atoi(text) : usual;
}

enum class Habit { leaves, types, sleeps };

struct Seat {
  pid_t leader = -1;
  std::string id;  // as the daemon names it
  int master = -1;
  Habit habit = Habit::leaves;
  Clock::time_point until;  // leaves then
  bool over = false;
};

struct Sample {
  double second;
  long rss_kb;
  long descriptors;
  long sessions;
};

class Crowding {
 public:
  ~Crowding() {
    for (Seat& seat : seats_) leave(seat);
  }

  void come() {
    Seat& seat = seats_.emplace_back();
    seat.habit = static_cast<Habit>(dice_() % 3);
    seat.until = Clock::now() + std::chrono::milliseconds(2000 + dice_() % 8000);
    seat.leader = ::forkpty(&seat.master, nullptr, nullptr, nullptr);
    if (seat.leader < 0) throw std::system_error(errno, std::generic_category(), "forkpty");
    if (seat.leader == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::execl("/bin/sleep", "sleep", "infinity", nullptr);
      ::_exit(127);
    }
    ::fcntl(seat.master, F_SETFD, FD_CLOEXEC);
    auto stat = procfs_.stat(seat.leader);
    while (!stat && stat.error().code == ETIMEDOUT) stat = procfs_.stat(seat.leader);  // it begins
    if (!stat) throw std::runtime_error(stat.error().text());
    seat.id = SessionId{seat.leader, from_start_ticks(stat->start_ticks), 0}.text();
    habits_[seat.id] = seat.habit;
  }

  void live() {
    // Who could not type because this process was kept waiting is no typist.
    const bool stood_still = Clock::now() - last_ > 2s;
    last_ = Clock::now();
    for (Seat& seat : seats_) {
      if (stood_still && seat.habit == Habit::types) habits_[seat.id] = Habit::leaves;
      if (seat.habit == Habit::types && ::write(seat.master, "x", 1) < 0) seat.over = true;
      // Who sleeps waits to be ended, for as long as that can take.
      const auto until = seat.until + (seat.habit == Habit::sleeps ? 30s : 0s);
      if (Clock::now() > until) leave(seat);
      if (!seat.over && ::waitpid(seat.leader, nullptr, WNOHANG) == seat.leader) {
        seat.leader = -1;
        leave(seat);
      }
      drain(seat);
    }
    std::erase_if(seats_, [](const Seat& seat) { return seat.over; });
  }

  std::size_t size() const { return seats_.size(); }
  const std::map<std::string, Habit>& habits() const { return habits_; }

 private:
  // What the line discipline echoes.
  static void drain(const Seat& seat) {
    char buffer[512];
    int there = 0;
    if (!seat.over && ::ioctl(seat.master, FIONREAD, &there) == 0 && there > 0) {
      [[maybe_unused]] const auto n = ::read(seat.master, buffer, sizeof buffer);
    }
  }
  static void leave(Seat& seat) {
    if (seat.leader > 0) {
      ::kill(seat.leader, SIGKILL);
      ::waitpid(seat.leader, nullptr, 0);
    }
    if (seat.master >= 0) ::close(seat.master);
    seat.leader = seat.master = -1;
    seat.over = true;
  }

  Procfs procfs_;
  std::deque<Seat> seats_;
  std::map<std::string, Habit> habits_;  // of all there ever were; pids come again
  std::mt19937 dice_{7};
  Clock::time_point last_ = Clock::now();
};

class Soak : public testing::Test {
 protected:
  Soak() : monitor_(options()) {}

  static MonitorOptions options() {
    const std::string self = std::filesystem::read_symlink("/proc/self/exe");
    return {.policy =
                "mode = \"enforce\"\nwarn = \"1s\"\nmax_terminations_per_minute = 100000\n"
                "[sessions]\nhosts = [\"" +
                self + "\"]\n[[rule]]\nname = \"all\"\nlimit = \"4s\"\n",
            .backend = backends().back(),
            .only_host_pids = {::getpid()},
            .more = {}};
  }

  Sample sample(Clock::time_point began) {
    const std::string proc = "/proc/" + std::to_string(monitor_.process().pid());
    long rss = 0;
    std::ifstream status(proc + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmRSS:")) rss = std::stol(line.substr(6));
    }
    const auto fds = std::distance(std::filesystem::directory_iterator(proc + "/fd"), {});
    return {seconds(Clock::now() - began), rss, static_cast<long>(fds),
            static_cast<long>(crowd_.size())};
  }

  MonitorProcess monitor_;
  Crowding crowd_;
};

// The median: one scrape or one end at the wrong moment says nothing.
template <class Member>
long middle(const std::vector<Sample>& samples, std::size_t from, std::size_t to, Member member) {
  std::vector<long> values;
  for (std::size_t i = from; i < to; ++i) values.push_back(samples[i].*member);
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

TEST_F(Soak, NothingGrowsAndNobodyIsLost) {
  const int lasts = from_environment("IDLEWARDEN_SOAK_SECONDS", 40);
  const int rate = from_environment("IDLEWARDEN_SOAK_RATE", 20);
  const auto began = Clock::now();
  const Sample fresh = sample(began);
  std::vector<Sample> samples;
  int came = 0;
  // Beside it: whoever waits for a scrape does not type meanwhile.
  std::jthread scraper([this](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      try {
        (void)monitor_.metrics();
      } catch (const std::runtime_error& e) {
        std::cout << e.what() << "\n";  // a starved daemon
      }
      std::this_thread::sleep_for(1s);
    }
  });
  for (auto now = began; now < began + std::chrono::seconds(lasts); now = Clock::now()) {
    while (came < static_cast<int>(seconds(now - began) * rate)) {
      crowd_.come();
      ++came;
    }
    crowd_.live();
    if (samples.empty() || seconds(now - began) - samples.back().second >= 1) {
      samples.push_back(sample(began));
      if (samples.size() % 10 == 0) monitor_.process().signal(SIGHUP);
    }
    std::this_thread::sleep_for(25ms);
  }
  while (crowd_.size() > 0) {
    crowd_.live();
    std::this_thread::sleep_for(25ms);
  }
  scraper.request_stop();
  scraper.join();
  std::this_thread::sleep_for(3s);

  ASSERT_TRUE(monitor_.process().running()) << monitor_.log().substr(0, 4000);
  // After the first third the crowd has its size.
  const std::size_t third = samples.size() / 3;
  const long rss_then = middle(samples, third, 2 * third, &Sample::rss_kb);
  const long rss_now = middle(samples, 2 * third, samples.size(), &Sample::rss_kb);
  const long fds_then = middle(samples, third, 2 * third, &Sample::descriptors);
  const long fds_now = middle(samples, 2 * third, samples.size(), &Sample::descriptors);
  const long crowd = middle(samples, third, samples.size(), &Sample::sessions);
  const Sample rest = sample(began);

  std::map<std::string, std::size_t> events;
  std::size_t typists_ended = 0;
  for (const auto& event : monitor_.events()) {
    const std::string type = event["event"];
    ++events[type];
    if (type == "terminate_failed") std::cout << event.dump() << "\n";
    if (type != "terminated") continue;
    const auto habit = crowd_.habits().find(event["session"]);
    ASSERT_NE(habit, crowd_.habits().end()) << event;
    typists_ended += habit->second == Habit::types ? 1 : 0;
  }
  std::cout << "soak: " << lasts << " s, " << came << " sessions came, "
            << events["session_started"] << " were seen, " << events["session_ended"] << " left, "
            << events["terminated"] << " were ended; RSS " << rss_then << " -> " << rss_now
            << " kB, descriptors " << fds_then << " -> " << fds_now << ", at rest "
            << fresh.descriptors << " -> " << rest.descriptors << "\n";
  EXPECT_EQ(typists_ended, 0U);
  EXPECT_EQ(events["session_started"], events["session_ended"]);
  EXPECT_GE(events["session_started"], static_cast<std::size_t>(came) * 95 / 100);
  EXPECT_GE(events["terminated"], static_cast<std::size_t>(came) / 4);
  EXPECT_EQ(events["held"], 0U);
  EXPECT_EQ(events["terminate_failed"], 0U);
  // The last 1,024 events are kept: in a short run they still become more.
  EXPECT_LE(rss_now, rss_then + std::max(2048L, rss_then / 20));
  // Whoever is being ended right now costs some; on a busy machine that takes longer, of more.
  EXPECT_LE(fds_now, fds_then + 8 + crowd);
  EXPECT_LE(rest.descriptors, fresh.descriptors + 2);
  // A leak that is found at the end is a status of its own (LSan).
  EXPECT_EQ(monitor_.process().stop(60s), 0) << monitor_.log();
}

}  // namespace
}  // namespace idlewarden::test

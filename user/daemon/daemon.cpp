// SPDX-License-Identifier: Apache-2.0
#include "daemon/daemon.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "base/shortage.h"
#include "base/text.h"
#include "daemon/file_watch.h"
#include "daemon/gap_recorder.h"
#include "daemon/host_scope.h"
#include "daemon/logind_bus.h"
#include "daemon/loop.h"
#include "daemon/monitor.h"
#include "daemon/privileges.h"
#include "daemon/version.h"
#include "enforce/terminate.h"
#include "kernel/backends.h"
#include "kernel/connection_meter.h"
#include "limits/limits.h"
#include "report/access.h"
#include "report/hook.h"
#include "report/listen.h"
#include "report/server.h"
#include "report/sessions_view.h"

namespace idlewarden {
namespace {

constexpr std::chrono::milliseconds kLogindPatience{500};
// For events that still wait for the hook when the daemon stops.
constexpr std::chrono::milliseconds kHookPatience{3000};
constexpr Seconds kReloadAgain{5};
constexpr Seconds kListenAgain{10};
constexpr int kLargeBlock = 1 << 20;
constexpr Nanoseconds kTrimEvery = std::chrono::minutes(1);

// What to do about a refusal of the kernel that has nothing to do with what was asked of it.
const char* advice(int code) {
  switch (code) {
    case EMFILE: return "too few descriptors: LimitNOFILE= of the unit, `ulimit -n`";
    case ENFILE: return "the host has too few descriptors: `sysctl fs.file-max`";
    case ENOMEM:
    case ENOBUFS: return "the host is short of memory; try again when it is not";
    case EAGAIN: return "too many threads or processes: TasksMax= of the unit, `ulimit -u`";
    case ENOSPC:
      return "a disk is full (`df`), or a limit is reached (`sysctl fs.inotify fs.epoll`)";
    case EIO: return "the device or its file system fails: `dmesg`";
    case EPERM:
    case EACCES: return "run it as root, in the unit that came with it";
    default: return "";
  }
}

std::unexpected<StartFailure> cannot_start(Error error, bool bad_configuration = false) {
  if (error.hint.empty()) error.hint = advice(error.code);
  return std::unexpected(StartFailure{std::move(error), bad_configuration});
}

// stderr is the journal's when its device and inode are those that JOURNAL_STREAM names
// (systemd.exec(5)).
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat st {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &st) != 0) return false;
  return fmt::format("{}:{}", st.st_dev, st.st_ino) == stream;
}

// Whoever started the daemon by hand sits in a session that it must not end.
Result<std::set<pid_t>> ancestors(const Procfs& procfs) {
  std::set<pid_t> pids;
  for (pid_t pid = ::getpid(); pid > 0 && pids.insert(pid).second;) {
    const auto stat = procfs.stat(pid);
    if (!stat && stat.error().code != ENOENT) return std::unexpected(stat.error());
    pid = stat ? stat->parent : 0;
  }
  return pids;
}

// random(4). Empty where there is none: then every start counts as a reboot.
Result<std::string> boot_id(const Procfs& procfs) {
  const auto text = procfs.read("sys/kernel/random/boot_id");
  if (!text && text.error().code == ENOENT) return std::string();
  if (!text) return std::unexpected(text.error());
  return std::string(trim(*text));
}

std::string start_line(const Limits& limits, const OpenedSource& kernel,
                       const std::vector<pid_t>& only_host_pids) {
  const std::string scope = scope_text(only_host_pids);
  const Policy& policy = limits.policy();
  std::string files;
  for (const std::string& file : policy.files) files += (files.empty() ? "" : ", ") + file;
  return fmt::format("idlewarden {}: {} mode, input seen by {}, policy {}{}{}", version(),
                     to_string(policy.mode), to_string(kernel.source->backend()),
                     files.empty() ? "built in (no policy file)" : files, scope.empty() ? "" : ", ",
                     scope);
}

std::string changed_text(const std::vector<std::string>& files) {
  const std::size_t more = files.size() - 1;
  return files.front() + (more == 0 ? "" : fmt::format(" and {} more", more)) + " changed";
}

// What the kernel's side, the table and the listener are made from, once.
struct ReadAtStart {
  explicit ReadAtStart(const Policy& policy)
      : backend(policy.backend),
        output_counts(policy.output_counts),
        ignore_terminal_replies(policy.ignore_terminal_replies),
        host_executables(policy.host_executables),
        metrics_listen(policy.metrics_listen) {}
  bool operator==(const ReadAtStart&) const = default;

  std::optional<Backend> backend;
  bool output_counts;
  bool ignore_terminal_replies;
  std::vector<std::string> host_executables;
  std::optional<std::string> metrics_listen;
};

// The same socket, to be tried with once more if it cannot be served now.
Result<Listener> copy_of(const Listener& listener) {
  UniqueFd fd(::fcntl(listener.fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!fd) return fail_errno("cannot use the passed socket");
  return Listener{.fd = std::move(fd), .address = listener.address, .file = nullptr};
}

class Daemon {
 public:
  explicit Daemon(const DaemonOptions& options) : options_(options) {}

  std::expected<void, StartFailure> start();
  Result<void> run();
  void finish();

 private:
  std::expected<void, StartFailure> open_policy();
  Result<void> wire_loop();
  Result<void> open_servers();
  SnapshotProvider snapshots();
  Result<void> open_metrics();
  Result<void> listen_for_metrics();
  Result<void> open_kernel();
  Result<void> compose();
  void listen_to_logind();
  void turn(const std::string& why_reload = {});
  void check_token();
  void check_start();
  void open_endings();
  void watch_ptys();
  void watch_files(WallTime read_since);
  void arm();
  void reload(const std::string& cause);
  template <class Answer>
  Result<Answer> ask(std::function<Answer()> look);
  void degrade(const std::string& reason, const std::string& sentence);
  void tell(const Event& event);

  const DaemonOptions& options_;
  SystemClock clock_;
  const BootTime began_ = clock_.now();
  Procfs procfs_;
  HostScope scope_{procfs_};
  FileWatch files_{clock_};  // before the loop, which listens to it
  std::uint64_t readings_watched_ = 0;
  BootTime monitor_due_{};
  BootTime next_trim_{};
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<Reporter> reporter_;
  HookRunner hooks_;
  std::unique_ptr<Limits> limits_;
  std::optional<ReadAtStart> read_at_start_;
  bool metrics_passed_ = false;             // the listener, by the service manager
  std::optional<Listener> passed_;          // the same, until it is served
  std::string no_metrics_;                  // why there are none
  std::optional<BootTime> listen_again_{};  // if that may change
  OpenedSource kernel_;
  LogindSessions logind_;
  std::unique_ptr<LogindBus> logind_bus_;
  std::unique_ptr<ConnectionProbe> probe_ = system_connection_probe(procfs_);
  ConnectionMeter meter_{*probe_, clock_};
  std::unique_ptr<SessionTable> table_;
  std::unique_ptr<Terminator> terminator_;
  std::unique_ptr<EndingsBook> endings_;
  std::unique_ptr<Warden> warden_;
  std::unique_ptr<Monitor> monitor_;
  std::unique_ptr<GapRecorder> gaps_;
  bool ptys_watched_ = false;
  std::optional<BootTime> reload_again_{};  // the last one fell to a shortage
  // Last, so first to go: their threads ask the parts above.
  std::unique_ptr<Server> unix_server_;
  std::unique_ptr<Server> metrics_server_;
};

std::expected<void, StartFailure> Daemon::start() {
  ::mallopt(M_ARENA_MAX, 2);  // short threads are many, and each would leave memory behind
  // Fixed, since what is mapped for the kernel's types at the start would raise both for good, and
  // what a scan or a scrape of thousands of sessions takes for a moment would stay.
  ::mallopt(M_MMAP_THRESHOLD, kLargeBlock);
  ::mallopt(M_TRIM_THRESHOLD, kLargeBlock);
  if (const auto kept = keep_only_needed_capabilities(); !kept) return cannot_start(kept.error());
  if (const auto opened = open_policy(); !opened) return opened;
  if (const auto known = scope_.begin(options_.only_host_pids); !known) {
    return cannot_start(known.error());
  }
  read_at_start_.emplace(limits_->policy());
  // Signals are blocked before the servers' threads exist, so that all of them inherit it.
  if (const auto wired = wire_loop(); !wired) return cannot_start(wired.error());
  // The socket before the kernel: a second daemon is refused before it touches the first one's
  // pins.
  if (const auto served = open_servers(); !served) return cannot_start(served.error());
  if (const auto opened = open_kernel(); !opened) return cannot_start(opened.error());
  if (const auto composed = compose(); !composed) return cannot_start(composed.error());
  degrade("metrics_listen", no_metrics_);
  check_token();
  listen_to_logind();

  reporter_->info(start_line(*limits_, kernel_, options_.only_host_pids));
  Event event;
  event.type = EventType::backend_changed;
  event.time = clock_.wall();
  event.detail = to_string(kernel_.source->backend());
  tell(event);
  open_endings();
  turn();
  sd_notifyf(0, "READY=1\nSTATUS=%s mode, %s", to_string(limits_->policy().mode).data(),
             to_string(kernel_.source->backend()).data());
  return {};
}

Result<void> Daemon::run() {
  return loop_->run([this](const Error& error) {
    // sd-event takes a timer that it failed to set for set; a turn sets it anew.
    turn();
    degrade("event_loop", error.text());
  });
}

std::expected<void, StartFailure> Daemon::open_policy() {
  auto loop = Loop::create();
  if (!loop) return cannot_start(loop.error());
  loop_ = std::move(*loop);

  auto reporter = Reporter::open({.format = options_.log_format,
                                  .events_file = options_.events_file,
                                  .journal = stderr_is_journal()});
  if (!reporter) return cannot_start(reporter.error());
  reporter_ = std::move(*reporter);

  // Watched before it is read: what changes in between is noticed.
  const std::string policy = policy_path(Root(), options_.config);
  files_.watch({policy, policy_folder(policy)});
  auto limits = Limits::load(Root(), options_.config, options_.overrides);
  if (!limits) return cannot_start(limits.error(), true);
  limits_ = std::make_unique<Limits>(std::move(*limits));
  return {};
}

Result<void> Daemon::open_kernel() {
  const Policy& policy = limits_->policy();
  auto kernel = open_activity_source({.backend = policy.backend,
                                      .record_output = policy.output_counts,
                                      .ignore_terminal_replies = policy.ignore_terminal_replies,
                                      .pin_dir = options_.pin_dir},
                                     clock_);
  if (!kernel) return std::unexpected(kernel.error());
  kernel_ = std::move(*kernel);
  return {};
}

Result<void> Daemon::compose() {
  const auto boot = boot_id(procfs_);
  if (!boot) return std::unexpected(boot.error());
  auto own = ancestors(procfs_);
  if (!own) return own.error().during("finding out whose session this is");
  const Policy& policy = limits_->policy();
  SessionScope scope;
  for (const std::string& executable : policy.host_executables) {
    scope.hosts.push_back(host_program(executable));
  }
  scope.only_host_pids = options_.only_host_pids;
  terminator_ = system_terminator(procfs_, scope.hosts);
  table_ = std::make_unique<SessionTable>(procfs_, clock_, std::move(scope), &logind_);

  Warden::Settings settings;
  settings.max_per_minute = policy.max_terminations_per_minute;
  settings.protected_leaders = std::move(*own);
  settings.protected_since = clock_.now();
  // Beside the socket, so on the boot's own tmpfs, and of this daemon alone.
  endings_ = std::make_unique<EndingsBook>(
      options_.socket + ".state", *boot,
      [this](const std::string& sentence) { degrade("endings_book", sentence); });
  warden_ = std::make_unique<Warden>(*terminator_, std::move(settings), endings_.get());
  monitor_ = std::make_unique<Monitor>(
      Monitor::Parts{.source = *kernel_.source,
                     .meter = meter_,
                     .table = *table_,
                     .limits = *limits_,
                     .warden = *warden_,
                     .clock = clock_,
                     .procfs = procfs_,
                     .emit =
                         [this](const Event& event) {
                           if (event.type == EventType::terminated) gaps_->ended_one();
                           tell(event);
                         },
                     .warn = [this](const std::string& text) { reporter_->warning(text); },
                     .looked =
                         [this](BootTime now, const std::vector<Observation>& all) {
                           gaps_->look(now, limits_->policy().warn, all);
                         }});
  std::string warnings;
  for (const std::string& w : kernel_.warnings) warnings += (warnings.empty() ? "" : "; ") + w;
  degrade("kernel", warnings);
  gaps_ = std::make_unique<GapRecorder>(
      options_.state_dir, *boot, clock_, began_,
      [this](const std::string& sentence) { degrade("idle_gaps", sentence); });
  return {};
}

void Daemon::degrade(const std::string& reason, const std::string& sentence) {
  if (sentence.empty()) {
    monitor_->clear_degraded(reason);
  } else {
    monitor_->set_degraded(reason, sentence);
  }
}

// To the hook as the policy has it now: the event may be that it was read again.
void Daemon::tell(const Event& event) {
  reporter_->emit(event);
  hooks_.configure(limits_->policy().hooks);
  hooks_.offer(event);
}

// The servers read it themselves when somebody presents one; here only to tell in time.
void Daemon::check_token() {
  const std::string& file = limits_->policy().metrics_token_file;
  const auto token = file.empty() ? Result<std::string>() : read_token(file);
  degrade("metrics_token", token ? "" : token.error().text());
}

void Daemon::check_start() {
  ReadAtStart read(limits_->policy());
  if (metrics_passed_) read.metrics_listen = read_at_start_->metrics_listen;
  degrade(
      "restart_needed",
      read == *read_at_start_
          ? ""
          : "the policy has another backend, activity, ignore_terminal_replies, [sessions] hosts "
            "or [metrics] listen than when the daemon started; they hold from its next start "
            "on");
}

void Daemon::listen_to_logind() {
  logind_bus_ = std::make_unique<LogindBus>(
      logind_, procfs_,
      [this] {
        monitor_->logind_changed();
        turn();
      },
      [this](const std::string& text) { reporter_->warning(text); });
  logind_bus_->start(loop_->event(), kLogindPatience);
}

Result<void> Daemon::wire_loop() {
  // A client that goes away while it is answered is no reason to die.
  ::signal(SIGPIPE, SIG_IGN);
  for (const int number : {SIGTERM, SIGINT}) {
    if (auto r = loop_->on_signal(number, [this] { loop_->stop(); }); !r) return r;
  }
  if (auto r = loop_->on_signal(SIGHUP, [this] { turn("SIGHUP"); }); !r) return r;
  if (auto r = loop_->on_timer([this] { turn(); }); !r) return r;
  if (files_.fd() >= 0) {
    const auto heard = loop_->on_readable(files_.fd(), [this] {
      files_.notice();
      arm();
    });
    if (!heard) return heard;
  }
  loop_->enable_watchdog();
  return {};
}

SnapshotProvider Daemon::snapshots() {
  return [this] {
    return ask<Snapshot>([this] {
      Snapshot snapshot = monitor_->snapshot();
      snapshot.only_host_pids = options_.only_host_pids;
      snapshot.dropped_events = reporter_->dropped_events();
      snapshot.hook = hooks_.counts();
      snapshot.degraded.merge(reporter_->failing());
      return snapshot;
    });
  };
}

Result<void> Daemon::open_servers() {
  const IdleGapsProvider gaps = [this] { return ask<IdleGaps>([this] { return gaps_->gaps(); }); };
  auto on_socket = serve_unix(options_.socket, snapshots(), *reporter_, gaps);
  if (!on_socket) return std::unexpected(on_socket.error());
  unix_server_ = std::move(*on_socket);
  return open_metrics();
}

// A socket that the service manager passed is used whatever the policy says: where it passes one
// this process may not open its own. Whoever takes the port first, and whatever else keeps it from
// being listened on, keeps nobody's session from being ended.
Result<void> Daemon::open_metrics() {
  auto passed = listen_passed();
  metrics_passed_ = !passed || passed->has_value();
  if (!passed) {
    no_metrics_ = "there are no metrics and no status page: " + passed.error().text();
    return {};
  }
  passed_ = std::move(*passed);
  return listen_for_metrics();
}

// Fails only for an address that is none.
Result<void> Daemon::listen_for_metrics() {
  const auto& wanted = read_at_start_->metrics_listen;
  listen_again_.reset();
  no_metrics_.clear();
  if (!metrics_passed_ && !wanted) return {};
  auto served = metrics_passed_ ? serve_metrics(copy_of(*passed_), snapshots(), *reporter_)
                                : serve_metrics(*wanted, snapshots(), *reporter_);
  if (!served) {
    Error error = std::move(served.error());
    if (error.code == 0) return std::unexpected(std::move(error));
    if (error.hint.empty()) error.hint = advice(error.code);
    no_metrics_ =
        fmt::format("there are no metrics and no status page; it is tried again every {} s: {}",
                    kListenAgain.count(), error.text());
    listen_again_ = clock_.now() + kListenAgain;
    return {};
  }
  passed_.reset();
  metrics_server_ = std::move(*served);
  const std::string address = metrics_server_->address();
  const bool page = limits_->policy().metrics_page != StatusPage::off;
  reporter_->info(
      fmt::format("{} on http://{}/", page ? "status page and metrics" : "metrics", address));
  if (metrics_passed_ && wanted != address) {
    reporter_->warning(
        fmt::format("the policy's metrics.listen = \"{}\" has no effect here: the "
                    "service manager listens on {} (systemctl edit "
                    "idlewarden.socket)",
                    wanted.value_or("none"), address));
  }
  return {};
}

void Daemon::turn(const std::string& why_reload) {
  const WallTime began = clock_.wall();
  const std::vector<std::string> changed = files_.take_changes();
  if (!why_reload.empty() || !changed.empty()) {
    reload(why_reload.empty() ? changed_text(changed) : why_reload);
  } else if (reload_again_ && clock_.now() >= *reload_again_) {
    reload("tried again");
  }
  degrade("event_loop", "");
  if (listen_again_ && clock_.now() >= *listen_again_) {
    if (const auto heard = listen_for_metrics(); !heard) no_metrics_ = heard.error().text();
    degrade("metrics_listen", no_metrics_);
  }
  if (endings_->unread()) open_endings();
  if (!ptys_watched_) watch_ptys();
  monitor_due_ = monitor_->tick();
  degrade("hook", hooks_.take_problem());
  degrade("scope", scope_.gone());
  watch_files(began);
  loop_->watch_once(warden_->leader_fds(), [this] { turn(); });
  arm();
  // What logins, scrapes and files that were read leave in pieces: a millisecond or two of work.
  if (const BootTime now = clock_.now(); now >= next_trim_) {
    ::malloc_trim(0);
    next_trim_ = now + kTrimEvery;
  }
}

void Daemon::open_endings() {
  for (const BegunEnding& begun : endings_->open()) {
    // Killed between the report and the strike.
    if (reporter_->has_told(EventType::terminated, begun.session.id.text())) {
      endings_->strike(begun.session.id);
    } else {
      monitor_->adopt(begun);
    }
  }
}

void Daemon::watch_ptys() {
  const auto watched = loop_->on_new_file("/dev/pts", [this] {
    monitor_due_ = std::min(monitor_due_, monitor_->pty_made());
    arm();
  });
  ptys_watched_ = watched.has_value();
  degrade("pty_watch",
          watched ? "" : "a login is found by the next scan only: " + watched.error().text());
}

void Daemon::arm() {
  BootTime due = std::min(monitor_due_, files_.due());
  for (const auto& again : {reload_again_, listen_again_}) due = std::min(due, again.value_or(due));
  loop_->arm(due);
}

// `read_since`: when the first of what was read since the last time was read, at the earliest.
void Daemon::watch_files(WallTime read_since) {
  if (readings_watched_ != limits_->readings()) {
    readings_watched_ = limits_->readings();
    files_.watch(limits_->files(), read_since);
  }
  degrade("file_watch", files_.degraded().value_or(""));
}

void Daemon::reload(const std::string& cause) {
  sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
             static_cast<long long>(std::chrono::duration_cast<std::chrono::microseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count()));
  reload_again_.reset();
  if (const auto loaded = monitor_->reload(cause); !loaded) {
    if (is_shortage(loaded.error().code)) reload_again_ = clock_.now() + kReloadAgain;
    reporter_->error("what was in force before stays: " + loaded.error().text());
  }
  check_token();
  check_start();
  sd_notify(0, "READY=1");
}

// On a server's thread. The promise is shared: when the wait is given up, the loop still fulfils
// it.
template <class Answer>
Result<Answer> Daemon::ask(std::function<Answer()> look) {
  const auto promise = std::make_shared<std::promise<Answer>>();
  auto answer = promise->get_future();
  if (!loop_->call([promise, look = std::move(look)] { promise->set_value(look()); })) {
    return fail("the daemon is stopping");
  }
  if (answer.wait_for(std::chrono::seconds(2)) != std::future_status::ready) {
    return fail("the daemon did not answer within 2 s");
  }
  try {
    return answer.get();
  } catch (const std::future_error&) {  // the loop ended with the question unanswered
    return fail("the daemon is stopping");
  }
}

void Daemon::finish() {
  sd_notify(0, "STOPPING=1");
  gaps_->finish();
  const std::uint64_t dropped = hooks_.counts().dropped;
  hooks_.finish(kHookPatience);
  if (const std::uint64_t lost = hooks_.counts().dropped - dropped; lost > 0) {
    reporter_->warning(fmt::format("{} events were not told to the hook any more", lost));
  }
  reporter_->info("stopped; sessions are left as they are");
}

}  // namespace

std::expected<void, StartFailure> run_daemon(const DaemonOptions& options) {
  Daemon daemon(options);
  if (auto started = daemon.start(); !started) return started;
  if (const auto ran = daemon.run(); !ran) return cannot_start(ran.error());
  daemon.finish();
  return {};
}

}  // namespace idlewarden

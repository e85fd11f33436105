// SPDX-License-Identifier: Apache-2.0
#include "report/reporter.h"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <syslog.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <utility>

#include "base/text.h"
#include "report/events_file.h"
#include "report/journal.h"
#include "report/text.h"

namespace idlewarden {
namespace {

spdlog::level::level_enum level_of(int priority) {
  if (priority <= LOG_ERR) return spdlog::level::err;
  return priority == LOG_WARNING ? spdlog::level::warn : spdlog::level::info;
}

std::string_view name_of(int priority) {
  if (priority <= LOG_ERR) return "error";
  return priority == LOG_WARNING ? "warning" : "info";
}

// The last events, for followers on other threads.
class Ring {
 public:
  void push(const Event& event) {
    {
      const std::lock_guard lock(mutex_);
      if (events_.size() == kKept) events_.pop_front();
      events_.push_back(event);
      ++latest_;
    }
    changed_.notify_all();
  }

  Reporter::Batch wait_after(std::uint64_t sequence, std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    // A number of an earlier run of the daemon may lie ahead of this run's.
    sequence = std::min(sequence, latest_);
    changed_.wait_for(lock, timeout, [&] { return latest_ > sequence; });
    const std::uint64_t wanted = std::min<std::uint64_t>(latest_ - sequence, events_.size());
    return {.events = {events_.end() - static_cast<std::ptrdiff_t>(wanted), events_.end()},
            .next = latest_};
  }

  std::uint64_t latest() const {
    const std::lock_guard lock(mutex_);
    return latest_;
  }

 private:
  static constexpr std::size_t kKept = 1024;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Event> events_;
  std::uint64_t latest_ = 0;
};

// Says once that a destination stopped taking events, and once that it takes them again.
struct Destination {
  std::string_view reason;  // what the daemon is degraded by
  std::string_view name;
  std::uint64_t lost = 0;  // since it failed; 0: it works
  std::string why{};
};

class SystemReporter final : public Reporter {
 public:
  SystemReporter(const ReporterOptions& options, std::optional<EventsFile> file)
      : format_(options.format), journal_(options.journal), file_(std::move(file)) {
    auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();  // colour on a tty only
    logger_ = std::make_unique<spdlog::logger>("idlewarden", std::move(sink));
    // The library's own fallback writes to stderr, which is what has just failed.
    logger_->set_error_handler([](const std::string&) {});
    logger_->set_pattern(format_ == LogFormat::json ? "%v" : "%Y-%m-%dT%H:%M:%S%z %^%l%$ %v");
    logger_->flush_on(spdlog::level::info);
  }

  void emit(const Event& event) override {
    const std::string line = to_json_line(event);
    ring_.push(event);
    if (file_) note(to_file_, file_->append(line));
    const int priority = info_of(event.type).priority;
    if (journal_) {
      note(to_journal_, send_to_journal(journal_fields(event)));
    } else {
      print(priority, format_ == LogFormat::json ? line : to_human_line(event));
    }
  }

  void info(const std::string& message) override { say(LOG_INFO, message); }
  void warning(const std::string& message) override { say(LOG_WARNING, message); }
  void error(const std::string& message) override { say(LOG_ERR, message); }

  std::uint64_t dropped_events() const override { return dropped_; }
  bool has_told(EventType type, const std::string& session) const override {
    return (file_ || journal_) && (!file_ || file_->has(to_string(type), session)) &&
           (!journal_ || journal_has(type, session));
  }
  std::map<std::string, std::string> failing() const override {
    std::map<std::string, std::string> all;
    for (const Destination* d : {&to_file_, &to_journal_, &to_log_}) {
      if (d->lost > 0) all.emplace(d->reason, d->why);
    }
    return all;
  }
  Batch wait_after(std::uint64_t sequence, std::chrono::milliseconds timeout) override {
    return ring_.wait_after(sequence, timeout);
  }
  std::uint64_t latest() const override { return ring_.latest(); }

 private:
  void say(int priority, const std::string& raw) {
    const std::string message = printable(raw, 4096);
    if (journal_ && send_to_journal(journal_fields(priority, message))) return;
    if (format_ == LogFormat::human) return print(priority, message);
    print(priority, dump({{"level", name_of(priority)},
                          {"time", rfc3339(std::chrono::system_clock::now())},
                          {"message", message}}));
  }

  // The library does not say that a line could not be written; the stream does.
  void print(int priority, const std::string& line) {
    errno = 0;
    logger_->log(level_of(priority), line);
    if (std::ferror(stderr) != 0) {
      to_log_.why = fail_errno("cannot write to stderr").error().text();
      ++to_log_.lost;
      std::clearerr(stderr);
    } else if (to_log_.lost > 0) {
      const std::uint64_t lost = std::exchange(to_log_.lost, 0);
      warning(fmt::format("{} works again; {} lines were lost there", to_log_.name, lost));
    }
  }

  void note(Destination& destination, const Result<void>& result) {
    if (!result) {
      ++dropped_;
      destination.why = result.error().text();
      if (destination.lost++ == 0) error(result.error().text() + "; events are lost there");
    } else if (destination.lost > 0) {
      warning(fmt::format("{} works again; {} events were lost there", destination.name,
                          std::exchange(destination.lost, 0)));
    }
  }

  const LogFormat format_;
  const bool journal_;
  std::optional<EventsFile> file_;
  std::unique_ptr<spdlog::logger> logger_;
  Ring ring_;
  Destination to_file_{"events_file", "the events file"};
  Destination to_journal_{"journal", "the journal"};
  Destination to_log_{"log", "the log"};
  std::atomic<std::uint64_t> dropped_ = 0;
};

}  // namespace

Result<std::unique_ptr<Reporter>> Reporter::open(const ReporterOptions& options) {
  std::optional<EventsFile> file;
  if (!options.events_file.empty()) {
    auto opened = EventsFile::open(options.events_file);
    if (!opened) return std::unexpected(opened.error());
    file = std::move(*opened);
  }
  try {
    return std::make_unique<SystemReporter>(options, std::move(file));
  } catch (const spdlog::spdlog_ex& e) {
    return fail(fmt::format("cannot start the log: {}", e.what()));
  }
}

}  // namespace idlewarden

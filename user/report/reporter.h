// SPDX-License-Identifier: Apache-2.0
// Where events go: the log (spdlog to stderr, or the journal with its fields), the events file, and
// whoever follows by `events --follow`. emit() is called from the daemon's loop only; follow() from
// any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "report/event.h"

namespace idlewarden {

enum class LogFormat { human, json };

struct ReporterOptions {
  LogFormat format = LogFormat::human;
  std::string events_file;  // empty: none; appended to, one JSON line an event
  bool journal = false;     // stderr is the journal's socket: send fields instead of lines
};

class Reporter {
 public:
  static Result<std::unique_ptr<Reporter>> open(const ReporterOptions& options);
  virtual ~Reporter() = default;

  // A full disk or a gone journal never stops the daemon: it is counted and logged once.
  virtual void emit(const Event& event) = 0;
  virtual void info(const std::string& message) = 0;
  virtual void warning(const std::string& message) = 0;
  virtual void error(const std::string& message) = 0;
  virtual std::uint64_t dropped_events() const = 0;
  // Whether an earlier run has told such an event of that session wherever this one tells it: the
  // events file, the journal. A plain log cannot be asked.
  virtual bool has_told(EventType type, const std::string& session) const = 0;
  // Where nothing can be written at present ("events_file", "journal", "log"), and why.
  virtual std::map<std::string, std::string> failing() const = 0;

  // Blocks until events after `sequence` exist or the timeout passes; returns them and the sequence
  // to go on with. The last 1,024 are kept.
  struct Batch {
    std::vector<Event> events;
    std::uint64_t next = 0;
  };
  virtual Batch wait_after(std::uint64_t sequence, std::chrono::milliseconds timeout) = 0;
  virtual std::uint64_t latest() const = 0;
};

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "limits/logind.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace idlewarden {
namespace {

// The highest priority first.
constexpr std::array<const char*, 4> kFolders{"/etc/systemd", "/run/systemd",
                                              "/usr/local/lib/systemd", "/usr/lib/systemd"};
constexpr std::uint64_t kSecond = 1'000'000;  // systemd counts in microseconds
constexpr std::uint64_t kInfinity = UINT64_MAX;

// The longer spelling before its own beginning: the first that fits is taken.
constexpr std::array<std::pair<std::string_view, std::uint64_t>, 29> kUnits{{
    {"seconds", kSecond},
    {"second", kSecond},
    {"sec", kSecond},
    {"s", kSecond},
    {"minutes", 60 * kSecond},
    {"minute", 60 * kSecond},
    {"min", 60 * kSecond},
    {"months", 2'629'800 * kSecond},
    {"month", 2'629'800 * kSecond},
    {"M", 2'629'800 * kSecond},
    {"msec", 1000},
    {"ms", 1000},
    {"m", 60 * kSecond},
    {"hours", 3600 * kSecond},
    {"hour", 3600 * kSecond},
    {"hr", 3600 * kSecond},
    {"h", 3600 * kSecond},
    {"days", 86400 * kSecond},
    {"day", 86400 * kSecond},
    {"d", 86400 * kSecond},
    {"weeks", 604800 * kSecond},
    {"week", 604800 * kSecond},
    {"w", 604800 * kSecond},
    {"years", 31'557'600 * kSecond},
    {"year", 31'557'600 * kSecond},
    {"y", 31'557'600 * kSecond},
    {"usec", 1},
    {"us", 1},
    {"µs", 1},
}};

std::string_view skip_blanks(std::string_view s) {
  const auto first = s.find_first_not_of(" \t\n\r");
  return first == std::string_view::npos ? std::string_view() : s.substr(first);
}

std::string_view take_digits(std::string_view& s) {
  const std::string_view digits = s.substr(0, s.find_first_not_of("0123456789"));
  s.remove_prefix(digits.size());
  return digits;
}

std::uint64_t take_unit(std::string_view& s) {
  for (const auto& [name, value] : kUnits) {
    if (!s.starts_with(name)) continue;
    s.remove_prefix(name.size());
    return value;
  }
  if (s.starts_with("μs")) {  // the Greek letter, not the micro sign
    s.remove_prefix(std::string_view("μs").size());
    return 1;
  }
  return kSecond;
}

// a + b * c, or nullopt where that reaches "infinity".
std::optional<std::uint64_t> sum(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  std::uint64_t product = 0;
  std::uint64_t total = 0;
  if (__builtin_mul_overflow(b, c, &product) || __builtin_add_overflow(a, product, &total) ||
      total == kInfinity) {
    return std::nullopt;
  }
  return total;
}

// One "1.5h" of a span; nullopt: systemd refuses it.
std::optional<std::uint64_t> take_term(std::string_view& s) {
  if (s.starts_with('+')) s.remove_prefix(1);
  const std::string_view whole = take_digits(s);
  std::string_view fraction;
  bool has_fraction = false;
  if (s.starts_with('.')) {
    has_fraction = true;
    s.remove_prefix(1);
    fraction = take_digits(s);
  }
  if (has_fraction ? fraction.empty() : whole.empty()) return std::nullopt;
  const bool at_end = s.empty();
  const std::string_view before = s;
  s = skip_blanks(s);
  const std::uint64_t unit = take_unit(s);
  if (s.data() == before.data() && !at_end) return std::nullopt;  // "12.34.56"
  std::uint64_t number = 0;
  for (const char digit : whole) {
    const auto next = sum(static_cast<std::uint64_t>(digit - '0'), number, 10);
    if (!next || *next > INT64_MAX) return std::nullopt;
    number = *next;
  }
  auto value = sum(0, number, unit);
  std::uint64_t part = unit / 10;
  for (const char digit : fraction) {
    if (value) value = sum(*value, static_cast<std::uint64_t>(digit - '0'), part);
    part /= 10;
  }
  return value;
}

std::optional<std::uint64_t> parse_microseconds(std::string_view text) {
  std::string_view s = skip_blanks(text);
  if (s.starts_with("infinity")) {
    if (!skip_blanks(s.substr(8)).empty()) return std::nullopt;
    return kInfinity;
  }
  if (s.empty()) return std::nullopt;
  std::uint64_t total = 0;
  for (; !s.empty(); s = skip_blanks(s)) {
    const auto term = take_term(s);
    const auto next = term ? sum(total, *term, 1) : std::nullopt;
    if (!next) return std::nullopt;
    total = *next;
  }
  return total;
}

struct Assignment {
  std::string key;
  std::string value;
  LimitSource source;
};

// The assignments of [Login] in one file.
class FileReader {
 public:
  FileReader(const std::string& file, std::vector<Assignment>& into) : file_(file), into_(into) {}

  // systemd stops reading a file at a broken section header.
  std::optional<Error> read(const std::string& text) {
    int number = 0;
    std::string joined;
    int first = 0;
    for (const std::string& raw : split(text, '\n')) {
      ++number;
      const std::string_view start = skip_blanks(raw);
      if (start.starts_with('#') || start.starts_with(';')) continue;  // even in a continued line
      if (joined.empty()) first = number;
      joined += raw;
      if (ends_in_backslash(raw)) {
        joined.back() = ' ';
        continue;
      }
      const bool good = line(std::string(trim(joined)), first);
      joined.clear();
      if (!good) {
        return Error{.what = "a broken section header; logind reads no further",
                     .where = {file_, first},
                     .hint = "write [Login]"};
      }
    }
    if (!joined.empty()) line(std::string(trim(joined)), first);
    return std::nullopt;
  }

 private:
  // An escaped backslash continues nothing.
  static bool ends_in_backslash(const std::string& raw) {
    const auto last = raw.find_last_not_of('\\');
    const std::size_t count = last == std::string::npos ? raw.size() : raw.size() - last - 1;
    return count % 2 == 1;
  }

  bool line(const std::string& text, int number) {
    if (text.starts_with('[')) {
      in_login_ = text == "[Login]";
      return text.ends_with(']');
    }
    const auto equals = text.find('=');
    if (!in_login_ || equals == std::string::npos) return true;
    Assignment found{.key = std::string(trim(text.substr(0, equals))),
                     .value = std::string(trim(text.substr(equals + 1))),
                     .source = {}};
    found.source.origin = Origin::logind;
    found.source.directive = found.key;
    found.source.where = {file_, number};
    found.source.text = printable(text);
    into_.push_back(std::move(found));
    return true;
  }

  const std::string& file_;
  std::vector<Assignment>& into_;
  bool in_login_ = false;
};

// A device in the place of a file, or a link to one that this tree does not have, empties it.
bool is_masked(const Root& root, const std::string& file) {
  std::error_code error;
  const auto target = std::filesystem::read_symlink(root.directory() + file, error);
  return !error && target == "/dev/null";
}

// The files in the order in which they are read.
std::vector<std::string> files_in_order(const Root& root, LogindTimes& times) {
  std::vector<std::string> files;
  for (const char* folder : kFolders) {
    const std::string file = std::string(folder) + "/logind.conf";
    times.files.push_back(file);
    if (files.empty() && root.exists(file)) files.push_back(file);
  }
  std::map<std::string, std::string> drop_ins;
  for (const char* folder : kFolders) {
    const std::string directory = std::string(folder) + "/logind.conf.d";
    times.files.push_back(directory);
    for (const std::string& file : root.glob(directory + "/*.conf")) {
      drop_ins.emplace(std::filesystem::path(file).filename(), file);
    }
  }
  for (const auto& [name, file] : drop_ins) {
    times.files.push_back(file);
    files.push_back(file);
  }
  return files;
}

Seconds rounded_up(Nanoseconds span) {
  constexpr Seconds kMost(INT32_MAX);  // as for sshd's durations
  return std::min(std::chrono::ceil<Seconds>(span), kMost);
}

void stop_idle_session(Assignment assignment, LogindTimes& times) {
  LimitSource& source = assignment.source;
  const auto span = parse_time_span(assignment.value);
  if (!span) {
    source.reason = "no time span, so logind ignores the line";
    source.malformed = true;
    times.overruled.push_back(std::move(source));
    return;
  }
  if (*span == Nanoseconds::max() || *span == Nanoseconds(0)) {
    source.reason = "never";
  } else {
    source.limit = rounded_up(*span);
  }
  if (times.stop_idle_session) {
    times.stop_idle_session->reason = "overwritten by " + source.where.text();
    times.overruled.push_back(*std::move(times.stop_idle_session));
  }
  times.stop_idle_session = std::move(source);
}

}  // namespace

std::optional<Nanoseconds> parse_time_span(std::string_view text) {
  const auto microseconds = parse_microseconds(text);
  if (!microseconds) return std::nullopt;
  constexpr auto kMost = static_cast<std::uint64_t>(Nanoseconds::max().count()) / 1000;
  if (*microseconds > kMost) return Nanoseconds::max();
  return std::chrono::microseconds(*microseconds);
}

LogindTimes logind_times(const Root& root) {
  LogindTimes times;
  std::vector<Assignment> assignments;
  for (const std::string& file : files_in_order(root, times)) {
    const auto text = root.read(file);
    if (!text) {
      if (text.error().code != ENOENT && !is_masked(root, file)) {
        times.problems.push_back(text.error());
      }
      continue;
    }
    if (auto error = FileReader(file, assignments).read(*text)) {
      times.problems.push_back(*std::move(error));
    }
  }
  for (Assignment& assignment : assignments) {
    if (assignment.key == "StopIdleSessionSec") {
      stop_idle_session(std::move(assignment), times);
    } else if (assignment.key == "IdleActionSec") {
      const auto span = parse_time_span(assignment.value);
      if (!span) continue;
      if (*span != Nanoseconds::max()) assignment.source.limit = rounded_up(*span);
      times.idle_action = std::move(assignment.source);
    }
  }
  return times;
}

}  // namespace idlewarden

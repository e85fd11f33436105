// SPDX-License-Identifier: Apache-2.0
#include "limits/hours.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "base/text.h"

namespace idlewarden {
namespace {

constexpr int kDay = 24 * 60;

std::optional<int> parse_day(std::string_view text) {
  static constexpr std::array<std::string_view, 7> kNames{
      "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};
  const std::string name = lower(text);
  if (name.size() < 2) return std::nullopt;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i].starts_with(name)) return static_cast<int>(i);
  }
  return std::nullopt;
}

// Adds "Mo" or "Fr-Mo" to the days.
bool add_days(std::string_view text, Hours& hours) {
  const std::vector<std::string> ends = split(text, '-');
  if (ends.size() > 2) return false;
  const auto first = parse_day(ends.front());
  const auto last = parse_day(ends.back());
  if (!first || !last) return false;
  for (int day = *first;; day = (day + 1) % 7) {
    hours.days[day] = true;
    if (day == *last) return true;
  }
}

// "8:00", "08:00"; minutes since midnight.
std::optional<int> parse_time(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon < 1 || colon > 2 || text.size() != colon + 3) {
    return std::nullopt;
  }
  int numbers[2] = {0, 0};
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == colon) continue;
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    int& number = numbers[i < colon ? 0 : 1];
    number = number * 10 + (text[i] - '0');
  }
  const int minute = numbers[0] * 60 + numbers[1];
  if (numbers[1] > 59 || minute > kDay) return std::nullopt;
  return minute;
}

bool set_span(std::string_view text, Hours& hours) {
  const std::vector<std::string> ends = split(text, '-');
  if (ends.size() != 2) return false;
  const auto from = parse_time(ends[0]);
  const auto to = parse_time(ends[1]);
  if (!from || !to || *from == kDay || *from == *to) return false;
  hours.from_minute = *from;
  hours.to_minute = *to;
  return true;
}

}  // namespace

Result<Hours> parse_hours(std::string_view text) {
  std::vector<std::string> words = split(text, ' ');
  std::erase_if(words, [](const std::string& word) { return trim(word).empty(); });
  Hours hours;
  const bool has_span = !words.empty() && words.back().find(':') != std::string::npos;
  bool good = !words.empty() && words.size() <= (has_span ? 2 : 1);
  if (good && has_span) good = set_span(words.back(), hours);
  if (good && words.size() == (has_span ? 1 : 0)) {
    std::ranges::fill(hours.days, true);
  } else if (good) {
    for (const std::string& days : split(words.front(), ',')) good = good && add_days(days, hours);
  }
  if (good) return hours;
  return fail(fmt::format("\"{}\" are no hours", printable(text, 60)),
              "write them as \"Mo-Fr 08:00-18:00\", \"Sa,Su\" or \"22:00-06:00\"");
}

bool Hours::contains(WallTime wall) const {
  const time_t seconds = std::chrono::system_clock::to_time_t(wall);
  tm local{};
  ::tzset();  // localtime_r() alone would not notice that the host's time zone was changed
  if (::localtime_r(&seconds, &local) == nullptr) return false;
  const int minute = local.tm_hour * 60 + local.tm_min;
  const int today = (local.tm_wday + 6) % 7;
  if (from_minute < to_minute) {
    return days[today] && minute >= from_minute && minute < to_minute;
  }
  const int yesterday = (today + 6) % 7;
  return (days[today] && minute >= from_minute) || (days[yesterday] && minute < to_minute);
}

}  // namespace idlewarden

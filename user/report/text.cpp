// SPDX-License-Identifier: Apache-2.0
#include "report/text.h"

#include <cmath>

#include "base/duration.h"
#include "base/text.h"

namespace idlewarden {

std::string file_line(const Where& where) {
  return printable(Where{.file = where.file, .line = where.line}.text(), kSentenceLimit);
}

std::string short_duration(Nanoseconds d) {
  if (d < Nanoseconds(0)) return "-" + short_duration(-d);
  using namespace std::chrono;
  const seconds s = floor<seconds>(d);
  if (s >= weeks(1)) return format_duration(floor<days>(s));
  if (s >= days(1)) return format_duration(floor<hours>(s));
  if (s >= hours(1)) return format_duration(floor<minutes>(s));
  return format_duration(s);
}

double to_ms_precision(double seconds) {
  return std::round(seconds * 1000) / 1000;
}

nlohmann::ordered_json text_or_null(std::string_view raw, std::size_t limit) {
  if (raw.empty()) return nullptr;
  return printable(raw, limit);
}

std::string dump(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace idlewarden

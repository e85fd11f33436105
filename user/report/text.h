// SPDX-License-Identifier: Apache-2.0
// The small pieces that every rendering of this folder shares.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace idlewarden {

// Names stay short in a line; a sentence may be longer.
inline constexpr std::size_t kNameLimit = 64;
inline constexpr std::size_t kSentenceLimit = 1024;

// "FILE:LINE", printable; empty if there is no file.
std::string file_line(const Where& where);
// For people: seconds below an hour, minutes below a day, hours below a week; never rounded up.
std::string short_duration(Nanoseconds d);

// Seconds to the millisecond.
double to_ms_precision(double seconds);
// A string made printable, null if it is empty.
nlohmann::ordered_json text_or_null(std::string_view raw, std::size_t limit = 256);
template <class T>
nlohmann::ordered_json value_or_null(const std::optional<T>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}
// Compact; never throws on what it is given.
std::string dump(const nlohmann::ordered_json& json);

}  // namespace idlewarden

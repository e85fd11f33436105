// SPDX-License-Identifier: Apache-2.0
#include "sessions/session.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/procfs.h"

namespace idlewarden {
namespace {

constexpr std::array<std::pair<Kind, std::string_view>, 7> kNames{{
    {Kind::ssh, "ssh"},
    {Kind::ssh_nopty, "ssh-nopty"},
    {Kind::mosh, "mosh"},
    {Kind::dropbear, "dropbear"},
    {Kind::telnet, "telnet"},
    {Kind::console, "console"},
    {Kind::serial, "serial"},
}};

}  // namespace

std::string_view to_string(Kind kind) {
  for (const auto& [value, name] : kNames) {
    if (value == kind) return name;
  }
  std::unreachable();
}

std::optional<Kind> kind_from(std::string_view name) {
  for (const auto& [value, known] : kNames) {
    if (known == name) return value;
  }
  return std::nullopt;
}

std::string SessionId::text() const {
  return fmt::format("{}-{}", leader, start_ticks(start));
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "kernel/activity_source.h"

#include <array>
#include <utility>

namespace idlewarden {
namespace {

constexpr std::array<std::pair<Backend, std::string_view>, 4> kNames{{
    {Backend::fentry, "fentry"},
    {Backend::kprobe, "kprobe"},
    {Backend::tracepoint, "tracepoint"},
    {Backend::sampler, "sampler"},
}};

}  // namespace

std::string_view to_string(Backend backend) {
  for (const auto& [value, name] : kNames) {
    if (value == backend) return name;
  }
  std::unreachable();
}

std::optional<Backend> backend_from(std::string_view name) {
  for (const auto& [value, known] : kNames) {
    if (known == name) return value;
  }
  return std::nullopt;
}

}  // namespace idlewarden

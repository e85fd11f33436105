// SPDX-License-Identifier: Apache-2.0
#include "sessions/container.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include "base/text.h"

namespace idlewarden {
namespace {

constexpr std::size_t kShownOfId = 12;

bool is_id(std::string_view text) {
  constexpr std::size_t kLength = 64;
  return text.size() == kLength &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// What stands between the two, if there is anything.
std::optional<std::string_view> between(std::string_view text, std::string_view prefix,
                                        std::string_view suffix) {
  if (text.size() <= prefix.size() + suffix.size() || !text.starts_with(prefix) ||
      !text.ends_with(suffix)) {
    return std::nullopt;
  }
  return text.substr(prefix.size(), text.size() - prefix.size() - suffix.size());
}

// systemd.unit(5): "\x2d" is a dash in the name.
std::string unescaped(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    unsigned value = 0;
    const bool escape = name.substr(i).starts_with("\\x") && i + 4 <= name.size();
    const char* const digits = name.data() + i + 2;
    if (escape && std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2) {
      out += static_cast<char>(value);
      i += 3;
    } else {
      out += name[i];
    }
  }
  return out;
}

// One folder of the path, in the folder `above`.
std::string name_in(std::string_view part, std::string_view above) {
  struct Form {
    std::string_view prefix;
    std::string_view suffix;
  };
  constexpr std::array<Form, 3> kNamed{
      {{"lxc.payload.", ""}, {"systemd-nspawn@", ".service"}, {"machine-", ".scope"}}};
  for (const auto& [prefix, suffix] : kNamed) {
    if (const auto name = between(part, prefix, suffix)) return unescaped(*name);
  }
  if (above == "lxc") return std::string(part);
  // "docker-ID.scope", "libpod-ID.scope", "cri-containerd-ID.scope", "crio-ID.scope" of systemd's
  // cgroups; "ID" or "libpod-ID" of those that the managers make by themselves.
  std::string_view id = part;
  if (id.ends_with(".scope")) id.remove_suffix(6);
  id = id.substr(id.rfind('-') + 1);  // npos + 1 is 0
  return is_id(id) ? std::string(id.substr(0, kShownOfId)) : std::string();
}

bool same_namespace(const Procfs& procfs, pid_t pid, const std::string& which, bool unknown) {
  const auto ours = procfs.link(::getpid(), which);
  const auto theirs = procfs.link(pid, which);
  return ours && theirs ? *ours == *theirs : unknown;
}

}  // namespace

std::string cgroup_path_of(const Procfs& procfs, pid_t pid) {
  std::string path = "/";
  const auto text = procfs.read(fmt::format("{}/cgroup", pid));
  if (!text) return path;
  for (const std::string& line : split(*text, '\n')) {
    // "HIERARCHY:CONTROLLERS:PATH", cgroups(7).
    const auto fields = split(line, ':');
    if (fields.size() < 3) continue;
    const bool v2 = fields[0] == "0" && fields[1].empty();
    if (!v2 && fields[1] != "name=systemd") continue;
    const std::string found = line.substr(fields[0].size() + fields[1].size() + 2);
    if (found != "/" && (v2 || path == "/")) path = found;
  }
  return path;
}

std::string container_name(std::string_view cgroup_path) {
  const std::vector<std::string> parts = split(cgroup_path, '/');
  for (std::size_t i = parts.size(); i-- > 0;) {
    std::string name = name_in(parts[i], i > 0 ? std::string_view(parts[i - 1]) : "");
    if (!name.empty()) return name;
  }
  return {};
}

std::string container_of(const Procfs& procfs, pid_t pid) {
  if (same_namespace(procfs, pid, "ns/pid", true)) return {};
  const std::string path = cgroup_path_of(procfs, pid);
  if (std::string name = container_name(path); !name.empty()) return name;
  return path != "/" ? path : procfs.link(pid, "ns/pid").value_or("");
}

bool shares_user_namespace(const Procfs& procfs, pid_t pid) {
  return same_namespace(procfs, pid, "ns/user", false);
}

}  // namespace idlewarden

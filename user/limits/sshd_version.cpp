// SPDX-License-Identifier: Apache-2.0
#include "limits/sshd_version.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/text.h"

namespace idlewarden {
namespace {

constexpr ReadLimits kBinary{.max_bytes = 32 << 20, .owner = {}};
constexpr const char* kBinaries[] = {"/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd",
                                     "/sbin/sshd"};

// "9.2p1..." at the beginning of `text`.
std::optional<SshdVersion> version_at(std::string_view text) {
  SshdVersion version;
  const char* const end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, version.major);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return std::nullopt;
  const auto minor = std::from_chars(major.ptr + 1, end, version.minor);
  if (minor.ec != std::errc()) return std::nullopt;
  return version;
}

// The binary also names older releases, whose bugs it works around; none is newer than itself.
std::optional<SshdVersion> in_binary(std::string_view content) {
  constexpr std::string_view kBanner = "OpenSSH_";
  std::optional<SshdVersion> newest;
  for (auto at = content.find(kBanner); at != std::string_view::npos;
       at = content.find(kBanner, at + 1)) {
    const auto version = version_at(content.substr(at + kBanner.size(), 16));
    if (version && (!newest || *version > *newest)) newest = version;
  }
  return newest;
}

// A database of paragraphs: the version in the one that begins with `package`.
std::optional<SshdVersion> in_database(const Root& root, const std::string& file,
                                       std::string_view package, std::string_view key) {
  const auto text = root.read(file, kBinary);
  if (!text) return std::nullopt;
  bool ours = false;
  for (const std::string& line : split(*text, '\n')) {
    if (trim(line).empty()) {
      ours = false;
    } else if (line == package) {
      ours = true;
    } else if (ours && line.starts_with(key)) {
      const std::string version = line.substr(key.size());
      return version_at(std::string_view(version).substr(version.find(':') + 1));  // the epoch off
    }
  }
  return std::nullopt;
}

}  // namespace

std::string SshdVersion::text() const {
  return fmt::format("{}.{}", major, minor);
}

std::optional<SshdVersion> sshd_version(const Root& root) {
  for (const char* path : kBinaries) {
    const auto content = root.read(path, kBinary);
    if (!content) continue;
    if (const auto version = in_binary(*content)) return version;
  }
  if (auto version =
          in_database(root, "/var/lib/dpkg/status", "Package: openssh-server", "Version: ")) {
    return version;
  }
  return in_database(root, "/lib/apk/db/installed", "P:openssh-server", "V:");
}

}  // namespace idlewarden

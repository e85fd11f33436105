// SPDX-License-Identifier: Apache-2.0
// Which OpenSSH a tree has, read and never executed: some settings mean something only from one
// release on.
#pragma once

#include <compare>
#include <optional>
#include <string>

#include "base/files.h"

namespace idlewarden {

struct SshdVersion {
  int major = 0;
  int minor = 0;
  friend auto operator<=>(const SshdVersion&, const SshdVersion&) = default;
  std::string text() const;  // "9.2"
};

// From the banner in the sshd binary (version.h: SSH_RELEASE), else from what dpkg or apk noted
// about the package. nullopt: neither is there.
std::optional<SshdVersion> sshd_version(const Root& root);

}  // namespace idlewarden

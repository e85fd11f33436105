// SPDX-License-Identifier: Apache-2.0
// The reader of shell files on any bytes at all. The first byte of an input says which shell; the
// rest is three files, each ended by 0x1e (record separator): the system's first start-up file, one
// that ". /etc/a" finds, and the user's own.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fuzz_tree.h"
#include "limits/shell_timeout.h"

namespace {

using namespace idlewarden;
using namespace idlewarden::fuzz;

struct Start {
  const char* shell;
  const char* systems;
  const char* users;
};
constexpr std::array<Start, 5> kStarts = {{{"/bin/bash", "/etc/profile", "/home/u/.profile"},
                                           {"/bin/zsh", "/etc/zshrc", "/home/u/.zshrc"},
                                           {"/bin/ksh93", "/etc/profile", "/home/u/.kshrc"},
                                           {"/bin/mksh", "/etc/profile", "/home/u/.mkshrc"},
                                           {"/bin/tcsh", "/etc/csh.cshrc", "/home/u/.cshrc"}}};

std::optional<Seconds> strictest(const ShellTimeouts& timeouts) {
  std::optional<Seconds> limit;
  for (const LimitSource& source : timeouts.in_force) {
    if (source.limit && (!limit || *source.limit < *limit)) limit = source.limit;
  }
  return limit;
}

ShellTimeouts read(const Tree& tree, const Start& start) {
  ShellTimeouts timeouts = shell_timeouts(Root(tree.path()), {.uid = ::getuid(),
                                                              .home = "/home/u",
                                                              .shell = start.shell,
                                                              .name = "u",
                                                              .gid = ::getgid(),
                                                              .groups = {"u", "staff", "wheel"},
                                                              .login = Login::ssh});
  require_explained(timeouts.in_force);
  require_explained(timeouts.overruled);
  return timeouts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Tree tree{"/etc/profile.d", "/home/u"};
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  const Start& start = kStarts[static_cast<unsigned char>(input.front()) % kStarts.size()];
  input.remove_prefix(1);
  tree.write(start.systems, take_part(input));
  tree.write("/etc/a", take_part(input));
  const std::string_view own = take_part(input);

  tree.write(start.users, "");
  const std::optional<Seconds> systems = strictest(read(tree, start));
  tree.write(start.users, own);
  const std::optional<Seconds> both = strictest(read(tree, start));
  tree.write(start.systems, "");
  tree.write(start.users, "");
  // Whatever the user writes, the system's limit stays, or a stricter one does.
  require(!systems || (both && *both <= *systems));
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// The reader of shell files on any bytes at all. The first byte of an input says which shell; the
// rest is three files, each ended by 0x1e (record separator): the system's first start-up file, one
// that ". /etc/a" finds, and the user's own.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "limits/shell_timeout.h"

namespace {

using namespace idlewarden;

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

// Held in memory, removed with the process.
class Tree {
 public:
  Tree() {
    char made[] = "/dev/shm/idlewarden-fuzz.XXXXXX";
    if (::mkdtemp(made) == nullptr) std::abort();
    path_ = made;
    for (const char* folder : {"/etc", "/etc/profile.d", "/home", "/home/u"}) {
      std::filesystem::create_directory(path_ + folder);
    }
  }
  ~Tree() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  void write(const std::string& name, std::string_view content) const {
    const int fd = ::open((path_ + name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || ::write(fd, content.data(), content.size()) < 0) std::abort();
    ::close(fd);
  }

 private:
  std::string path_;
};

std::string_view take_part(std::string_view& input) {
  const std::size_t end = input.find('\x1e');
  const std::string_view part = input.substr(0, end);
  input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
  return part;
}

std::optional<Seconds> strictest(const ShellTimeouts& timeouts) {
  std::optional<Seconds> limit;
  for (const LimitSource& source : timeouts.in_force) {
    if (source.limit && (!limit || *source.limit < *limit)) limit = source.limit;
  }
  return limit;
}

void check(const std::vector<LimitSource>& sources) {
  for (const LimitSource& source : sources) {
    if (source.reason.empty() || source.used || source.where.file.empty()) std::abort();
    if (source.limit && *source.limit <= Seconds(0)) std::abort();
    if (source.text.find('\x1b') != std::string::npos) std::abort();
    if (source.reason.find('\x1b') != std::string::npos) std::abort();
  }
}

ShellTimeouts read(const Tree& tree, const Start& start) {
  ShellTimeouts timeouts = shell_timeouts(
      Root(tree.path()), {.uid = ::getuid(), .home = "/home/u", .shell = start.shell});
  check(timeouts.in_force);
  check(timeouts.overruled);
  return timeouts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Tree tree;
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
  if (systems && (!both || *both > *systems)) std::abort();
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// The reader of sshd_config on any bytes at all. An input is up to three files and an option of the
// command line, each ended by 0x1e (record separator); the first is sshd_config, the others are
// what "Include /a" and "Include /b" find.
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "limits/sshd_config.h"

namespace {

using namespace idlewarden;

// The files are held in memory, removed with the process.
class Tree {
 public:
  Tree() {
    char made[] = "/dev/shm/idlewarden-fuzz.XXXXXX";
    if (::mkdtemp(made) == nullptr) std::abort();
    path_ = made;
  }
  ~Tree() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  void write(const char* name, std::string_view content) const {
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

void use(const SshdConfig& config, const SshdConnection& connection) {
  const SshdEffective effective = config.resolve(connection);
  if (effective.interval < Seconds(0) || effective.count_max < 0) std::abort();
  for (const Kind kind : {Kind::ssh, Kind::ssh_nopty}) {
    for (const LimitSource& source : config.limits(connection, kind)) {
      // What is said of a line has a reason, a limit is a time, and others' text is printable.
      if (source.reason.empty() || source.used) std::abort();
      if (source.limit && *source.limit <= Seconds(0)) std::abort();
      if (source.text.find('\x1b') != std::string::npos) std::abort();
      if (source.reason.find('\x1b') != std::string::npos) std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Tree tree;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  tree.write("/sshd_config", take_part(input));
  tree.write("/a", take_part(input));
  tree.write("/b", take_part(input));
  std::vector<std::string> options;
  if (!input.empty()) options.emplace_back(take_part(input));

  const auto config = SshdConfig::load(Root(tree.path()), "/sshd_config", options);
  if (!config) {
    if (config.error().what.empty() || config.error().text().find('\x1b') != std::string::npos)
      std::abort();
    return 0;
  }
  use(*config, {});
  SshdConnection connection;
  connection.user = "bob";
  connection.groups = {"staff", "wheel"};
  connection.host = "client.example.com";
  connection.address = "10.1.2.3";
  connection.local_address = "2001:db8::1";
  connection.local_port = 22;
  connection.rdomain = "vrf1";
  use(*config, connection);
  connection.version = "OpenSSH_10.5p1";
  connection.invalid_user = true;
  use(*config, connection);
  return 0;
}

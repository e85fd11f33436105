// SPDX-License-Identifier: Apache-2.0
// The reader of sshd_config on any bytes at all. An input is up to three files and an option of the
// command line, each ended by 0x1e (record separator); the first is sshd_config, the others are
// what "Include /a" and "Include /b" find.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz_tree.h"
#include "limits/sshd_config.h"

namespace {

using namespace idlewarden;
using namespace idlewarden::fuzz;

void use(const SshdConfig& config, const SshdConnection& connection) {
  const SshdEffective effective = config.resolve(connection);
  require(effective.interval >= Seconds(0) && effective.count_max >= 0);
  for (const Kind kind : {Kind::ssh, Kind::ssh_nopty}) {
    require_explained(config.limits(connection, kind));
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
    require_sound(config.error());
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

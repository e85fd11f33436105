// SPDX-License-Identifier: Apache-2.0
// The reader of logind.conf on any bytes at all. An input is three files, each ended by 0x1e: the
// main one and two drop-ins, the later of which is in the earlier folder.
#include <cstdint>
#include <string_view>

#include "fuzz_tree.h"
#include "limits/logind.h"

using namespace idlewarden;
using namespace idlewarden::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Tree tree{"/etc/systemd/logind.conf.d", "/usr/lib/systemd/logind.conf.d"};
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto span = parse_time_span(input)) require(*span >= Nanoseconds(0));
  tree.write("/etc/systemd/logind.conf", take_part(input));
  tree.write("/usr/lib/systemd/logind.conf.d/10-a.conf", take_part(input));
  tree.write("/etc/systemd/logind.conf.d/20-b.conf", take_part(input));

  const LogindTimes times = logind_times(Root(tree.path()));
  if (times.stop_idle_session) require_sound(*times.stop_idle_session);
  if (times.idle_action) require_printable(times.idle_action->text);
  require_explained(times.overruled);
  for (const Error& problem : times.problems) require_sound(problem);
  return 0;
}

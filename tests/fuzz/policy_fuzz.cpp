// SPDX-License-Identifier: Apache-2.0
// The reader of policy files on any bytes at all: one that is refused changes nothing, and of one
// that is taken every answer makes sense. An input is two files, each ended by 0x1e: the policy and
// one of policies.d.
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz_tree.h"
#include "limits/limits.h"

namespace {

using namespace idlewarden;
using namespace idlewarden::fuzz;

constexpr const char* kMain = "/etc/idlewarden/idlewarden.toml";
constexpr const char* kPart = "/etc/idlewarden/policies.d/50-more.toml";
constexpr const char* kGood = "[[rule]]\nname = \"all\"\nlimit = \"10m\"\n";

void require_sensible(const Verdict& verdict) {
  require(!verdict.limit || *verdict.limit > Seconds(0));
  require(!verdict.limit || verdict.decided_by);
  require(verdict.warn >= Seconds(0) && verdict.grace >= Seconds(0));
  require(!verdict.limit || verdict.warn * 2 <= *verdict.limit);
  require_explained(verdict.sources);
}

Verdict answer(const Limits& limits, Kind kind, int hour) {
  Subject subject;
  subject.user = "bob";
  subject.uid = 1000;
  subject.groups = {"staff"};
  subject.home = "/home/bob";
  subject.shell = "/bin/bash";
  subject.kind = kind;
  subject.tty = "pts/3";
  subject.address = "10.1.2.3";
  subject.host = "client.example.com";
  return limits.resolve(subject, WallTime(std::chrono::hours(hour)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Tree tree{"/etc/idlewarden/policies.d"};
  tree.write(kMain, kGood);
  tree.write(kPart, "");
  auto limits = Limits::load(Root(tree.path()), kMain);
  require(limits.has_value());

  std::string_view input(reinterpret_cast<const char*>(data), size);
  tree.write(kMain, take_part(input));
  tree.write(kPart, take_part(input));
  if (const auto loaded = limits->reload(); !loaded) {
    require_sound(loaded.error());
    require(!loaded.error().where.file.empty());
    const Verdict verdict = answer(*limits, Kind::ssh, 0);
    require(verdict.limit == Seconds(600) && verdict.rule == "all");
    return 0;
  }
  for (const Kind kind : {Kind::ssh, Kind::ssh_nopty, Kind::console}) {
    for (const int hour : {0, 36, 130}) require_sensible(answer(*limits, kind, hour));
  }
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Random things happen to a made-up host (host_world.h) with a whole daemon on it, in short
// episodes: the one that would be ended is the one that was idle, whatever is used again.
//
// $IDLEWARDEN_SEED repeats a run; $IDLEWARDEN_STEPS makes it longer or shorter.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>

#include "host_world.h"
#include "support/story.h"

namespace idlewarden::test {
namespace {

constexpr std::size_t kEpisode = 150;

HostOp::Kind draw(std::mt19937_64& random) {
  static const std::vector<HostOp::Kind> kUrn = [] {
    std::vector<HostOp::Kind> urn;
    const auto add = [&](HostOp::Kind kind, int weight) { urn.insert(urn.end(), weight, kind); };
    for (int k = 0; k < HostOp::kinds; ++k) add(static_cast<HostOp::Kind>(k), 1);
    add(HostOp::pass_time, 14);
    add(HostOp::log_in, 5);
    add(HostOp::type, 5);
    add(HostOp::type_in_between, 4);
    return urn;
  }();
  return kUrn[random() % kUrn.size()];
}

std::vector<HostOp> episode(std::mt19937_64& random) {
  std::vector<HostOp> story(kEpisode);
  for (HostOp& op : story) {
    const std::uint64_t bits = random();
    op = {draw(random), static_cast<std::uint32_t>(bits >> 40), static_cast<std::uint32_t>(bits),
          static_cast<std::uint32_t>(random())};
  }
  return story;
}

TEST(MonitorProperties, NobodyIsTakenForSomebodyElse) {
  // Its files are many and small.
  if (::access("/dev/shm", W_OK) == 0) ::setenv("TMPDIR", "/dev/shm", 1);
  const std::uint64_t seed = number_from("IDLEWARDEN_SEED", std::random_device{}());
  const std::uint64_t steps = number_from("IDLEWARDEN_STEPS", 60'000);
  std::cout << "IDLEWARDEN_SEED=" << seed << " IDLEWARDEN_STEPS=" << steps << std::endl;
  std::mt19937_64 random(seed);
  HostWorld::Counts all;
  for (std::uint64_t done = 0; done < steps; done += kEpisode) {
    const std::vector<HostOp> story = episode(random);
    HostWorld world(false);
    if (!first_violation(story, world).empty()) {
      FAIL() << "after " << done << " steps, " << told<HostWorld>(shrunk<HostWorld>(story));
    }
    all.turns += world.counts.turns;
    all.started += world.counts.started;
    all.hang_ups += world.counts.hang_ups;
    all.warned += world.counts.warned;
    all.resumed += world.counts.resumed;
    all.terminated += world.counts.terminated;
    all.reported += world.counts.reported;
    all.taken_over += world.counts.taken_over;
    all.shared += world.counts.shared;
    all.refused += world.counts.refused;
  }
  std::cout << "turns " << all.turns << ", found " << all.started << ", on a shared connection "
            << all.shared << ", warned " << all.warned << ", resumed " << all.resumed
            << ", hung up " << all.hang_ups << ", terminated " << all.terminated
            << ", only reported " << all.reported << ", ends taken over " << all.taken_over
            << ", not seized " << all.refused << std::endl;
  // A run in which little happened would prove little.
  const std::uint64_t some = steps / 1500;
  for (const std::uint64_t count : {all.started, all.shared, all.warned, all.resumed, all.hang_ups,
                                    all.terminated, all.reported, all.refused}) {
    EXPECT_GE(count, some);
  }
}

}  // namespace
}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// A million random things happen to a made-up host, in short episodes; after each, the rules of
// world_rules.h must hold. A failure is made as short as it gets and printed as a story.
//
// $IDLEWARDEN_SEED repeats a run; $IDLEWARDEN_STEPS makes it longer or shorter.
#include <gtest/gtest.h>

#include <iostream>
#include <random>

#include "support/story.h"
#include "world.h"

namespace idlewarden::test {
namespace {

constexpr std::size_t kEpisode = 400;
using Story = std::vector<Op>;

// How often each kind of thing happens.
Op::Kind draw(std::mt19937_64& random) {
  static const std::vector<Op::Kind> kUrn = [] {
    std::vector<Op::Kind> urn;
    const auto add = [&](Op::Kind kind, int weight) { urn.insert(urn.end(), weight, kind); };
    for (int k = 0; k < Op::kinds; ++k) add(static_cast<Op::Kind>(k), 1);
    add(Op::pass_time, 25);
    add(Op::log_in, 4);
    add(Op::scan, 6);
    add(Op::type, 2);
    add(Op::type_unseen, 2);
    add(Op::fault, 1);
    return urn;
  }();
  return kUrn[random() % kUrn.size()];
}

Story episode(std::mt19937_64& random) {
  Story story(kEpisode);
  for (Op& op : story) {
    const std::uint64_t bits = random();
    op = {draw(random), static_cast<std::uint32_t>(bits >> 40), static_cast<std::uint32_t>(bits),
          static_cast<std::uint32_t>(random())};
  }
  return story;
}

TEST(WardenProperties, HoldWhateverHappens) {
  const std::uint64_t seed = number_from("IDLEWARDEN_SEED", std::random_device{}());
  const std::uint64_t steps = number_from("IDLEWARDEN_STEPS", 1'000'000);
  std::cout << "IDLEWARDEN_SEED=" << seed << " IDLEWARDEN_STEPS=" << steps << std::endl;
  std::mt19937_64 random(seed);
  World::Counts all;
  for (std::uint64_t done = 0; done < steps; done += kEpisode) {
    const Story story = episode(random);
    World world(false);
    if (!first_violation(story, world).empty()) {
      FAIL() << "after " << done << " steps, " << told<World>(shrunk<World>(story));
    }
    all.steps += world.counts.steps;
    all.hang_ups += world.counts.hang_ups;
    all.warnings += world.counts.warnings;
    all.reports += world.counts.reports;
    all.held += world.counts.held;
    all.failures += world.counts.failures;
    all.resumed += world.counts.resumed;
    all.terminated += world.counts.terminated;
    all.host_signals += world.counts.host_signals;
    all.farewells += world.counts.farewells;
    all.restarts += world.counts.restarts;
    all.adopted += world.counts.adopted;
  }
  std::cout << "turns " << all.steps << ", warned " << all.warnings << ", resumed " << all.resumed
            << ", hung up " << all.hang_ups << ", terminated " << all.terminated << ", held "
            << all.held << ", failed " << all.failures << ", only reported " << all.reports
            << ", signals to hosts " << all.host_signals << ", last messages " << all.farewells
            << ", restarts " << all.restarts << ", ends taken over " << all.adopted << std::endl;
  // A run in which little happened would prove little.
  const std::uint64_t some = steps / 2000;
  for (const std::uint64_t count :
       {all.warnings, all.resumed, all.hang_ups, all.terminated, all.held, all.failures,
        all.reports, all.host_signals, all.farewells, all.restarts, all.adopted}) {
    EXPECT_GE(count, some);
  }
}

}  // namespace
}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// What property tests share: a story is a list of things that happen to a made-up world, one after
// the other. A story that breaks a rule is made as short as it gets and printed for people.
//
// World: constructed from `bool tracing`; apply(op), violation() (the first rule that was broken,
// empty so far), trace(). The same story always has the same end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace idlewarden::test {

inline std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

template <class World, class Op>
std::string first_violation(const std::vector<Op>& story, World& world) {
  for (const Op& op : story) {
    world.apply(op);
    if (!world.violation().empty()) break;
  }
  return world.violation();
}

// Leaves out whatever can be left out, large pieces first.
template <class World, class Op>
std::vector<Op> shrunk(std::vector<Op> story) {
  const auto breaks = [](const std::vector<Op>& some) {
    World world(false);
    return !first_violation(some, world).empty();
  };
  for (std::size_t piece = story.size() / 2; piece > 0;) {
    bool shorter = false;
    for (std::size_t at = 0; at + piece <= story.size();) {
      std::vector<Op> less = story;
      const auto from = less.begin() + static_cast<std::ptrdiff_t>(at);
      less.erase(from, from + static_cast<std::ptrdiff_t>(piece));
      if (breaks(less)) {
        story = std::move(less);
        shorter = true;
      } else {
        at += piece;
      }
    }
    if (!shorter || piece > story.size()) piece /= 2;
  }
  return story;
}

template <class World, class Op>
std::string told(const std::vector<Op>& story) {
  World world(true);
  std::string text = "broken: " + first_violation(story, world) + "\n";
  for (const std::string& line : world.trace()) text += "  " + line + "\n";
  return text;
}

}  // namespace idlewarden::test

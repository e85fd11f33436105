// SPDX-License-Identifier: Apache-2.0
// Reads one policy file into a Policy: policy_reader.cpp knows what may stand behind a key,
// policy_toml.cpp which keys there are.
#pragma once

#include <toml++/toml.h>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "limits/match.h"
#include "limits/policy.h"

namespace idlewarden {

class PolicyReader {
 public:
  // What a key does with what stands behind it.
  using Apply = std::function<Result<void>(const toml::node&)>;
  struct Key {
    std::string name;
    Apply apply;
  };
  using Keys = std::vector<Key>;

  PolicyReader(const std::string& file, std::string_view text, Policy& policy)
      : file_(file), lines_(split(text, '\n')), policy_(policy) {}

  Result<void> read(const toml::table& root);

 private:
  Where at(const toml::source_region& region) const {
    return {file_, static_cast<int>(region.begin.line), static_cast<int>(region.begin.column)};
  }
  std::unexpected<Error> wrong(const toml::node& node, std::string what, std::string hint) const {
    return fail_at(at(node.source()), std::move(what), std::move(hint));
  }
  std::string line(int number) const;
  static std::vector<std::string> names(const Keys& keys);

  Result<void> apply(const toml::table& table, const std::string& name, const Keys& keys) const;
  Result<std::string> string(const toml::node& node) const;
  Result<Seconds> seconds(const toml::node& node, Seconds least) const;
  Result<void> each_string(const toml::node& node,
                           const std::function<Result<void>(const std::string&)>& use) const;

  // What may stand behind a key. `into` outlives the call of apply().
  Apply flag(bool& into) const;
  Apply duration(auto& into, Seconds least = Seconds(0)) const;
  Apply bounded(Seconds& into, Seconds least, Seconds most) const;
  Apply text(std::string& into) const;
  Apply message(std::string& into) const;
  using PatternCheck = Result<void> (*)(const std::string&);
  Apply patterns(std::vector<std::string>& into, PatternCheck check = check_pattern) const;
  Apply absolute_paths(std::vector<std::string>& into) const;
  // As `read`, but of a list that says of somebody: an empty one does not mean everybody.
  Apply some(const char* what, const char* everybody, Apply read) const;
  Apply commands(std::vector<std::string>& into) const;
  Apply kinds(std::vector<Kind>& into) const;
  Apply hours(std::vector<Hours>& into) const;
  Apply limit(Rule& into) const;
  Apply count(int& into) const;
  Apply program(Hooks& into) const;
  Apply event_types(std::vector<EventType>& into) const;
  Apply section(std::string name, Keys keys) const;
  template <class T>
  Apply choice(T& into, std::vector<std::pair<std::string, T>> values) const;
  Apply amount(std::optional<std::int64_t>& into) const;
  // An array of tables, each read by `one`.
  using One = Result<void> (PolicyReader::*)(const toml::table& table);
  Apply tables(const char* written, One one);
  Result<void> rule(const toml::table& table);
  Result<void> control(const toml::table& table);
  Keys metrics();
  Keys top_level();

  const std::string& file_;
  std::vector<std::string> lines_;
  Policy& policy_;
  std::vector<std::string> top_names_;
};

}  // namespace idlewarden

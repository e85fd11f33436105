// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_value.h"

#include <algorithm>
#include <utility>

namespace idlewarden::shell {
namespace {

constexpr std::size_t kMaxValues = 12;
constexpr std::size_t kMaxWatchedValues = 64;
constexpr std::size_t kMaxVariables = 1000;
constexpr std::size_t kMaxText = 8192;

// Never destroyed: a thread that reads the files of a home may outlive main() (base/patience.h).
const Variable& ambient() {
  static const Variable* const variable = [] {
    Value outside = Value::unknown();
    outside.inherited = true;
    auto* made = new Variable;
    made->values.push_back(std::move(outside));
    made->exported = Tri::unknown;
    return made;
  }();
  return *variable;
}

}  // namespace

Tri operator!(Tri a) {
  if (a == Tri::unknown) return a;
  return a == Tri::yes ? Tri::no : Tri::yes;
}

Tri operator&&(Tri a, Tri b) {
  if (a == Tri::no || b == Tri::no) return Tri::no;
  return a == Tri::yes ? b : a;
}

Tri operator||(Tri a, Tri b) {
  return !(!a && !b);
}

Tri either(Tri a, Tri b) {
  return a == b ? a : Tri::unknown;
}

void unite(Values& into, const Values& more) {
  for (const Value& value : more) {
    if (std::ranges::find(into, value) != into.end()) continue;
    if (into.size() >= (value.source >= 0 ? kMaxWatchedValues : kMaxValues)) {
      if (std::ranges::find(into, Value::unknown()) == into.end()) into.push_back(Value::unknown());
      return;
    }
    into.push_back(value);
  }
}

bool known_but_for_outside(const Values& values) {
  const auto is_text = [](const Value& value) { return value.kind == Value::Kind::text; };
  return std::ranges::any_of(values, is_text) &&
         std::ranges::all_of(values,
                             [](const Value& value) { return value.inherited || value.known(); });
}

std::size_t weight(const Values& values) {
  std::size_t units = 0;
  for (const Value& value : values) units += 8 + value.text.size() / 2;
  return units;
}

Values each_followed_by(const Values& left, const Values& right, Budget& budget) {
  if (!budget.spend(weight(left) * right.size() + weight(right) * left.size())) {
    return {Value::unknown()};
  }
  Values all;
  for (const Value& a : left) {
    for (const Value& b : right) {
      Value both = Value::of(a.text + b.text);
      const bool known = a.known() && b.known() && both.text.size() <= kMaxText;
      if (a.kind == Value::Kind::begins || (a.known() && b.kind == Value::Kind::begins)) {
        both = Value::begins(a.known() ? both.text : a.text);
      } else if (!known) {
        const bool inherited = (a.inherited || a.known()) && (b.inherited || b.known());
        const bool some = a.kind == Value::Kind::nonempty || b.kind == Value::Kind::nonempty ||
                          !a.text.empty() || !b.text.empty();
        both = some ? Value::nonempty() : Value::unknown();
        both.inherited = inherited;
      }
      unite(all, {both});
    }
  }
  return all;
}

const Variable& State::get(const std::string& name) const {
  const auto found = variables.find(name);
  return found == variables.end() ? ambient() : found->second;
}

Variable& State::at(const std::string& name) {
  static thread_local Variable overflow;
  if (variables.size() >= kMaxVariables && !variables.contains(name)) {
    // Nobody's start-up files have so many: what comes after them stays unknown.
    overflow = ambient();
    return overflow;
  }
  return variables.try_emplace(name, ambient()).first->second;
}

std::size_t State::weight() const {
  std::size_t units = Budget::kStep;
  for (const auto& [name, variable] : variables) {
    units += 32 + name.size() / 2 + shell::weight(variable.values);
  }
  return units;
}

std::optional<State> fork(const State& state, Budget& budget) {
  if (!budget.spend(state.weight())) return std::nullopt;
  return state;
}

void State::join(const State& other) {
  if (!other.alive) return;
  if (!alive) {
    *this = other;
    return;
  }
  const auto merge = [](Variable& into, const Variable& from) {
    if (into == from) return;
    unite(into.values, from.values);
    into.readonly = either(into.readonly, from.readonly);
    into.exported = either(into.exported, from.exported);
    into.integer = into.integer || from.integer;
  };
  for (auto& [name, variable] : variables) merge(variable, other.get(name));
  for (const auto& [name, variable] : other.variables) {
    if (variables.contains(name)) continue;
    Variable merged = ambient();
    merge(merged, variable);
    variables.emplace(name, std::move(merged));
  }
}

void join(std::optional<State>& into, const State& other) {
  if (into) {
    into->join(other);
  } else {
    into = other;
  }
}

}  // namespace idlewarden::shell

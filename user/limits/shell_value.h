// SPDX-License-Identifier: Apache-2.0
// What is known of a shell's variables without running it: for each the values that it may have.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "limits/shell_budget.h"

namespace idlewarden::shell {

enum class Tri { no, yes, unknown };
Tri operator!(Tri a);
Tri operator&&(Tri a, Tri b);
Tri operator||(Tri a, Tri b);
// What holds when either of two ways was taken.
Tri either(Tri a, Tri b);

enum class Dialect { bash, posix, ksh93, mksh, zsh };

struct Value {
  enum class Kind { unset, text, begins, nonempty, unknown };
  Kind kind = Kind::unset;
  std::string text;        // of kind begins: what it begins with, never empty
  int source = -1;         // the line that gave it, for a variable that is watched
  bool inherited = false;  // unknown, because it would come from outside of all files

  static Value of(std::string text) { return {Kind::text, std::move(text)}; }
  static Value begins(std::string text) { return {Kind::begins, std::move(text)}; }
  static Value unknown() { return {Kind::unknown, {}}; }
  static Value nonempty() { return {Kind::nonempty, {}}; }
  bool known() const { return kind == Kind::unset || kind == Kind::text; }
  bool empty() const { return kind == Kind::unset || (kind == Kind::text && text.empty()); }
  friend bool operator==(const Value&, const Value&) = default;
};

// One of these; never empty.
using Values = std::vector<Value>;
// What they weigh, in units of the Budget.
std::size_t weight(const Values& values);
// A variable that no file sets is unset in all but the strangest logins: whether what is left is
// known, and there is some.
bool known_but_for_outside(const Values& values);
// Adds what is missing. Beyond a bound the rest becomes one unknown value.
void unite(Values& into, const Values& more);
// Paid for; {unknown} where that is not possible.
Values each_followed_by(const Values& left, const Values& right, Budget& budget);

struct Variable {
  Values values{Value{}};
  Tri readonly = Tri::no;
  Tri exported = Tri::no;
  bool integer = false;
  friend bool operator==(const Variable&, const Variable&) = default;
};

// The state of the shell at one point of its start. A variable that is not in it is the
// environment's: nobody here knows it.
struct State {
  bool alive = true;  // false: this point is not reached
  std::string why_not;
  std::map<std::string, Variable> variables;

  const Variable& get(const std::string& name) const;
  Variable& at(const std::string& name);
  std::size_t weight() const;
  // The state after one of two ways was taken.
  void join(const State& other);
};
// For the many places where a way out may be taken more than once.
void join(std::optional<State>& into, const State& other);
// A copy, to follow one of two ways; nullopt: it cannot be paid for.
std::optional<State> fork(const State& state, Budget& budget);

}  // namespace idlewarden::shell

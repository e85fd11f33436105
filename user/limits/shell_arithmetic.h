// SPDX-License-Identifier: Apache-2.0
// Shell arithmetic (XCU 2.6.4 and ksh's **, base#number, comma), over numbers that may be unknown.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "limits/shell_value.h"

namespace idlewarden::shell {

using Number = std::optional<std::int64_t>;

struct ArithmeticScope {
  bool leading_zero_is_octal = true;
  std::function<Number(const std::string& name)> get;
  std::function<void(const std::string& name, Number value)> set;
};

// A variable's value, or a word that is compared as a number: a constant and nothing else.
Number constant(Dialect dialect, std::string_view text);
// nullopt: unknown, or not an expression at all.
Number evaluate_arithmetic(std::string_view text, const ArithmeticScope& scope);

}  // namespace idlewarden::shell

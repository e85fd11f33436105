// SPDX-License-Identifier: Apache-2.0
// What the words and the conditions of a csh script come out as at one point of it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "limits/shell_csh_lines.h"
#include "limits/shell_findings.h"
#include "limits/shell_timeout.h"
#include "limits/shell_value.h"

namespace idlewarden::shell {

class CshScope {
 public:
  CshScope(const State& state, const ShellUser& user, Findings& findings)
      : state_(state), user_(user), findings_(findings) {}

  // Known only as far as it is one word, whatever the shell makes of it. `pattern`: with * ? [ as
  // they stand.
  Value expand(const CshWord& word, bool pattern = false) const;
  // ( expression ): terms joined by && alone or by || alone; the rest is not decided.
  Tri ask(std::span<const CshWord> words) const;
  // Whether it names a variable that is not there. One of which no file has said anything may be,
  // unless `script`, where the command stands, asks for it or has an `eval`.
  Tri lacks_variable(const CshCommand& command, std::string_view script) const;
  // Digits, and some.
  static bool is_number(const Value& value);
  // The operand of `ls OPERAND`.
  static std::optional<CshWord> listed(const CshWord& word);

 private:
  Value output(const CshWord& word) const;
  Tri ask_term(std::vector<CshWord> term) const;
  // A $ and what belongs to it; `at`: behind the $, then behind all of it.
  Value variable(const CshWord& word, std::size_t& at) const;
  Tri is_set(const std::string& name) const;

  const State& state_;
  const ShellUser& user_;
  Findings& findings_;
};

}  // namespace idlewarden::shell

// SPDX-License-Identifier: Apache-2.0
// What the words and the conditions of a csh script come out as at one point of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "limits/shell_csh_lines.h"
#include "limits/shell_timeout.h"
#include "limits/shell_value.h"

namespace idlewarden::shell {

class CshScope {
 public:
  CshScope(const State& state, const ShellUser& user, const Root& root)
      : state_(state), user_(user), root_(root) {}

  Value expand(const CshWord& word) const;
  // ( expression ): terms joined by && alone or by || alone; the rest is not decided.
  Tri ask(std::vector<CshWord> words) const;
  // The operand of `ls OPERAND`.
  static std::optional<CshWord> listed(const CshWord& word);

 private:
  Value output(const CshWord& word) const;
  Tri ask_term(const std::vector<CshWord>& term) const;
  Tri is_set(const std::string& name) const;

  const State& state_;
  const ShellUser& user_;
  const Root& root_;
};

}  // namespace idlewarden::shell

// SPDX-License-Identifier: Apache-2.0
// The form of a policy file: TOML 1.0 (toml.io), every key and type checked, unknown keys refused.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "limits/policy.h"

namespace idlewarden {

// Sets what `text` (the content of `file`) says in `policy` and appends its rules. An error names
// the place and what to write instead; `policy` is then to be thrown away.
Result<void> merge_policy(const std::string& file, std::string_view text, Policy& policy);

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

namespace idlewarden {

int run_cli(int, char**) { return 2; }

}  // namespace idlewarden

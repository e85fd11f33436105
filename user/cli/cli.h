// SPDX-License-Identifier: Apache-2.0
// The command line. Options are declared once, here and in one file per subcommand.
#pragma once

namespace idlewarden {

// Exit status: 0 fine, 1 findings or a bad configuration, 2 usage, 3 the daemon or the kernel could
// not be reached, or the output not be written.
int run_cli(int argc, char** argv);

}  // namespace idlewarden

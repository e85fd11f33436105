// SPDX-License-Identifier: Apache-2.0
#include "base/standard_streams.h"
#include "cli/cli.h"
#include "cli/commands.h"

int main(int argc, char** argv) {
  if (const auto opened = idlewarden::open_standard_streams(); !opened) {
    return idlewarden::complain(opened.error(), idlewarden::kUnreachable);
  }
  return idlewarden::run_cli(argc, argv);
}

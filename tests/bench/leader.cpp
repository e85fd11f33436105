// SPDX-License-Identifier: Apache-2.0
// The leader of a session of bench.host: sits at its terminal and does nothing.
#include <unistd.h>

int main() {
  while (true) ::pause();
}

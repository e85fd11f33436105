// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <signal.h>

int main(int argc, char** argv) {
  // The ptys of the tests hang up when their leaders go.
  signal(SIGHUP, SIG_IGN);
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}

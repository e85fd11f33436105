// SPDX-License-Identifier: Apache-2.0
// TCP on 127.0.0.1.
#pragma once

#include "base/unique_fd.h"

namespace idlewarden::test {

struct LoopbackListener {
  explicit LoopbackListener(int backlog = 4);  // throws std::system_error
  UniqueFd fd;
  int port = 0;  // that the kernel chose
};

UniqueFd connect_loopback(int port);  // empty: nobody takes it
int free_port();
bool is_listening(int port);

}  // namespace idlewarden::test

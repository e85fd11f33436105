// SPDX-License-Identifier: Apache-2.0
// pidfd_open(2), pidfd_getfd(2), pidfd_send_signal(2). The header of glibc 2.36 declares them
// without C linkage.
#pragma once

extern "C" {
#include <sys/pidfd.h>
}

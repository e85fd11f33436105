// SPDX-License-Identifier: Apache-2.0
#include "daemon/version.h"

namespace idlewarden {

const char* version() {
  return IDLEWARDEN_VERSION;
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace idlewarden {

const char* version();  // "0.1.0", from CMakeLists.txt

}  // namespace idlewarden

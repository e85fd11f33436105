// SPDX-License-Identifier: Apache-2.0
// What standard output can show.
#pragma once

#include "report/columns.h"

namespace idlewarden {

// Columns; 0: not a terminal, so no bound.
int terminal_width();

// A terminal in a locale that is not UTF-8 gets ASCII; files and pipes get UTF-8. Sets LC_CTYPE
// from the environment, setlocale(3): before any thread is started.
Charset terminal_charset();

}  // namespace idlewarden

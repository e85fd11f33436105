// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <string_view>

namespace idlewarden {

int terminal_width() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

Charset terminal_charset() {
  // A locale that the host does not have leaves "C" in place.
  ::setlocale(LC_CTYPE, "");
  if (::isatty(STDOUT_FILENO) == 0) return Charset::utf8;
  return std::string_view(::nl_langinfo(CODESET)) == "UTF-8" ? Charset::utf8 : Charset::ascii;
}

}  // namespace idlewarden

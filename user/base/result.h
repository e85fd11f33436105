// SPDX-License-Identifier: Apache-2.0
// Errors are values. A function that can fail returns Result<T>; the caller either handles the
// error, or returns it (`return std::unexpected(result.error())`), or adds what it was doing
// (`return error.during("reading the policy")`). Exceptions of third-party libraries are caught
// in the file that calls them and never cross a module.
#pragma once

#include <cerrno>
#include <expected>
#include <string>

namespace idlewarden {

// A place in a file, 1-based; line or column 0 means "not known".
struct Where {
  std::string file;
  int line = 0;
  int column = 0;

  std::string text() const;  // "FILE:LINE:COLUMN", as far as known
  friend bool operator==(const Where&, const Where&) = default;
};

struct Error {
  std::string what;  // what went wrong, in one sentence without a full stop
  Where where;       // where in a file, if it was in one
  std::string hint;  // what to do about it; may be empty
  int code = 0;      // errno, 0 if none

  // "FILE:LINE:COLUMN: WHAT: STRERROR (HINT)", the parts that are known.
  std::string text() const;
  std::unexpected<Error> during(const std::string& activity) const;
};

template <class T = void>
using Result = std::expected<T, Error>;

[[nodiscard]] std::unexpected<Error> fail(std::string what, std::string hint = {});
[[nodiscard]] std::unexpected<Error> fail_at(Where where, std::string what, std::string hint = {});
// For a failed system call: `code` is read from errno at the call.
[[nodiscard]] std::unexpected<Error> fail_errno(std::string what, int code = errno);

}  // namespace idlewarden

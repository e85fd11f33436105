// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <fmt/format.h>

#include <system_error>

namespace idlewarden {

std::string Where::text() const {
  if (line == 0) return file;
  if (column == 0) return fmt::format("{}:{}", file, line);
  return fmt::format("{}:{}:{}", file, line, column);
}

std::string Error::text() const {
  std::string out;
  if (!where.file.empty()) out = where.text() + ": ";
  out += what;
  if (code != 0) out += ": " + std::generic_category().message(code);
  if (!hint.empty()) out += " (" + hint + ")";
  return out;
}

std::unexpected<Error> Error::during(const std::string& activity) const {
  Error outer = *this;
  outer.what = activity + ": " + what;
  return std::unexpected(std::move(outer));
}

std::unexpected<Error> fail(std::string what, std::string hint) {
  return std::unexpected(Error{.what = std::move(what), .where = {}, .hint = std::move(hint)});
}

std::unexpected<Error> fail_at(Where where, std::string what, std::string hint) {
  return std::unexpected(
      Error{.what = std::move(what), .where = std::move(where), .hint = std::move(hint)});
}

std::unexpected<Error> fail_errno(std::string what, int code) {
  return std::unexpected(Error{.what = std::move(what), .where = {}, .hint = {}, .code = code});
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// Whether root may run a program because a file names it.
#pragma once

#include <string>

#include "base/files.h"
#include "base/result.h"

namespace idlewarden {

// An error unless nobody but root could put another program in its place: the path is absolute, and
// the file, every folder and every symlink on the way to it belongs to root and can be written by
// nobody else (a folder with the sticky bit may be: what is root's in it stays). It is a regular
// file that its owner may execute. In another tree (--root DIR) whoever owns its top counts as
// root.
Result<void> check_trusted_program(const Root& root, const std::string& path);

}  // namespace idlewarden

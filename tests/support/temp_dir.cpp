// SPDX-License-Identifier: Apache-2.0
#include "support/temp_dir.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace idlewarden::test {

TempDir::TempDir(const std::string& parent) {
  const std::filesystem::path in =
      parent.empty() ? std::filesystem::temp_directory_path() : std::filesystem::path(parent);
  std::string name = (in / "idlewarden-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::system_error(errno, std::generic_category());
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;  // a test's leftovers in /tmp fail nothing
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::file(std::string_view name, std::string_view content, unsigned mode) const {
  while (name.starts_with('/')) name.remove_prefix(1);
  const std::filesystem::path full = std::filesystem::path(path_) / name;
  std::filesystem::create_directories(full.parent_path());
  // The mode first: after the content, it would be a second change to whoever watches the file.
  std::ofstream out(full, std::ios::binary);
  if (::chmod(full.c_str(), mode) != 0) throw std::system_error(errno, std::generic_category());
  out << content;
  return full.string();
}

}  // namespace idlewarden::test

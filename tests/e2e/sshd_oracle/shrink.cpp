// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "base/text.h"
#include "sshd_oracle/case.h"

namespace idlewarden::test {
namespace {

using Fails = std::function<bool(const OracleCase&)>;

std::string shown(const std::string& line) {
  std::string out;
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      char hex[8];
      std::snprintf(hex, sizeof hex, "<%02x>", byte);
      out += hex;
    }
  }
  return out;
}

// Each change is tried on a copy, and kept if the copy still fails.
template <class Change>
bool keep_if_failing(OracleCase& failing, const Fails& fails, Change change) {
  OracleCase smaller = failing;
  change(smaller);
  if (!fails(smaller)) return false;
  failing = std::move(smaller);
  return true;
}

bool drop_lines(OracleCase& failing, const Fails& fails) {
  bool progress = false;
  std::vector<std::string> paths;
  for (const auto& [path, lines] : failing.files) paths.push_back(path);
  for (const std::string& path : paths) {
    if (path != kOracleFile &&
        keep_if_failing(failing, fails, [&](OracleCase& c) { c.files.erase(path); })) {
      progress = true;
      continue;
    }
    for (std::size_t i = failing.files[path].size(); i-- > 0;) {
      progress |= keep_if_failing(failing, fails, [&](OracleCase& c) {
        auto& lines = c.files[path];
        lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(i));
      });
    }
  }
  for (std::size_t i = failing.options.size(); i-- > 0;) {
    progress |= keep_if_failing(failing, fails, [&](OracleCase& c) {
      c.options.erase(c.options.begin() + static_cast<std::ptrdiff_t>(i));
    });
  }
  return progress;
}

bool drop_letters(OracleCase& failing, const Fails& fails) {
  bool progress = false;
  const auto shorten = [&](auto line_of) {
    for (std::size_t length : {8U, 4U, 1U}) {
      for (std::size_t at = 0; at + length <= line_of(failing).size();) {
        const bool shorter =
            keep_if_failing(failing, fails, [&](OracleCase& c) { line_of(c).erase(at, length); });
        progress |= shorter;
        if (!shorter) ++at;
      }
    }
  };
  std::vector<std::pair<std::string, std::size_t>> places;
  for (const auto& [path, lines] : failing.files) {
    for (std::size_t i = 0; i < lines.size(); ++i) places.emplace_back(path, i);
  }
  for (const auto& [path, i] : places) {
    shorten([&path = path, i = i](OracleCase& c) -> std::string& { return c.files[path][i]; });
  }
  for (std::size_t i = 0; i < failing.options.size(); ++i) {
    shorten([i](OracleCase& c) -> std::string& { return c.options[i]; });
  }
  return progress;
}

}  // namespace

OracleCase shrink(OracleCase failing, const Fails& fails) {
  while (drop_lines(failing, fails)) {
  }
  for (int round = 0; round < 3 && drop_letters(failing, fails); ++round) {
    while (drop_lines(failing, fails)) {
    }
  }
  return failing;
}

std::string OracleCase::text() const {
  std::string out;
  for (const auto& [path, lines] : files) {
    out += "--- " + path + "\n";
    for (const std::string& line : lines) out += shown(line) + "\n";
  }
  for (const std::string& option : options) out += "-o [" + shown(option) + "]\n";
  const SshdConnection& c = connection;
  out += "user=" + c.user + " host=" + c.host + " addr=" + c.address + " laddr=" + c.local_address +
         " lport=" + std::to_string(c.local_port.value_or(0)) + " rdomain=" + c.rdomain +
         " groups=";
  for (const std::string& group : c.groups) out += group + " ";
  return out + "\n";
}

}  // namespace idlewarden::test

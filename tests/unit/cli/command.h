// SPDX-License-Identifier: Apache-2.0
// The program as a person or a script runs it, in this process.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cli/cli.h"

namespace idlewarden::test {

// Its exit status.
inline int run_program(std::vector<std::string> words) {
  words.insert(words.begin(), "idlewarden");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return run_cli(static_cast<int>(argv.size()), argv.data());
}

// Keeps what the last one printed.
class Program : public testing::Test {
 protected:
  int run(const std::vector<std::string>& words) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int status = run_program(words);
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return status;
  }
  std::string out_, err_;
};

}  // namespace idlewarden::test

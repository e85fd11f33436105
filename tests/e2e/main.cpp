// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "e2e/e2e.h"

namespace idlewarden::test {
namespace {

class PrivateHost : public testing::Environment {
 public:
  void SetUp() override {
    if (const std::string why_not = enter_private_host(); !why_not.empty()) GTEST_SKIP() << why_not;
  }
};

}  // namespace

std::vector<std::string> backends() {
  if (const char* only = std::getenv("IDLEWARDEN_BACKEND")) return {only};
  return {"sampler", "tracepoint"};
}

std::chrono::milliseconds lateness_allowed() {
  return emulated() ? 60s : 2s;
}

}  // namespace idlewarden::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  testing::AddGlobalTestEnvironment(new idlewarden::test::PrivateHost);
  return RUN_ALL_TESTS();
}

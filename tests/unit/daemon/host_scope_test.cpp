// SPDX-License-Identifier: Apache-2.0
#include "daemon/host_scope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace idlewarden {
namespace {

using testing::HasSubstr;

TEST(HostScope, TellsWhenAProcessIsGone) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  HostScope scope{Procfs()};
  ASSERT_TRUE(scope.begin({::getpid(), child}));
  EXPECT_EQ(scope.gone(), "");
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const std::string said = scope.gone();
  EXPECT_THAT(said, HasSubstr("pid " + std::to_string(child) + " is gone"));
  EXPECT_EQ(scope.gone(), said);  // the same sentence, so it is logged once
}

TEST(HostScope, DoesNotBeginWithAProcessThatIsNot) {
  HostScope scope{Procfs()};
  const auto began = scope.begin({::getpid(), 0x7ffffffe});
  ASSERT_FALSE(began);
  EXPECT_THAT(began.error().text(), HasSubstr("--only-host-pid 2147483646: there is no such"));
  EXPECT_TRUE(HostScope{Procfs()}.begin({}));
}

}  // namespace
}  // namespace idlewarden

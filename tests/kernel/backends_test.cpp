// SPDX-License-Identifier: Apache-2.0
// Which backend is chosen, and what is said about the others.
#include "kernel/backends.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/fixture.h"

namespace idlewarden::test {
namespace {

using testing::HasSubstr;

class Backends : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
  }
  const SystemClock clock_;
};

TEST_F(Backends, EachIsTriedAndEachRefusalHasAReason) {
  const auto attempts = try_all_backends();
  ASSERT_EQ(attempts.size(), 4U);
  for (const Attempt& attempt : attempts) {
    EXPECT_NE(attempt.works, !attempt.reason.empty()) << to_string(attempt.backend);
    if (!attempt.works) RecordProperty(std::string(to_string(attempt.backend)), attempt.reason);
  }
}

TEST_F(Backends, TheBestThatWorksIsChosen) {
  const auto attempts = try_all_backends();
  const auto opened = open_activity_source({.pin_dir = ""}, clock_);
  ASSERT_TRUE(opened.has_value()) << opened.error().text();
  for (const Attempt& attempt : attempts) {
    if (!attempt.works) continue;
    EXPECT_EQ(opened->source->backend(), attempt.backend);
    break;
  }
  EXPECT_TRUE(opened->attempts.back().works);
  EXPECT_NE(opened->source->backend(), Backend::tracepoint) << "only who asks for it gets it";
}

TEST_F(Backends, OneThatIsAskedForByNameIsNotReplaced) {
  for (const Attempt& attempt : try_all_backends()) {
    const auto opened = open_activity_source({.backend = attempt.backend, .pin_dir = ""}, clock_);
    EXPECT_EQ(opened.has_value(), attempt.works) << to_string(attempt.backend);
    if (!opened) {
      EXPECT_THAT(opened.error().text(), HasSubstr(to_string(attempt.backend)));
    }
  }
}

TEST_F(Backends, ConsolesAreWatchedByScans) {
  const auto opened = open_activity_source({.pin_dir = ""}, clock_);
  ASSERT_TRUE(opened.has_value()) << opened.error().text();
  const Tty console{.address = 0x1000, .major = 4, .minor = 1, .index = 1, .devpts_dev = 0};
  EXPECT_TRUE(opened->source->watch(console).has_value());
  EXPECT_TRUE(opened->source->needs_scan(console));
}

TEST_F(Backends, APersonWhoIsNotRootIsToldSo) {
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(2);
    const auto opened = open_activity_source({.pin_dir = ""}, clock_);
    const bool told = !opened && opened.error().text().find("root") != std::string::npos;
    _exit(told ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(Backends, EachHasBlindSpotsThatAreToldInSentences) {
  for (const Backend backend :
       {Backend::fentry, Backend::kprobe, Backend::tracepoint, Backend::sampler}) {
    ASSERT_FALSE(blind_spots(backend).empty());
    for (const std::string& sentence : blind_spots(backend)) EXPECT_EQ(sentence.back(), '.');
  }
}

}  // namespace
}  // namespace idlewarden::test

// SPDX-License-Identifier: Apache-2.0
// What arrives at the journal's socket (systemd's native protocol: FIELD=value lines), in a mount
// namespace of its own, so that a real journal is neither needed nor disturbed.
#include "report/journal.h"

#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "base/text.h"
#include "base/unique_fd.h"
#include "report/reporter.h"
#include "samples.h"

namespace idlewarden {
namespace {

using ::testing::Contains;

constexpr const char* kSocket = "/run/systemd/journal/socket";
constexpr int kCannotIsolate = 77;

bool own_run_folder() {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("tmpfs", "/run", "tmpfs", 0, nullptr) == 0;
}

UniqueFd journal_socket() {
  std::filesystem::create_directories(std::filesystem::path(kSocket).parent_path());
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, kSocket);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return fd;
}

std::vector<std::string> receive(const UniqueFd& journal) {
  std::string entry(65536, '\0');
  const ssize_t n = ::recv(journal.get(), entry.data(), entry.size(), 0);
  EXPECT_GT(n, 0) << std::strerror(errno);
  entry.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return split(entry, '\n');
}

// In a child: a namespace cannot be left again.
template <class Body>
void in_own_run_folder(Body body) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (!own_run_folder()) ::_exit(kCannotIsolate);
    body();
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kCannotIsolate) {
    GTEST_SKIP() << "a mount namespace of its own needs root (CAP_SYS_ADMIN)";
  }
  EXPECT_EQ(WEXITSTATUS(status), 0) << "see the failures of the child above";
}

std::unique_ptr<Reporter> journal_reporter() {
  ReporterOptions options;
  options.journal = true;
  auto reporter = Reporter::open(options);
  EXPECT_TRUE(reporter.has_value());
  return std::move(*reporter);
}

TEST(Journal, GetsEventsWithTheirFields) {
  in_own_run_folder([] {
    const UniqueFd journal = journal_socket();
    const auto reporter = journal_reporter();
    reporter->emit(test::sample_event(EventType::terminated));
    const auto fields = receive(journal);
    for (const std::string& field : journal_fields(test::sample_event(EventType::terminated))) {
      EXPECT_THAT(fields, Contains(field));
    }
    reporter->error("no BTF");
    EXPECT_THAT(receive(journal), Contains("MESSAGE=no BTF"));
    EXPECT_EQ(reporter->dropped_events(), 0U);
  });
}

TEST(Journal, AHostileNameAddsNoField) {
  in_own_run_folder([] {
    const UniqueFd journal = journal_socket();
    Event e = test::sample_event(EventType::warned);
    e.user = "eve\nPRIORITY=0\nMESSAGE=all is well";
    journal_reporter()->emit(e);
    const auto fields = receive(journal);
    EXPECT_THAT(fields, Contains("USER_NAME=eve\\x0aPRIORITY=0\\x0aMESSAGE=all is well"));
    EXPECT_EQ(std::ranges::count(fields, "PRIORITY=0"), 0);
  });
}

TEST(Journal, ThatStopsTakingEntriesIsSaidOnce) {
  in_own_run_folder([] {
    ::testing::internal::CaptureStderr();
    const auto reporter = journal_reporter();
    { const UniqueFd journal = journal_socket(); }
    // The socket is there, nobody holds it: ECONNREFUSED.
    for (int i = 0; i < 3; ++i) reporter->emit(test::sample_event(EventType::warned));
    const std::string log = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(reporter->dropped_events(), 3U);
    EXPECT_EQ(std::ranges::count(log, '\n'), 1) << log;
    EXPECT_THAT(log, ::testing::HasSubstr("cannot write to the journal: Connection refused"));
  });
}

}  // namespace
}  // namespace idlewarden

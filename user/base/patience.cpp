// SPDX-License-Identifier: Apache-2.0
#include "base/patience.h"

#include <linux/close_range.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ctime>

namespace idlewarden {

void Patience::leave_descriptors() noexcept {
// ThreadSanitizer takes number 4 here for number 4 there, and would see races.
#ifndef __SANITIZE_THREAD__
  // Refused (ENOMEM): it keeps them, for as long as it hangs.
  (void)::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_UNSHARE);
#endif
}

TimeOfCall::TimeOfCall() noexcept : begin_(read()) {}

TimeOfCall::Reading TimeOfCall::read() noexcept {
  rusage usage{};
  timespec ran{};
  ::getrusage(RUSAGE_THREAD, &usage);
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran);
  return {std::chrono::steady_clock::now(),
          std::chrono::seconds(ran.tv_sec) + std::chrono::nanoseconds(ran.tv_nsec), usage.ru_nvcsw};
}

std::chrono::nanoseconds TimeOfCall::so_far() const noexcept {
  const Reading now = read();
  return now.sleeps != begin_.sleeps ? now.at - begin_.at : now.ran - begin_.ran;
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "base/shortage.h"

#include <cerrno>
#include <utility>

namespace idlewarden {
namespace {

thread_local int last = 0;

}  // namespace

bool is_shortage(int code) noexcept {
  switch (code) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC:
    case EIO:
    // A file system whose server is gone: NFS, FUSE.
    case ETIMEDOUT:
    case ESTALE:
    case EHOSTDOWN:
    case ENOTCONN:
    case ECONNABORTED: return true;
    default: return false;
  }
}

void note_shortage(int code) noexcept {
  if (is_shortage(code)) last = code;
}

ShortageWatch::ShortageWatch() noexcept : before_(std::exchange(last, 0)) {}

ShortageWatch::~ShortageWatch() {
  if (last == 0) last = before_;
}

int ShortageWatch::noted() const noexcept {
  return last;
}

int ShortageWatch::take() noexcept {
  return std::exchange(last, 0);
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "enforce/connection_use.h"

#include <algorithm>
#include <utility>

namespace idlewarden {

ConnectionUse::ConnectionUse(ConnectionProbe& probe, Procfs procfs, const ConnectionEnd& end,
                             pid_t leader)
    : probe_(probe), procfs_(std::move(procfs)), end_(end), leader_(leader) {
  const auto bytes = probe_.look(end_);
  used_ = !bytes;
  if (!bytes) return;
  socket_ = bytes->socket;
  in_ = input_of(*bytes);
  look();
}

ConnectionUse::Since ConnectionUse::look() {
  const auto since = used_ ? std::nullopt : ask();
  used_ = !since || *since == Since::some;
  return since.value_or(Since::some);
}

// nullopt: used, or it cannot be told.
std::optional<ConnectionBytes> ConnectionUse::measure() const {
  // That the leader has ended older versions tell themselves with a byte through a pipe
  // (notify_parent() of serverloop.c).
  const int own = leader_ != 0 ? 1 : 0;
  for (int i = 0; i < kConnectionLooks; ++i) {
    const auto bytes = probe_.look(end_);
    if (!bytes || bytes->socket != socket_ || input_of(*bytes) > in_ + own) return std::nullopt;
    if (input_of(*bytes) >= in_) return *bytes;
  }
  return std::nullopt;
}

// The bytes come first: what was waited for by then was certainly not among the children after.
std::optional<ConnectionUse::Since> ConnectionUse::ask() {
  auto bytes = measure();
  const auto children = procfs_.children(end_.pid);
  if (!bytes || !children) return std::nullopt;
  const bool others = std::ranges::any_of(*children, [&](pid_t child) { return child != leader_; });
  if (others) return children_ ? Since::some : Since::none_yet;
  if (children->empty() && leader_ != 0) {
    // That it waited for the leader has moved the count.
    children_.reset();
    bytes = measure();
    if (!bytes) return std::nullopt;
    leader_ = 0;
    in_ = input_of(*bytes);
  }
  if (children_.value_or(bytes->children) != bytes->children) return Since::some;
  children_ = bytes->children;
  return leader_ == 0 ? Since::none : Since::none_yet;
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "enforce/tty_hand.h"

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "enforce/tty_of.h"

namespace idlewarden {
namespace {

using std::chrono::milliseconds;

// A tty that answers does so at once.
constexpr milliseconds kToAnswer{250};

std::unexpected<Error> no_answer(std::string what) {
  Error error;
  error.what = std::move(what);
  error.code = ETIMEDOUT;
  return std::unexpected(std::move(error));
}

std::unexpected<Error> silent() {
  return no_answer("the tty does not answer");
}

bool is_ready(const std::future<bool>& future) {
  return future.wait_for(milliseconds(0)) == std::future_status::ready;
}

}  // namespace

// Where orders are left and answers are found. The first order is to open the tty.
struct TtyHand::Desk {
  enum class Step { idle, asked, begun, answered };

  std::mutex mutex;
  std::condition_variable changed;
  Order order;
  Step step = Step::idle;
  Result<void> answer;
  bool over = false;

  // nullopt: there will be none any more.
  std::optional<Order> begin() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return over || step == Step::asked; });
    if (over) return std::nullopt;
    step = Step::begun;
    changed.notify_all();
    return std::exchange(order, nullptr);
  }
  void reply(Result<void> now) {
    const std::lock_guard lock(mutex);
    answer = std::move(now);
    step = Step::answered;
    changed.notify_all();
  }
};

bool TtyThreads::waits_for(const SessionId& id) {
  std::erase_if(late_, [](const auto& item) { return is_ready(item.second); });
  return late_.contains(id);
}

// On the thread.
bool TtyHand::serve(Desk& desk, const Procfs& procfs, const Session& session) {
  if (!desk.begin()) return true;
  const auto tty = open_tty(procfs, session);
  desk.reply(tty ? Result<void>() : std::unexpected(tty.error()));
  if (!tty) return true;
  while (const auto order = desk.begin()) desk.reply((*order)(tty->get()));
  return true;
}

TtyHand::TtyHand(std::shared_ptr<TtyThreads> threads, const SessionId& id)
    : threads_(std::move(threads)), id_(id), desk_(std::make_shared<Desk>()) {}

Result<std::unique_ptr<TtyHand>> TtyHand::open(std::shared_ptr<TtyThreads> threads,
                                               const Procfs& procfs, const Session& session) {
  if (threads->waits_for(session.id)) return silent();
  std::unique_ptr<TtyHand> hand(new TtyHand(std::move(threads), session.id));
  hand->closed_ = hand->threads_->patience_.ask<bool>(
      [desk = hand->desk_, procfs, session] { return serve(*desk, procfs, session); });
  if (!hand->closed_.valid()) return no_answer("too many ttys do not answer");
  if (auto opened = hand->ask(nullptr); !opened) return std::unexpected(opened.error());
  return hand;
}

TtyHand::~TtyHand() {
  if (!closed_.valid()) return;
  {
    const std::lock_guard lock(desk_->mutex);
    desk_->over = true;
    desk_->changed.notify_all();
  }
  if (!lost_ && closed_.wait_for(kToAnswer) == std::future_status::ready) return;
  threads_->late_.insert_or_assign(id_, std::move(closed_));
}

Result<void> TtyHand::ask(Order order, milliseconds to_begin) {
  if (lost_) return silent();
  std::unique_lock lock(desk_->mutex);
  desk_->order = std::move(order);
  desk_->step = Desk::Step::asked;
  desk_->changed.notify_all();
  if (!desk_->changed.wait_for(lock, to_begin, [&] { return desk_->step != Desk::Step::asked; })) {
    desk_->step = Desk::Step::idle;
    return fail_errno("the thread of the tty does not get to run", EAGAIN);
  }
  lost_ = !desk_->changed.wait_for(lock, kToAnswer,
                                   [&] { return desk_->step == Desk::Step::answered; });
  if (lost_) return silent();
  return std::move(desk_->answer);
}

}  // namespace idlewarden

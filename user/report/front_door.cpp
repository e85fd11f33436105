// SPDX-License-Identifier: Apache-2.0
#include "report/front_door.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <system_error>

namespace idlewarden {
namespace {

using std::chrono::steady_clock;

// A thread inherits the signal mask of its maker: signals are the daemon's loop's business.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

// To a client that gets no thread; if its buffer is full, it gets no answer either.
void refuse(const UniqueFd& socket, std::string_view status) {
  const std::string answer =
      "HTTP/1.1 " + std::string(status) + "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  [[maybe_unused]] const auto sent =
      ::send(socket.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(socket.get(), SHUT_WR);
}

int milliseconds_until(steady_clock::time_point moment) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(moment - steady_clock::now());
  return static_cast<int>(std::max<std::int64_t>(0, left.count()));
}

}  // namespace

Result<std::unique_ptr<FrontDoor>> FrontDoor::open(UniqueFd listener, Answer answer) {
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return fail_errno("cannot make an eventfd");
  std::unique_ptr<FrontDoor> door(
      new FrontDoor(std::move(listener), std::move(wake), std::move(answer)));
  try {
    const SignalsBlocked blocked;
    door->thread_ = std::thread(&FrontDoor::run, door.get());
  } catch (const std::system_error& e) {
    return fail_errno("cannot start a thread", e.code().value());
  }
  return door;
}

FrontDoor::FrontDoor(UniqueFd listener, UniqueFd wake, Answer answer)
    : listener_(std::move(listener)), wake_(std::move(wake)), answer_(std::move(answer)) {}

FrontDoor::~FrontDoor() {
  closing_ = true;
  ::eventfd_write(wake_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

void FrontDoor::run() {
  std::vector<pollfd> ready;
  while (!closing_) {
    ready.assign({{wake_.get(), POLLIN, 0}});
    const bool pausing = accept_after_ > steady_clock::now();
    ready.push_back({pausing ? -1 : listener_.get(), POLLIN, 0});
    for (const Waiting& client : waiting_) ready.push_back({client.socket.get(), POLLIN, 0});
    int timeout = waiting_.empty() ? -1 : milliseconds_until(waiting_.front().until);
    if (pausing) timeout = milliseconds_until(accept_after_);
    if (::poll(ready.data(), ready.size(), timeout) < 0) continue;  // EINTR, ENOMEM

    eventfd_t ignored = 0;
    ::eventfd_read(wake_.get(), &ignored);  // EAGAIN: it was something else
    reap();
    hear_waiting(ready);
    if (ready[1].revents != 0) accept_new();
  }
  waiting_.clear();
  for (Answering& a : answering_) ::shutdown(a.socket.get(), SHUT_RDWR);
  for (Answering& a : answering_) a.thread.join();
}

void FrontDoor::accept_new() {
  // A bounded number at a time: those who have spoken meanwhile are heard in between.
  for (std::size_t i = 0; i < kMaxConnections / 2; ++i) {
    UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
      const int code = errno;
      if (code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM) {
        accept_after_ = steady_clock::now() + std::chrono::milliseconds(100);
      }
      return;  // nobody else is waiting, or the client has gone again
    }
    if (!make_room()) {
      refuse(socket, "503 Service Unavailable");
      continue;
    }
    waiting_.push_back(
        {.socket = std::move(socket), .until = steady_clock::now() + kHeadTimeout, .head = {}});
    if (!hear(waiting_.back())) waiting_.pop_back();
  }
}

bool FrontDoor::make_room() {
  const auto given_up = std::ranges::count(answering_, true, &Answering::given_up);
  if (waiting_.size() + answering_.size() - given_up < kMaxConnections) return true;
  if (give_up_one()) return true;
  if (waiting_.empty()) return false;
  waiting_.pop_front();
  return true;
}

// The oldest answer that its client lets wait. One that waits for the daemon, or for the next
// event, has room to write and is not meant. Its thread ends by itself, as it cannot write any
// more.
bool FrontDoor::give_up_one() {
  const auto now = steady_clock::now();
  for (Answering& a : answering_) {
    if (a.given_up || a.done || a.safe_until > now) continue;
    pollfd writable{a.socket.get(), POLLOUT, 0};
    if (::poll(&writable, 1, 0) != 0) continue;
    ::shutdown(a.socket.get(), SHUT_RDWR);
    a.given_up = true;
    return true;
  }
  return false;
}

void FrontDoor::hear_waiting(const std::vector<pollfd>& ready) {
  const auto now = steady_clock::now();
  auto heard = ready.begin() + 2;
  for (auto client = waiting_.begin(); client != waiting_.end(); ++heard) {
    const bool stays = (heard->revents == 0 || hear(*client)) && client->until > now;
    client = stays ? std::next(client) : waiting_.erase(client);
  }
}

// Whether the client is still waited for afterwards.
bool FrontDoor::hear(Waiting& client) {
  std::array<char, 2048> buffer{};
  while (true) {
    const ssize_t n = ::recv(client.socket.get(), buffer.data(), buffer.size(), 0);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) return false;
    // The end of the head may straddle two reads.
    const std::size_t from = client.head.size() < 3 ? 0 : client.head.size() - 3;
    client.head.append(buffer.data(), static_cast<std::size_t>(n));
    if (client.head.find("\r\n\r\n", from) != std::string::npos) {
      start_answer(client);
      return false;
    }
    if (client.head.size() > kMaxHead) {
      refuse(client.socket, "431 Request Header Fields Too Large");
      return false;
    }
  }
}

void FrontDoor::start_answer(Waiting& client) {
  Answering& a = answering_.emplace_back();
  a.socket = std::move(client.socket);
  a.head = std::move(client.head);
  a.safe_until = steady_clock::now() + kReadingTime;
  try {
    a.thread = std::thread([this, &a] {
      pthread_setname_np(pthread_self(), "idlewarden-http");
      answer_(a.socket.get(), a.head);
      ::shutdown(a.socket.get(), SHUT_WR);
      a.done = true;
      ::eventfd_write(wake_.get(), 1);
    });
  } catch (const std::system_error&) {  // no more threads to be had
    refuse(a.socket, "503 Service Unavailable");
    answering_.pop_back();
  }
}

void FrontDoor::reap() {
  std::erase_if(answering_, [](Answering& a) {
    if (!a.done) return false;
    a.thread.join();
    return true;
  });
}

}  // namespace idlewarden

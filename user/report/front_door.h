// SPDX-License-Identifier: Apache-2.0
// Who may cost a server a thread: only a client that has sent a whole request head. One thread
// accepts and gathers heads without ever blocking on a client; each complete request gets a thread
// of its own for as long as it is answered. At most 32 connections exist at a time: a newcomer
// pushes out the one that has not read its answer for a second or has been silent longest, and is
// refused (503) if there is none.
#pragma once

#include <poll.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace idlewarden {

class FrontDoor {
 public:
  // Answers one request on a thread of its own; `head` is what the client has sent so far, its
  // whole head at least. Must not throw. The socket is non-blocking and stays the door's.
  using Answer = std::function<void(int socket, std::string_view head)>;

  static constexpr std::size_t kMaxConnections = 32;
  static constexpr std::size_t kMaxHead = 8192;
  static constexpr std::chrono::milliseconds kHeadTimeout{1000};  // for the whole head
  // So long an answer is safe from newcomers, however slowly it is read.
  static constexpr std::chrono::milliseconds kReadingTime{1000};

  // `listener` is non-blocking and listening. All signals are blocked on the door's threads.
  static Result<std::unique_ptr<FrontDoor>> open(UniqueFd listener, Answer answer);
  // Stops accepting, shuts every connection down and waits for the answers to end.
  ~FrontDoor();
  FrontDoor(const FrontDoor&) = delete;
  FrontDoor& operator=(const FrontDoor&) = delete;

 private:
  using Moment = std::chrono::steady_clock::time_point;
  struct Waiting {
    UniqueFd socket;
    Moment until;
    std::string head;
  };
  struct Answering {
    UniqueFd socket;
    std::string head;
    Moment safe_until;
    bool given_up = false;
    std::atomic<bool> done = false;
    std::thread thread;
  };

  FrontDoor(UniqueFd listener, UniqueFd wake, Answer answer);
  void run();
  void accept_new();
  bool make_room();
  bool give_up_one();
  void hear_waiting(const std::vector<pollfd>& ready);
  bool hear(Waiting& client);
  void start_answer(Waiting& client);
  void reap();

  UniqueFd listener_;
  UniqueFd wake_;  // eventfd(2): an answer is done, or the door closes
  Answer answer_;
  std::atomic<bool> closing_ = false;
  Moment accept_after_{};  // out of descriptors: a pause
  // The door's thread owns these.
  std::list<Waiting> waiting_;  // the oldest first
  std::list<Answering> answering_;
  std::thread thread_;
};

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// Child processes of a test: each is ended by the pid that was started, at the latest with the
// object. All of them die with the test process (PR_SET_PDEATHSIG), should it be killed.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace idlewarden::test {

using SteadyTime = std::chrono::steady_clock::time_point;
using namespace std::chrono_literals;

// Whether $IDLEWARDEN_SLOW is set: on an emulated machine it says nothing if something comes late.
bool emulated();

// How long a test waits for what must come at last; on an emulated machine ten times as long.
std::chrono::milliseconds patience(std::chrono::milliseconds timeout);

struct Finished {
  int status = 0;      // as waitpid(2) gives it
  std::string output;  // stdout and stderr
};
// Runs to the end (or the timeout, with patience, then throws).
Finished run(const std::vector<std::string>& argv, std::chrono::seconds timeout = 30s);

// A background process whose output goes to a file; `input` is its stdin, -1: /dev/null. With
// `before_exec` the child does that first: system calls only.
class Process {
 public:
  Process(const std::vector<std::string>& argv, const std::string& output_file,
          const std::map<std::string, std::string>& environment = {}, int input = -1,
          void (*before_exec)() = nullptr);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const noexcept { return meant_; }
  bool running();
  void signal(int number) const;
  // This one only waits for `pid` and ends as that does: pid() and signal() mean that from now on.
  void stand_for(pid_t pid) noexcept { meant_ = pid; }
  // SIGTERM, then SIGKILL after the grace. Returns the wait status.
  int stop(std::chrono::seconds grace = 5s);
  std::optional<int> wait(std::chrono::milliseconds timeout);  // with patience

 private:
  pid_t pid_ = -1;
  pid_t meant_ = -1;
  std::optional<int> status_;
};

// A background process that reads what it is told from a pipe; its output goes to a file.
class PipedProcess {
 public:
  explicit PipedProcess(const std::vector<std::string>& argv);
  ~PipedProcess();
  PipedProcess(const PipedProcess&) = delete;
  PipedProcess& operator=(const PipedProcess&) = delete;

  void tell(const std::string& text) const;
  void end_input();
  std::string output() const;
  bool wait_for(const std::string& text, std::chrono::milliseconds timeout);  // with patience
  bool running() { return process_->running(); }
  // The wait status, once it has ended.
  std::optional<int> wait(std::chrono::milliseconds timeout) { return process_->wait(timeout); }

 private:
  std::string file_;
  int input_ = -1;
  std::unique_ptr<Process> process_;
};

// A process on a pty of its own whose output is read all the time, as a person's terminal does.
class PtyProcess {
 public:
  explicit PtyProcess(const std::vector<std::string>& argv,
                      const std::map<std::string, std::string>& environment = {});
  ~PtyProcess();
  PtyProcess(const PtyProcess&) = delete;
  PtyProcess& operator=(const PtyProcess&) = delete;

  pid_t pid() const noexcept { return pid_; }
  void type(const std::string& keys);
  void resize(unsigned short rows, unsigned short columns);  // the window; the process is told
  // What a terminal would answer by itself when it reads `query` in the output.
  void answer(const std::string& query, const std::string& reply);
  std::string output() const;
  bool wait_for(const std::string& text, std::chrono::milliseconds timeout) const;  // with patience
  bool running() const { return !ended_at(); }
  // When the process was seen to have ended.
  std::optional<SteadyTime> ended_at() const;
  bool wait_end(std::chrono::milliseconds timeout) const;  // exactly as long: it may be to live on
  bool ends_within(std::chrono::milliseconds timeout) const { return wait_end(patience(timeout)); }

 private:
  void read_all();

  pid_t pid_ = -1;
  int master_ = -1;
  mutable std::mutex mutex_;
  std::string output_;
  std::map<std::string, std::string> answers_;
  std::size_t answered_up_to_ = 0;
  std::optional<SteadyTime> ended_at_;
  std::jthread reader_;
};

}  // namespace idlewarden::test

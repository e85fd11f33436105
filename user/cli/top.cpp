// SPDX-License-Identifier: Apache-2.0
// `idlewarden top`: the sessions, again and again.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <utility>

#include "base/duration.h"
#include "base/standard_streams.h"
#include "base/unique_fd.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "cli/top_feed.h"
#include "cli/top_screen.h"
#include "report/client.h"
#include "report/render_top.h"

namespace idlewarden {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct TopArguments {
  std::string socket = kDefaultSocket;
  std::string interval = "1s";
  bool once = false;
  bool json = false;
};

Seconds interval_of(const TopArguments& arguments) {
  return parse_duration(arguments.interval).value_or(Seconds(1));  // checked as it was given
}

std::string check_interval(const std::string& text) {
  const auto interval = parse_duration(text);
  if (!interval || *interval < Seconds(1) || *interval > std::chrono::hours(1)) {
    return "'" + text + "' is no time from 1s to 1h, as 5s or 1m";
  }
  return "";
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "this host";
}

void print_page(const SessionsView& view) {
  TopState state;
  const TopInput input{.host = host_name(), .view = view, .trouble = {}};
  const TopPage page = render_top(
      input, state, {.width = terminal_width(), .height = 0, .charset = terminal_charset()});
  for (const PaintedLine& line : page.lines) {
    std::string text;
    for (const Span& span : line) text += span.text;
    text.erase(text.find_last_not_of(' ') + 1);
    fmt::print("{}\n", text);
  }
}

// Without a screen: `print` for every answer, one after the other. The daemon must be there at the
// start; if it goes away later that is said once.
template <class Print>
int repeat(const TopArguments& arguments, Print print) {
  bool reached = false;
  bool said = false;
  while (true) {
    const auto answer = print();
    if (!answer && !reached) return complain(answer.error(), kUnreachable);
    if (!answer && !said) complain(answer.error(), kUnreachable);
    reached = true;
    said = !answer;
    if (const auto written = flush_output(); !written) return unwritten(written.error(), kFine);
    if (arguments.once) return kFine;
    std::this_thread::sleep_for(interval_of(arguments));
  }
}

int stream_json(const TopArguments& arguments) {
  return repeat(arguments, [&]() -> Result<void> {
    const auto body = fetch_unix(arguments.socket, "/v1/sessions");
    if (!body) return std::unexpected(body.error());
    fmt::print("{}", *body);  // one line
    return {};
  });
}

int stream_pages(const TopArguments& arguments) {
  bool first = true;
  return repeat(arguments, [&]() -> Result<void> {
    const auto view = fetch_view(arguments.socket);
    if (!view) return std::unexpected(view.error());
    if (!std::exchange(first, false)) fmt::print("\n");
    print_page(*view);
    return {};
  });
}

// What happens on a screen: keys, answers, signals, time.
class LiveTop {
 public:
  LiveTop(TopScreen& screen, SessionsView view, const TopArguments& arguments)
      : screen_(screen),
        input_{.host = host_name(), .view = std::move(view), .trouble = {}},
        interval_(interval_of(arguments)),
        feed_(arguments.socket, interval_) {}

  void run(int signals) {
    paint();
    while (true) {
      pollfd fds[]{{STDIN_FILENO, POLLIN, 0}, {signals, POLLIN, 0}, {feed_.fd(), POLLIN, 0}};
      const int ready = ::poll(fds, std::size(fds), 1000);
      if (ready < 0 && errno != EINTR) return;
      if (ready > 0 && fds[1].revents != 0 && !take_signal(signals)) return;
      if (ready > 0 && fds[0].revents != 0 && !take_keys((fds[0].revents & POLLIN) != 0)) return;
      take_answer();
      if (ready > 0 || !input_.trouble.empty()) paint();
    }
  }

 private:
  bool take_signal(int signals) {
    signalfd_siginfo info{};
    if (::read(signals, &info, sizeof info) != sizeof info) return true;
    if (info.ssi_signo != SIGWINCH && info.ssi_signo != SIGCONT) return false;
    screen_.resized();
    return true;
  }

  bool take_keys(bool readable) {
    bool any = false;
    while (const auto pressed = screen_.key()) {
      any = true;
      if (press(state_, *pressed, page_) == Wish::quit) return false;
    }
    return any || readable;  // neither: the terminal is gone
  }

  void take_answer() {
    const auto now = SteadyClock::now();
    if (auto answer = feed_.take()) {
      answered_ = now;
      if (*answer) {
        input_.view = std::move(**answer);
        fresh_ = now;
        input_.trouble.clear();
      } else {
        input_.trouble = answer->error().text();
      }
    }
    if (now - answered_ > interval_ + Seconds(2)) input_.trouble = "the daemon does not answer";
    if (input_.trouble.empty()) return;
    const auto age = std::chrono::floor<Seconds>(now - fresh_);
    shown_trouble_ =
        fmt::format("these are {} old, trying again: {}", format_duration(age), input_.trouble);
  }

  void paint() {
    TopInput shown = input_;
    if (!shown.trouble.empty()) shown.trouble = shown_trouble_;
    const TopPage page = render_top(shown, state_, screen_.frame());
    page_ = page.page;
    screen_.paint(page.lines);
  }

  TopScreen& screen_;
  TopInput input_;
  std::string shown_trouble_;
  TopState state_;
  std::size_t page_ = 1;
  Seconds interval_;
  TopFeed feed_;
  SteadyClock::time_point answered_ = SteadyClock::now();
  SteadyClock::time_point fresh_ = answered_;
};

int live(const TopArguments& arguments) {
  auto view = fetch_view(arguments.socket);
  if (!view) return complain(view.error(), kUnreachable);
  // SIGINT is Ctrl-C. Ctrl-Z is left to ncurses, which gives the terminal back meanwhile.
  sigset_t mask;
  sigemptyset(&mask);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGCONT}) {
    sigaddset(&mask, number);
  }
  pthread_sigmask(SIG_BLOCK, &mask, nullptr);
  const UniqueFd signals(::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return complain(fail_errno("signalfd").error(), kUnreachable);
  auto screen = TopScreen::open();
  if (!screen) return complain(screen.error(), kUsage);
  LiveTop(**screen, std::move(*view), arguments).run(signals.get());
  return kFine;
}

int top(TopArguments& arguments) {
  if (arguments.json) return stream_json(arguments);
  if (::isatty(STDOUT_FILENO) == 0 || ::isatty(STDIN_FILENO) == 0) arguments.once = true;
  if (arguments.once || !TopScreen::possible()) return stream_pages(arguments);
  return live(arguments);
}

}  // namespace

void add_top(CLI::App& app, int& status) {
  auto arguments = std::make_shared<TopArguments>();
  CLI::App* command =
      app.add_subcommand("top", "Live sessions on the whole terminal, what ends next first");
  command->add_option("--socket", arguments->socket, "The daemon's socket")
      ->type_name("PATH")
      ->capture_default_str();
  command->add_option("--interval", arguments->interval, "How often to look")
      ->type_name("TIME")
      ->check(CLI::Validator([](const std::string& text) { return check_interval(text); }, "",
                             "interval"))
      ->capture_default_str();
  command->add_flag("--once", arguments->once,
                    "Print the table and leave, as it does where there is no terminal");
  command->add_flag("--json", arguments->json,
                    "For machines: what `sessions --json` prints, a line every interval");
  command->callback([arguments, &status] { status = top(*arguments); });
}

}  // namespace idlewarden

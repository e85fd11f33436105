// SPDX-License-Identifier: Apache-2.0
// The status page in a real browser: with 0, 5 and 60 sessions of long names, in light and dark,
// narrow and wide, with and without JavaScript. $IDLEWARDEN_SCREENSHOTS is a folder for pictures.
#include <gmock/gmock.h>

#include <atomic>
#include <cstdlib>
#include <mutex>

#include "report/server.h"
#include "samples.h"
#include "support/browser.h"

namespace idlewarden {
namespace {

using namespace std::chrono_literals;
using test::Browser;
using test::Eyes;
using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Pair;

// People as they are: some with names that no column was made for.
Snapshot crowd(int people) {
  Snapshot s = test::empty_snapshot();
  const std::vector<std::string> users{"alice", "bob",
                                       "svc-deployment-pipeline-runner-eu-central-1",
                                       "maximilian.hohenzollern-sigmaringen", "root"};
  const std::vector<std::string> files{
      "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/50-idle-timeout-for-contractors.conf",
      "/etc/bash.bashrc", "/etc/idlewarden/policies.d/30-contractors-and-build-hosts.toml"};
  const std::vector<std::string> programs{"vim", "bash", "ansible-playboo", "top", "-bash"};
  constexpr State kStates[] = {State::active, State::active, State::warned, State::expired,
                               State::held};
  for (int i = 0; i < people; ++i) {
    const auto n = static_cast<std::size_t>(i);
    test::RowOptions o{.user = users[n % users.size()],
                       .tty = "pts/" + std::to_string(i),
                       .from = i % 5 == 4   ? ""
                               : i % 2 == 0 ? "10.20.30." + std::to_string(i)
                                            : "2001:db8:1234:5678:9abc:def0:1234:5678",
                       .idle = Seconds(i * 97 % 600),
                       .limit = Seconds(600),
                       .file = files[n % files.size()],
                       .foreground = programs[n % programs.size()],
                       .state = kStates[n % 5],
                       .leader = 1000 + i};
    if (o.state == State::expired || o.state == State::held) o.idle = Seconds(600 + 7 * i);
    if (o.state == State::warned) o.idle = Seconds(560);
    if (i % 7 == 6) o.limit = std::nullopt;
    s.sessions.push_back(test::row_of(s, o));
    test::change_verdict(s.sessions.back(), [](Verdict& v) {
      if (!v.sources.empty()) v.sources[0].reason = "5m x 2";
    });
    if (i % 11 == 3) s.sessions.back().session.container = "payroll-frontend-7d9f8b6c5-x2k4q";
  }
  if (people > 5) {
    s.degraded["host_files"] =
        "the last good reading stays in force: /etc/ssh/sshd_config.d/50-idle-timeout-for-"
        "contractors.conf:3:1: ClientAliveInterval wants a time (write 5m)";
    s.mode = Mode::enforce;
  }
  return s;
}

std::vector<Event> some_events() {
  std::vector<Event> events;
  for (const EventInfo& info : all_events()) events.push_back(test::sample_event(info.type));
  return events;
}

class InABrowser : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (Browser::missing().empty()) browser_ = std::make_unique<Browser>();
  }
  static void TearDownTestSuite() { browser_.reset(); }

  void SetUp() override {
    if (const std::string why = Browser::missing(); !why.empty()) GTEST_SKIP() << why;
    ::testing::internal::CaptureStderr();
    reporter_ = Reporter::open({}).value();
    start();
    browser_->complaints();
    browser_->requests();
  }
  void TearDown() override {
    if (!reporter_) return;
    server_.reset();
    ::testing::internal::GetCapturedStderr();
  }
  void start(const std::string& address = "127.0.0.1:0") {
    server_ = serve_metrics(
                  address,
                  [this]() -> Result<Snapshot> {
                    const std::lock_guard lock(mutex_);
                    ++asked_;
                    return snapshot_;
                  },
                  *reporter_)
                  .value();
  }
  void show(Snapshot snapshot) {
    const std::lock_guard lock(mutex_);
    snapshot_ = std::move(snapshot);
  }
  std::string url() const { return "http://" + server_->address() + "/"; }
  static std::string text() { return browser_->evaluate("document.body.innerText"); }

  // What no look of it may have: something cut off or beside the window, a contrast below WCAG's
  // AA, a complaint of the browser (the policy of the page's contents among them), a foreign
  // address.
  void expect_sound(const Eyes& eyes) {
    EXPECT_EQ(browser_->evaluate("document.documentElement.scrollWidth"), eyes.width);
    EXPECT_EQ(browser_->evaluate(kOutside), "");
    EXPECT_EQ(browser_->evaluate(kPale), "");
    EXPECT_EQ(browser_->evaluate(kSqueezed), "");
    EXPECT_THAT(browser_->complaints(), IsEmpty());
    for (const std::string& address : browser_->requests()) {
      EXPECT_TRUE(address == url() || address == "data:,") << address;
    }
  }
  void keep_picture(const std::string& name) {
    const char* folder = std::getenv("IDLEWARDEN_SCREENSHOTS");
    if (folder != nullptr) browser_->screenshot(std::string(folder) + "/" + name + ".png");
  }

  static constexpr const char* kOutside = R"js(
    [...document.querySelectorAll("body *:not(.skip)")].filter((e) => {
      const box = e.getBoundingClientRect();
      return box.width > 1 && (box.right > innerWidth + 1 || box.left < -1);
    }).map((e) => e.outerHTML.slice(0, 120)).join("\n")
  )js";
  // Names in columns of a few letters.
  static constexpr const char* kSqueezed = R"js(
    [...document.querySelectorAll("tbody .who, tbody .where, tbody .reason")]
      .filter((e) => e.clientWidth < 180).map((e) => e.clientWidth + " " + e.innerText).join("\n")
  )js";
  // Every text against what is behind it, 4.5:1 at least.
  static constexpr const char* kPale = R"js((() => {
    const parse = (color) => color.match(/[\d.]+/g).map(Number);
    const light = (color) => parse(color).slice(0, 3).map((c) => c / 255)
      .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
      .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = (e) => {
      for (; e; e = e.parentElement) {
        const color = getComputedStyle(e).backgroundColor;
        const [, , , alpha = 1] = parse(color);
        if (alpha === 1) return color;
      }
      return "rgb(255, 255, 255)";
    };
    const pale = new Set();
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const e = walk.currentNode.parentElement;
      if (!walk.currentNode.data.trim() || ["SCRIPT", "STYLE"].includes(e.tagName)) continue;
      const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
      const contrast = (a + 0.05) / (b + 0.05);
      if (contrast < 4.5) pale.add(`${contrast.toFixed(2)} ${e.className} ${e.textContent.slice(0, 40)}`);
    }
    return [...pale].join("\n");
  })())js";

  static inline std::unique_ptr<Browser> browser_;
  std::mutex mutex_;
  Snapshot snapshot_ = crowd(5);
  std::atomic<int> asked_ = 0;
  std::unique_ptr<Reporter> reporter_;
  std::unique_ptr<Server> server_;
};

TEST_F(InABrowser, IsSoundInEverySizeAndLight) {
  for (const Event& event : some_events()) reporter_->emit(event);
  for (const int people : {0, 5, 60}) {
    show(crowd(people));
    for (const int width : {400, 1400}) {
      for (const bool dark : {false, true}) {
        SCOPED_TRACE(std::to_string(people) + " people, " + std::to_string(width) +
                     (dark ? " dark" : " light"));
        const Eyes eyes{.width = width, .dark = dark};
        browser_->open(url(), eyes);
        expect_sound(eyes);
        EXPECT_EQ(browser_->evaluate("document.querySelectorAll('tbody tr').length"), people);
        keep_picture("page-" + std::to_string(people) + "-" + std::to_string(width) +
                     (dark ? "-dark" : "-light"));
      }
    }
  }
}

TEST_F(InABrowser, BringsItselfUpToDate) {
  browser_->open(url());
  ASSERT_NE(text().find("svc-deployment-pipeline-runner"), std::string::npos);
  // A selection outlives it, and so does where the focus is.
  browser_->evaluate("document.querySelector('footer a').focus()");
  browser_->evaluate("window.same = document.querySelector('tbody')");
  Snapshot later = crowd(5);
  later.wall += std::chrono::hours(1);
  later.sessions[0].session.user = "mallory";
  later.degraded["pins"] = "bpffs is not mounted";
  show(later);
  EXPECT_TRUE(browser_->wait_until("document.body.innerText.includes('mallory')", 15s));
  EXPECT_TRUE(browser_->wait_until("document.body.innerText.includes('13:00:00Z')", 15s));
  EXPECT_NE(text().find("bpffs is not mounted"), std::string::npos);
  EXPECT_EQ(browser_->evaluate("document.activeElement.tagName"), "A");
  EXPECT_EQ(browser_->evaluate("window.same === document.querySelector('tbody')"), true);
  expect_sound({});
}

TEST_F(InABrowser, IsTheSameWithoutJavaScript) {
  for (const Event& event : some_events()) reporter_->emit(event);
  browser_->open(url());
  const std::string with = browser_->evaluate("document.querySelector('main').innerText");
  browser_->open(url(), {.scripts = false});
  EXPECT_EQ(browser_->evaluate("document.querySelector('main').innerText"), with);
  EXPECT_EQ(browser_->evaluate("document.getElementById('refresh-toggle').hidden"), true);
  const int asked = asked_;
  std::this_thread::sleep_for(3s);
  EXPECT_EQ(asked_, asked) << "something refreshes it";
  keep_picture("page-without-javascript");
}

TEST_F(InABrowser, CanBePaused) {
  browser_->open(url());
  browser_->click("#refresh-toggle");
  EXPECT_EQ(browser_->evaluate("document.getElementById('refresh-toggle').textContent"), "Resume");
  std::this_thread::sleep_for(500ms);
  const int asked = asked_;
  std::this_thread::sleep_for(3s);
  EXPECT_EQ(asked_, asked);
  browser_->click("#refresh-toggle");
  const auto until = std::chrono::steady_clock::now() + 15s;
  while (asked_ == asked && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(50ms);
  }
  EXPECT_GT(asked_, asked);
}

TEST_F(InABrowser, SaysThatTheDaemonIsGoneAndComesBack) {
  browser_->open(url());
  const std::string address = server_->address();
  server_.reset();
  EXPECT_TRUE(browser_->wait_until("document.body.innerText.includes('Not up to date')", 20s));
  EXPECT_EQ(text().find("Everything is well"), std::string::npos);
  keep_picture("page-stale");
  start(address);
  EXPECT_TRUE(browser_->wait_until("!document.body.innerText.includes('Not up to date')", 20s));
  EXPECT_NE(text().find("Everything is well"), std::string::npos);
  browser_->complaints();  // that nobody answered
}

TEST_F(InABrowser, IsATableForWhoListens) {
  for (const int width : {400, 1400}) {
    browser_->open(url(), {.width = width});
    const auto nodes = browser_->accessibility();
    EXPECT_THAT(nodes, Contains(Pair("table", "Sessions what comes next first"))) << width;
    EXPECT_EQ(std::ranges::count(nodes, "row", &std::pair<std::string, std::string>::first), 6);
    EXPECT_EQ(
        std::ranges::count(nodes, "columnheader", &std::pair<std::string, std::string>::first), 6);
    EXPECT_EQ(std::ranges::count(nodes, "rowheader", &std::pair<std::string, std::string>::first),
              5);
    EXPECT_EQ(std::ranges::count(nodes, "cell", &std::pair<std::string, std::string>::first), 25);
    EXPECT_THAT(nodes, Contains(Pair("heading", "Recent events newest first")));
    EXPECT_THAT(nodes, Contains(Pair("link", "To the sessions")));
    EXPECT_THAT(nodes, Contains(Pair("button", "Pause")));
  }
}

TEST_F(InABrowser, HostileNamesAreText) {
  Snapshot s = crowd(1);
  s.sessions[0].session.user = "<img src=x onerror=alert(1)>";
  s.sessions[0].session.foreground = "<script>document.title='owned'</script>";
  show(s);
  browser_->open(url());
  EXPECT_NE(text().find("<img src=x onerror=alert(1)>"), std::string::npos);
  EXPECT_NE(text().find("<script>document.title='owned'</script>"), std::string::npos);
  EXPECT_EQ(browser_->evaluate("document.images.length"), 0);
  std::this_thread::sleep_for(2500ms);  // refreshed once
  EXPECT_EQ(browser_->evaluate("document.images.length"), 0);
  expect_sound({});
}

TEST_F(InABrowser, ItsPolicyLetsNoForeignScriptRun) {
  browser_->open(url());
  browser_->evaluate(
      "document.body.append(Object.assign(document.createElement('script'), "
      "{textContent: 'window.ran = true'}))");
  browser_->evaluate(
      "fetch('http://127.0.0.1:9/').catch((e) => { window.refused = String(e) }); 0");
  EXPECT_TRUE(browser_->wait_until("window.refused !== undefined", 10s));
  EXPECT_EQ(browser_->evaluate("window.ran === undefined"), true);
  EXPECT_THAT(browser_->complaints(), Contains(::testing::HasSubstr("Content Security Policy")));
}

}  // namespace
}  // namespace idlewarden

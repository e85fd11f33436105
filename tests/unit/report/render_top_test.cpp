// SPDX-License-Identifier: Apache-2.0
#include "report/render_top.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/text.h"
#include "samples.h"

namespace idlewarden {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

TopInput small_input() {
  return {.host = "bastion", .view = view_of(test::small_snapshot()), .trouble = {}};
}

TopInput many(int n) {
  Snapshot s = test::empty_snapshot();
  for (int i = 0; i < n; ++i) {
    s.sessions.push_back(test::row_of(
        s, {.user = fmt::format("user{:03}", i), .tty = fmt::format("pts/{}", i), .idle = 1s}));
  }
  return {.host = "bastion", .view = view_of(s), .trouble = {}};
}

std::vector<std::string> texts(const TopPage& page) {
  std::vector<std::string> lines;
  for (const PaintedLine& line : page.lines) {
    std::string& text = lines.emplace_back();
    for (const Span& span : line) text += span.text;
    text.erase(text.find_last_not_of(' ') + 1);
  }
  return lines;
}

std::string shown(const TopInput& input, TopState state, const TopFrame& frame) {
  std::string all = "\n";
  for (const std::string& line : texts(render_top(input, state, frame))) all += line + "\n";
  return all;
}

void type(TopState& state, std::string_view keys) {
  for (const char c : keys) press(state, {.character = static_cast<char32_t>(c)}, 10);
}

std::vector<std::string> users(const TopInput& input, const TopState& state) {
  std::vector<std::string> names;
  for (const SessionLine* s : arranged(input.view.sessions, state)) names.push_back(s->user);
  return names;
}

TEST(TopPage, SaysThatOnlySomeAreLookedAt) {
  TopInput input = small_input();
  TopState state;
  input.view.only_host_pids = {12};
  EXPECT_THAT(texts(render_top(input, state, {.width = 80, .height = 10})),
              testing::Contains("only logins through pid 12"));
}

TEST(TopPage, At80By10) {
  EXPECT_EQ(shown(small_input(), {}, {.width = 80, .height = 10}), R"(
idlewarden on bastion: mode audit (nothing is ended); backend fentry   12:00:00Z
3 sessions: 2 active, 1 expired                              sorted by time left
USER  TTY    FROM         IDLE LIMIT  LEFT USED   STATE   PROGRAM LIMIT SET BY
bob   pts/11 2001:db8:… 10m10s   10m  -10s ██████ expired top     …-idle.conf:12
alice pts/3  10.0.0.7    8m12s   10m 1m48s ████▌░ active  vim     …shd_config:12
root  tty1   -            1d2h  none     -        active  bash    -



q quit  ? help  / filter  sort: l left  i idle  u user  t tty  m limit
)");
}

TEST(TopPage, At40ByTenInAscii) {
  EXPECT_EQ(shown(small_input(), {}, {.width = 40, .height = 9, .charset = Charset::ascii}), R"(
idlewarden on bastion: mode ~  12:00:00Z
3 sessions: 2 active, 1 expired
USER  TTY      IDLE  LEFT USED   STATE
bob   pts/11 10m10s  -10s ###### expired
alice pts/3   8m12s 1m48s ####.. active
root  tty1     1d2h     -        active


q quit  ? help  / filter  sort: l left ~
)");
}

// What a limit rests on is worth more than a long bar.
TEST(TopPage, At80ColumnsLongIdleTimesLeaveRoomForTheSourceOfTheLimit) {
  TopInput input = small_input();
  input.view.sessions.resize(1);
  SessionLine& s = input.view.sessions.front();
  s = {.user = "root",
       .tty = "pts/6",
       .from = "127.0.0.1",
       .state = "expired",
       .program = "vim.tiny",
       .set_by = "/etc/ssh/sshd_config:112",
       .idle = std::chrono::seconds(18 * 60 + 43),
       .limit = Seconds(120),
       .left = -std::chrono::seconds(16 * 60 + 43)};
  TopState state;
  EXPECT_THAT(shown(input, state, {.width = 80, .height = 8}), HasSubstr("config:112\n"));
}

TEST(TopPage, WithoutBoundsShowsAllAndNoKeys) {
  const std::string page = shown(many(300), {}, {});
  EXPECT_EQ(std::ranges::count(page, '\n'), 304);
  EXPECT_THAT(page, HasSubstr("user299"));
  EXPECT_THAT(page, Not(HasSubstr("q quit")));
}

TEST(TopPage, FitsEveryScreen) {
  TopInput input = many(50);
  input.trouble = std::string(300, 't');
  for (int i = 0; i < 9; ++i) input.view.degraded.push_back(std::string(300, 'd'));
  for (const bool help : {false, true}) {
    for (int width = 1; width < 140; width += 7) {
      for (int height = 1; height < 30; height += 3) {
        TopState state;
        state.help = help;
        const TopPage page = render_top(input, state, {.width = width, .height = height});
        ASSERT_LE(page.lines.size(), static_cast<std::size_t>(height));
        const Utf8Locale locale;
        for (const std::string& line : texts(page)) ASSERT_LE(columns_of(line), width) << line;
      }
    }
  }
}

TEST(TopPage, SaysWhatIsWrong) {
  TopInput input = small_input();
  input.trouble = "cannot reach the daemon";
  input.view.degraded = {"one", "two", "three", "four", "five"};
  const auto lines = texts([&] {
    TopState state;
    return render_top(input, state, {.width = 80, .height = 16});
  }());
  EXPECT_THAT(lines, Contains("cannot reach the daemon"));
  EXPECT_THAT(lines, Contains("degraded: one"));
  EXPECT_THAT(lines, Contains("degraded: 3 more reasons, see `idlewarden sessions`"));
}

TEST(TopPage, ScrollsNoFurtherThanThereAreSessions) {
  const TopInput input = many(100);
  TopState state;
  const TopFrame frame{.width = 100, .height = 24};
  TopPage page = render_top(input, state, frame);
  EXPECT_EQ(page.page, 20U);
  EXPECT_THAT(texts(page).back(), HasSubstr("1-20 of 100"));
  press(state, {.key = Key::page_down}, page.page);
  press(state, {.key = Key::down}, page.page);
  page = render_top(input, state, frame);
  EXPECT_THAT(texts(page).back(), HasSubstr("22-41 of 100"));
  EXPECT_THAT(texts(page)[3], HasSubstr("user021"));
  press(state, {.key = Key::end}, page.page);
  page = render_top(input, state, frame);
  EXPECT_THAT(texts(page).back(), HasSubstr("81-100 of 100"));
  press(state, {.key = Key::page_down}, page.page);
  render_top(input, state, frame);
  EXPECT_EQ(state.first, 80U);
  render_top(many(3), state, frame);
  EXPECT_EQ(state.first, 0U);
  press(state, {.key = Key::page_up}, page.page);
  press(state, {.key = Key::up}, page.page);
  EXPECT_EQ(state.first, 0U);
}

TEST(TopPage, WideAndCombiningCharactersBreakNoColumns) {
  Snapshot s = test::empty_snapshot();
  for (const char* user : {"plain", "你好世界", "e\xcc\x81\xcc\x82t", "\xf0\x9f\x98\x80"}) {
    s.sessions.push_back(test::row_of(s, {.user = user}));
  }
  const TopInput input{.host = "h", .view = view_of(s), .trouble = {}};
  TopState state;
  const auto lines = texts(render_top(input, state, {.width = 100, .height = 10}));
  const Utf8Locale locale;
  for (std::size_t i = 3; i < 7; ++i) {
    EXPECT_EQ(columns_of(lines[i].substr(0, lines[i].find("pts/3"))), 9) << lines[i];
  }
}

TEST(TopPage, PaintsByUrgency) {
  Snapshot s = test::empty_snapshot();
  s.sessions.push_back(test::row_of(s, {.idle = 1s}));
  s.sessions.push_back(test::row_of(s, {.idle = 450s}));
  s.sessions.push_back(test::row_of(s, {.idle = 449s, .state = State::warned}));
  s.sessions.push_back(test::row_of(s, {.idle = 601s}));
  s.sessions.push_back(test::row_of(s, {.idle = 1s, .state = State::held}));
  s.sessions.push_back(test::row_of(s, {.idle = 1s, .limit = std::nullopt}));
  const std::vector<Paint> wanted{Paint::calm, Paint::soon, Paint::soon,
                                  Paint::due,  Paint::due,  Paint::plain};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    SessionsView one = view_of(s);
    one.sessions = {one.sessions[i]};
    TopState state;
    const TopPage page =
        render_top({.host = "h", .view = one, .trouble = {}}, state, {.width = 120, .height = 10});
    EXPECT_EQ(page.lines[3].front().paint, Paint::plain);
    EXPECT_THAT(page.lines[3],
                Contains(::testing::Field(&Span::paint, wanted[i])).Times(::testing::Ge(3U)))
        << i;
  }
}

TEST(Bar, IsAsFullAsTheLimitIsUsed) {
  SessionLine s;
  s.limit = 100s;
  const auto bar = [&](Nanoseconds idle, Charset charset = Charset::utf8) {
    s.idle = idle;
    return bar_of(s, 4, charset);
  };
  EXPECT_EQ(bar(0s), "░░░░");
  EXPECT_EQ(bar(13s), "▌░░░");
  EXPECT_EQ(bar(25s), "█░░░");
  EXPECT_EQ(bar(99s), "███▌");
  EXPECT_EQ(bar(100s), "████");
  EXPECT_EQ(bar(1h), "████");
  EXPECT_EQ(bar(63s, Charset::ascii), "##..");
  s.limit.reset();
  EXPECT_EQ(bar(1h), "");
}

TEST(TopSort, ByEveryKeyAndBack) {
  Snapshot s = test::empty_snapshot();
  s.sessions.push_back(test::row_of(s, {.user = "a", .tty = "pts/10", .idle = 30s}));
  s.sessions.push_back(test::row_of(s, {.user = "c", .tty = "pts/9", .idle = 10s, .limit = 20s}));
  s.sessions.push_back(test::row_of(s, {.user = "b", .tty = "tty1", .idle = 90s, .limit = {}}));
  const TopInput input{.host = "h", .view = view_of(s), .trouble = {}};
  TopState state;
  EXPECT_THAT(users(input, state), ElementsAre("c", "a", "b"));
  type(state, "i");
  EXPECT_THAT(users(input, state), ElementsAre("b", "a", "c"));
  type(state, "u");
  EXPECT_THAT(users(input, state), ElementsAre("a", "b", "c"));
  type(state, "r");
  EXPECT_THAT(users(input, state), ElementsAre("c", "b", "a"));
  type(state, "t");
  EXPECT_THAT(users(input, state), ElementsAre("c", "a", "b"));
  type(state, "m");
  EXPECT_THAT(users(input, state), ElementsAre("c", "a", "b"));
  type(state, "l");
  EXPECT_EQ(state.sort, SortBy::left);
  EXPECT_FALSE(state.reversed);
}

TEST(TopFilter, FindsWhatStandsInTheLine) {
  const TopInput input = small_input();
  const auto found = [&](const std::string& filter) { return users(input, {.filter = filter}); };
  EXPECT_THAT(found(""), SizeIs(3));
  EXPECT_THAT(found("ALI"), ElementsAre("alice"));
  EXPECT_THAT(found("pts"), ElementsAre("bob", "alice"));
  EXPECT_THAT(found("10.0.0"), ElementsAre("alice"));
  EXPECT_THAT(found("expired"), ElementsAre("bob"));
  EXPECT_THAT(found("pts active"), ElementsAre("alice"));
  EXPECT_THAT(found("TOP"), ElementsAre("bob"));
  EXPECT_THAT(found("50-idle.conf"), ElementsAre("bob"));
  EXPECT_THAT(found("nobody"), SizeIs(0));
  TopState state{.filter = "nobody"};
  EXPECT_THAT(shown(input, state, {.width = 80, .height = 8}),
              HasSubstr("\nno session matches the filter\n"));
}

TEST(TopSort, ThoseThatAreAlikeStandByTheirTerminals) {
  TopInput input = small_input();
  input.view.sessions.resize(1);
  input.view.sessions.resize(3, input.view.sessions.front());
  const char* const ttys[] = {"pts/10", "pts/9", "pts/2"};
  for (std::size_t i = 0; i < 3; ++i) input.view.sessions[i].tty = ttys[i];
  for (const bool reversed : {false, true}) {
    std::vector<std::string> order;
    TopState state;
    state.sort = SortBy::user;
    state.reversed = reversed;
    for (const SessionLine* s : arranged(input.view.sessions, state)) order.push_back(s->tty);
    EXPECT_THAT(order, ElementsAre("pts/2", "pts/9", "pts/10"));
  }
}

TEST(TopFilter, IsTypedChangedKeptAndDropped) {
  TopState state;
  state.first = 7;
  type(state, "/q?");
  EXPECT_TRUE(state.typing);
  EXPECT_EQ(state.filter, "q?");
  EXPECT_EQ(state.first, 0U);
  press(state, {.character = U'é'}, 10);
  press(state, {.character = U'好'}, 10);
  press(state, {.character = U'😀'}, 10);
  EXPECT_EQ(state.filter, "q?é好😀");
  for (int i = 0; i < 3; ++i) press(state, {.key = Key::backspace}, 10);
  EXPECT_EQ(state.filter, "q?");
  press(state, {.character = U'\u202e'}, 10);  // right-to-left override
  press(state, {.character = 0x9b}, 10);
  EXPECT_EQ(state.filter, "q?");
  type(state, " two\x17");
  EXPECT_EQ(state.filter, "q? ");
  type(state,
       "\x15"
       "bob");
  EXPECT_THAT(shown(small_input(), state, {.width = 80, .height = 8}),
              HasSubstr("\nfilter: bob_\n"));
  press(state, {.key = Key::enter}, 10);
  EXPECT_FALSE(state.typing);
  EXPECT_EQ(state.filter, "bob");
  EXPECT_THAT(shown(small_input(), state, {.width = 80, .height = 8}),
              HasSubstr("\nfilter \"bob\"  q quit"));
  type(state, "c");
  EXPECT_EQ(state.filter, "");
  type(state, "/x");
  press(state, {.key = Key::escape}, 10);
  EXPECT_EQ(state.filter, "");
  EXPECT_FALSE(state.typing);
  type(state, "/" + std::string(1000, 'x'));
  EXPECT_EQ(state.filter.size(), 64U);
}

TEST(TopKeys, HelpComesAndGoesAndQQuits) {
  TopState state;
  type(state, "?");
  EXPECT_THAT(shown(small_input(), state, {.width = 80, .height = 24}), HasSubstr("Sort by"));
  type(state, "x");
  EXPECT_FALSE(state.help);
  EXPECT_EQ(press(state, {.character = U'q'}, 10), Wish::quit);
  type(state, "/");
  EXPECT_EQ(press(state, {.character = U'q'}, 10), Wish::stay);
  EXPECT_EQ(press(state, {.key = Key::escape}, 10), Wish::stay);
  type(state, "?");
  EXPECT_EQ(press(state, {.character = U'q'}, 10), Wish::quit);
}

TEST(TopKeys, NoKeySequenceBreaksIt) {
  TopState state;
  const TopInput input = many(30);
  unsigned seed = 1;
  for (int i = 0; i < 500; ++i) {
    seed = seed * 1103515245 + 12345;
    const KeyPress pressed{.key = static_cast<Key>(seed >> 16 & 7),
                           .character = static_cast<char32_t>(seed >> 20 & 0x7f)};
    const TopPage page = render_top(input, state, {.width = 60, .height = 12});
    ASSERT_LE(page.lines.size(), 12U);
    press(state, pressed, page.page);
  }
}

}  // namespace
}  // namespace idlewarden

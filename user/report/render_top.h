// SPDX-License-Identifier: Apache-2.0
// The live table without a terminal: what a screen shows of the sessions, and what a key does to
// it. Pure: no clock, no terminal, no daemon.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "report/sessions_view.h"
#include "report/table.h"

namespace idlewarden {

enum class SortBy { left, idle, user, tty, limit };

// What a person has chosen.
struct TopState {
  SortBy sort = SortBy::left;
  bool reversed = false;
  std::string filter;   // words, each of which a session must contain; as typed, printable
  bool typing = false;  // the filter is being typed
  bool help = false;
  std::size_t first = 0;  // index of the session on the first line of the table
};

enum class Key { character, up, down, page_up, page_down, home, end, backspace, enter, escape };
struct KeyPress {
  Key key = Key::character;
  char32_t character = 0;
};
enum class Wish { stay, quit };
// `page`: how many sessions the screen shows at a time.
Wish press(TopState& state, const KeyPress& pressed, std::size_t page);

// A session matches a word that stands in its line, times and limit aside, in any case of ASCII.
bool matches(const SessionLine& session, const std::string& filter);
// Those that match, in order.
std::vector<const SessionLine*> arranged(const std::vector<SessionLine>& sessions,
                                         const TopState& state);

enum class Paint { plain, title, heading, calm, soon, due, trouble, faint };
struct Span {
  std::string text;
  Paint paint = Paint::plain;
};
using PaintedLine = std::vector<Span>;

struct TopInput {
  std::string host;
  SessionsView view;
  std::string trouble;  // why there is nothing newer; empty: all is well
};

struct TopFrame {
  int width = 0;   // 0: no bound
  int height = 0;  // 0: no bound, all sessions and no line of keys
  Charset charset = Charset::utf8;
};

struct TopPage {
  std::vector<PaintedLine> lines;  // at most `height`
  std::size_t page = 1;            // sessions shown at a time
};
// `state.first` is moved to where there are sessions.
TopPage render_top(const TopInput& input, TopState& state, const TopFrame& frame);

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include "cli/top_screen.h"

#define NCURSES_NOMACROS 1
#include <curses.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>
#include <wchar.h>
#undef lines  // a macro of term.h

#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "cli/terminal.h"

namespace idlewarden {
namespace {

enum Pair : short { kGreen = 1, kYellow, kRed };

bool colours_wanted() {
  const char* no_color = std::getenv("NO_COLOR");
  return no_color == nullptr || *no_color == '\0';
}

attr_t coloured(Pair pair, bool colours) {
  return colours ? static_cast<attr_t>(COLOR_PAIR(pair)) : A_NORMAL;
}

// Without colours what is due stands out by weight.
attr_t attributes(Paint paint, bool colours) {
  switch (paint) {
    case Paint::plain: return A_NORMAL;
    case Paint::title: return A_BOLD;
    case Paint::heading: return A_REVERSE;
    case Paint::calm: return coloured(kGreen, colours);
    case Paint::soon: return coloured(kYellow, colours) | (colours ? A_NORMAL : A_UNDERLINE);
    case Paint::due:
    case Paint::trouble: return coloured(kRed, colours) | A_BOLD;
    case Paint::faint: return A_DIM;
  }
  return A_NORMAL;
}

std::optional<Key> special(wint_t code) {
  switch (code) {
    case KEY_UP: return Key::up;
    case KEY_DOWN: return Key::down;
    case KEY_PPAGE: return Key::page_up;
    case KEY_NPAGE: return Key::page_down;
    case KEY_HOME: return Key::home;
    case KEY_END: return Key::end;
    case KEY_BACKSPACE: return Key::backspace;
    case KEY_ENTER: return Key::enter;
    default: return std::nullopt;
  }
}

KeyPress typed(wint_t character) {
  switch (character) {
    case L'\r':
    case L'\n': return {.key = Key::enter};
    case L'\b':
    case 0x7f: return {.key = Key::backspace};
    case 0x1b: return {.key = Key::escape};
    default: return {.character = static_cast<char32_t>(character)};
  }
}

}  // namespace

struct TopScreen::Terminal {
  SCREEN* screen = nullptr;
  bool colours = false;

  explicit Terminal(SCREEN* opened) : screen(opened) {}
  ~Terminal() {
    ::endwin();
    ::delscreen(screen);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
};

bool TopScreen::possible() {
  int status = 0;
  if (::setupterm(nullptr, STDOUT_FILENO, &status) != OK) return false;
  const char* cup = ::tigetstr("cup");
  const bool has_cup = cup != nullptr && reinterpret_cast<std::intptr_t>(cup) != -1;
  ::del_curterm(::cur_term);
  return has_cup;
}

Result<std::unique_ptr<TopScreen>> TopScreen::open() {
  std::unique_ptr<TopScreen> top(new TopScreen);
  top->charset_ = terminal_charset();
  SCREEN* screen = ::newterm(nullptr, stdout, stdin);
  if (screen == nullptr) return fail("cannot use this terminal", "try --once");
  top->terminal_ = std::make_unique<Terminal>(screen);
  ::cbreak();
  ::noecho();
  ::keypad(stdscr, TRUE);
  ::nodelay(stdscr, TRUE);
  ::set_escdelay(100);  // ms in which the rest of an arrow key's sequence must arrive
  ::curs_set(0);
  if (colours_wanted() && ::has_colors()) {
    ::start_color();
    ::use_default_colors();
    ::init_pair(kGreen, COLOR_GREEN, -1);
    ::init_pair(kYellow, COLOR_YELLOW, -1);
    ::init_pair(kRed, COLOR_RED, -1);
    top->terminal_->colours = true;
  }
  return top;
}

TopScreen::~TopScreen() = default;

TopFrame TopScreen::frame() const {
  return {.width = getmaxx(stdscr), .height = getmaxy(stdscr), .charset = charset_};
}

void TopScreen::resized() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
    ::resizeterm(size.ws_row, size.ws_col);
  }
  ::clearok(curscr, TRUE);
}

// ncurses sends only what differs from what is shown.
void TopScreen::paint(const std::vector<PaintedLine>& lines) {
  ::werase(stdscr);
  for (int y = 0; const PaintedLine& line : lines) {
    ::wmove(stdscr, y++, 0);
    for (const Span& span : line) {
      ::wattrset(stdscr, static_cast<int>(attributes(span.paint, terminal_->colours)));
      ::waddstr(stdscr, span.text.c_str());  // fails on the last cell of the screen, having set it
    }
  }
  ::wattrset(stdscr, A_NORMAL);
  ::wrefresh(stdscr);
}

std::optional<KeyPress> TopScreen::key() {
  constexpr wint_t kCtrlL = 0x0c;
  wint_t code = 0;
  for (int got = ::wget_wch(stdscr, &code); got != ERR; got = ::wget_wch(stdscr, &code)) {
    if (got == OK && code != kCtrlL) return typed(code);
    if (got == OK) ::clearok(curscr, TRUE);
    if (const auto key = special(code); got == KEY_CODE_YES && key) return KeyPress{.key = *key};
  }
  return std::nullopt;
}

}  // namespace idlewarden

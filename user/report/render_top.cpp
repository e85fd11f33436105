// SPDX-License-Identifier: Apache-2.0
#include "report/render_top.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "base/text.h"
#include "report/text.h"

namespace idlewarden {
namespace {

constexpr std::size_t kLongestFilter = 64;

struct Order {
  char key;
  SortBy by;
  std::string_view name;
};
constexpr std::array<Order, 5> kOrders{{
    {'l', SortBy::left, "time left"},
    {'i', SortBy::idle, "idle time"},
    {'u', SortBy::user, "user"},
    {'t', SortBy::tty, "terminal"},
    {'m', SortBy::limit, "limit"},
}};

constexpr std::array<std::string_view, 14> kHelp{
    "Sort by",
    "  l  time left, what ends next first      i  idle time, the longest first",
    "  u  user        t  terminal              m  limit, the shortest first",
    "  r  the other way round",
    "Filter",
    "  /  type words: each of them must stand somewhere in a session's line.",
    "     Enter keeps the filter, Escape drops it.",
    "  c  drop the filter",
    "Move",
    "  arrows, j k  a line      Page Up/Down, space b  a page      Home End, g G",
    "Leave",
    "  q, Ctrl-C",
    "",
    "Any key goes back to the table.",
};

// "pts/9" before "pts/10".
auto tty_order(std::string_view tty) {
  const auto digits = tty.find_last_not_of("0123456789") + 1;  // npos + 1 is 0
  return std::tuple(tty.substr(0, digits), tty.size(), tty);
}

bool before(const SessionLine& a, const SessionLine& b, SortBy by) {
  switch (by) {
    case SortBy::left: return more_urgent(a, b);
    case SortBy::idle: return a.idle > b.idle;
    case SortBy::user: return a.user < b.user;
    case SortBy::tty: return tty_order(a.tty) < tty_order(b.tty);
    case SortBy::limit:
      if (a.limit.has_value() != b.limit.has_value()) return a.limit.has_value();
      return a.limit < b.limit;
  }
  return false;
}

std::string utf8(char32_t c) {
  std::string out;
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3f));
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  }
  return out;
}

void edit_filter(TopState& state, const KeyPress& pressed) {
  constexpr char32_t kCtrlU = 0x15;
  constexpr char32_t kCtrlW = 0x17;
  state.first = 0;
  switch (pressed.key) {
    case Key::enter: state.typing = false; return;
    case Key::escape:
      state.typing = false;
      state.filter.clear();
      return;
    case Key::backspace:
      while (!state.filter.empty() && (state.filter.back() & 0xc0) == 0x80) state.filter.pop_back();
      if (!state.filter.empty()) state.filter.pop_back();
      return;
    case Key::character: break;
    default: return;
  }
  if (pressed.character == kCtrlU) state.filter.clear();
  if (pressed.character == kCtrlW) state.filter.erase(state.filter.find_last_of(' ') + 1);
  const std::string typed = utf8(pressed.character);
  if (pressed.character < 0x20 || printable(typed) != typed) return;
  if (state.filter.size() + typed.size() <= kLongestFilter) state.filter += typed;
}

void move(TopState& state, Key key, std::size_t page) {
  switch (key) {
    case Key::up: state.first -= std::min<std::size_t>(state.first, 1); break;
    case Key::down: ++state.first; break;
    case Key::page_up: state.first -= std::min(state.first, page); break;
    case Key::page_down: state.first += page; break;
    case Key::home: state.first = 0; break;
    case Key::end: state.first = SIZE_MAX / 2; break;  // rendering brings it back
    default: break;
  }
}

Wish press_letter(TopState& state, char32_t letter, std::size_t page) {
  switch (letter) {
    case 'q': return Wish::quit;
    case '?':
    case 'h': state.help = true; break;
    case '/': state.typing = true; break;
    case 'c':
      state.filter.clear();
      state.first = 0;
      break;
    case 'r': state.reversed = !state.reversed; break;
    case 'k': move(state, Key::up, page); break;
    case 'j': move(state, Key::down, page); break;
    case 'b': move(state, Key::page_up, page); break;
    case ' ': move(state, Key::page_down, page); break;
    case 'g': move(state, Key::home, page); break;
    case 'G': move(state, Key::end, page); break;
    default:
      for (const Order& order : kOrders) {
        if (static_cast<char32_t>(order.key) != letter) continue;
        state.sort = order.by;
        state.reversed = false;
        state.first = 0;
      }
  }
  return Wish::stay;
}

Paint urgency(const SessionLine& s) {
  if (s.state == "expired" || s.state == "held" || s.state == "ending") return Paint::due;
  if (s.left && *s.left <= Nanoseconds(0)) return Paint::due;
  if (s.state == "warned") return Paint::soon;
  // Three quarters used up.
  if (s.left && s.limit && *s.left * 4 <= Nanoseconds(*s.limit)) return Paint::soon;
  return s.limit ? Paint::calm : Paint::plain;
}

PaintedLine painted(const TableLine& line, const SessionLine& session) {
  PaintedLine out;
  for (const TableCell& cell : line) {
    const bool speaks =
        cell.column == Column::left || cell.column == Column::bar || cell.column == Column::state;
    out.push_back({.text = cell.text, .paint = speaks ? urgency(session) : Paint::plain});
  }
  return out;
}

std::string counted(std::size_t n) {
  return n == 0 ? "no sessions" : n == 1 ? "1 session" : fmt::format("{} sessions", n);
}

std::string counts(const std::vector<SessionLine>& sessions) {
  std::map<std::string, std::size_t> by_state;
  for (const SessionLine& s : sessions) ++by_state[s.state];
  std::string text = counted(sessions.size());
  const char* separator = ": ";
  for (const char* state : {"active", "warned", "expired", "held", "ending", "ended"}) {
    const auto it = by_state.find(state);
    if (it == by_state.end()) continue;
    text += fmt::format("{}{} {}", separator, it->second, state);
    separator = ", ";
  }
  return text;
}

std::string order_name(const TopState& state) {
  const auto& order = *std::ranges::find(kOrders, state.sort, &Order::by);
  return fmt::format("sorted by {}{}", order.name, state.reversed ? ", reversed" : "");
}

// Lines that fit the frame.
class Writer {
 public:
  explicit Writer(const TopFrame& frame) : frame_(frame) {}

  std::string fitted(const std::string& text) const {
    const std::string shown = drawable(text, frame_.charset);
    return frame_.width > 0 ? keep_head(shown, frame_.width, frame_.charset) : shown;
  }
  void add(const std::string& text, Paint paint = Paint::plain) {
    lines.push_back({{.text = fitted(text), .paint = paint}});
  }
  // From edge to edge; where it is narrow the left part is cut.
  void add(const std::string& left, const std::string& right, Paint paint) {
    const int gap = right.empty() ? 0 : 2;
    const int room = frame_.width - columns_of(right) - gap;
    if (room < 2 * columns_of(right)) return add(left, paint);
    const std::string shown = keep_head(drawable(left, frame_.charset), room, frame_.charset);
    const int blank = room + gap - columns_of(shown);
    add(shown + std::string(static_cast<std::size_t>(blank), ' ') + right, paint);
  }

  std::vector<PaintedLine> lines;

 private:
  TopFrame frame_;
};

// "2026-11-22T15:30:12.123Z" is long; the day is known.
std::string time_of_day(const std::string& time) {
  return time.size() < 20 ? time : time.substr(11, 8) + "Z";
}

void add_head(Writer& out, const TopInput& input, const TopState& state, const TopFrame& frame) {
  const SessionsView& view = input.view;
  out.add(fmt::format("idlewarden on {}: mode {}{}; backend {}", input.host, view.mode,
                      view.mode == "audit" ? " (nothing is ended)" : "", view.backend),
          time_of_day(view.time), Paint::title);
  out.add(counts(view.sessions), order_name(state), Paint::plain);
  const std::string scope = scope_text(view.only_host_pids);
  if (!scope.empty()) out.add(scope, Paint::plain);
  // On a screen the table must keep most of the lines.
  const auto all = view.degraded.size();
  const auto most = frame.height > 0 ? static_cast<std::size_t>(frame.height / 8) + 1 : all;
  for (std::size_t i = 0; i < std::min(all, most); ++i) {
    const bool more = i + 1 == most && all > most;
    out.add(more ? fmt::format("degraded: {} more reasons, see `idlewarden sessions`", all - i)
                 : "degraded: " + view.degraded[i],
            Paint::trouble);
  }
  if (!input.trouble.empty()) out.add(input.trouble, Paint::trouble);
}

void add_foot(Writer& out, const TopState& state, std::size_t all, std::size_t page) {
  if (state.typing) return out.add("filter: " + state.filter + "_", Paint::faint);
  const std::string filter =
      state.filter.empty() ? "" : fmt::format("filter \"{}\"  ", state.filter);
  const std::string where =
      all <= page ? "" : fmt::format("{}-{} of {}", state.first + 1, state.first + page, all);
  out.add(filter + "q quit  ? help  / filter  sort: l left  i idle  u user  t tty  m limit", where,
          Paint::faint);
}

// The titles, the sessions and, on a screen, the line of keys at its bottom; how many sessions are
// on it at a time.
std::size_t add_table(Writer& out, const TopInput& input, TopState& state, const TopFrame& frame) {
  const std::vector<const SessionLine*> sessions = arranged(input.view.sessions, state);
  const bool bounded = frame.height > 0;
  const int taken = static_cast<int>(out.lines.size()) + 2;
  const std::size_t page = bounded ? static_cast<std::size_t>(std::max(1, frame.height - taken))
                                   : std::max<std::size_t>(1, sessions.size());
  state.first = std::min(state.first, sessions.size() - std::min(sessions.size(), page));
  const std::size_t end = std::min(sessions.size(), state.first + page);
  if (!input.view.sessions.empty()) {
    // Widths follow all sessions: nothing jumps when the page or the filter changes.
    const Table table(input.view.sessions,
                      {.width = frame.width, .charset = frame.charset, .bars = true});
    out.add(text_of(table.header()), "", Paint::heading);
    for (std::size_t i = state.first; i < end; ++i) {
      out.lines.push_back(painted(table.line(*sessions[i]), *sessions[i]));
    }
    if (sessions.empty()) out.add("no session matches the filter");
  }
  if (bounded) {
    out.lines.resize(static_cast<std::size_t>(frame.height - 1));
    add_foot(out, state, sessions.size(), page);
  }
  return page;
}

}  // namespace

bool matches(const SessionLine& session, const std::string& filter) {
  const std::string all = lower(session.user + "\n" + session.tty + "\n" + session.from + "\n" +
                                session.state + "\n" + session.program + "\n" + session.set_by);
  return std::ranges::all_of(split(lower(filter), ' '), [&](const std::string& word) {
    return all.find(word) != std::string::npos;
  });
}

std::vector<const SessionLine*> arranged(const std::vector<SessionLine>& sessions,
                                         const TopState& state) {
  std::vector<const SessionLine*> kept;
  for (const SessionLine& s : sessions) {
    if (state.filter.empty() || matches(s, state.filter)) kept.push_back(&s);
  }
  // Those that are alike stand by their terminals, whichever way round.
  std::ranges::stable_sort(kept, {}, [](const SessionLine* s) { return tty_order(s->tty); });
  std::ranges::stable_sort(kept, [&](const SessionLine* a, const SessionLine* b) {
    return state.reversed ? before(*b, *a, state.sort) : before(*a, *b, state.sort);
  });
  return kept;
}

Wish press(TopState& state, const KeyPress& pressed, std::size_t page) {
  if (state.typing) {
    edit_filter(state, pressed);
    return Wish::stay;
  }
  if (state.help) {
    state.help = false;
    return pressed.key == Key::character && pressed.character == 'q' ? Wish::quit : Wish::stay;
  }
  if (pressed.key == Key::character) return press_letter(state, pressed.character, page);
  if (pressed.key == Key::escape) state.filter.clear();
  move(state, pressed.key, page);
  return Wish::stay;
}

TopPage render_top(const TopInput& input, TopState& state, const TopFrame& frame) {
  const Utf8Locale locale;
  Writer out(frame);
  TopPage result;
  add_head(out, input, state, frame);
  if (state.help) {
    for (const std::string_view line : kHelp) out.add(std::string(line));
  } else {
    result.page = add_table(out, input, state, frame);
  }
  if (frame.height > 0 && out.lines.size() > static_cast<std::size_t>(frame.height)) {
    out.lines.resize(static_cast<std::size_t>(frame.height));
  }
  result.lines = std::move(out.lines);
  return result;
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "report/render.h"
#include "report/table.h"
#include "report/text.h"

namespace idlewarden {
namespace {

enum class Gives { nothing, front, end };  // which part of a text may be cut

struct Spec {
  Column column;
  std::string_view title;
  bool right = false;  // numbers
  Gives gives = Gives::nothing;
  int least = 0;  // columns, if it can be shortened
  int turn = 0;   // of being shortened: the lowest first
  int worst = 0;  // columns, if it would have to go otherwise; 0: `least`
  int stays = 0;  // the lowest goes first where even shortening is not enough
};

constexpr std::array<Spec, 10> kColumns{{
    {.column = Column::user,
     .title = "USER",
     .gives = Gives::end,
     .least = 8,
     .turn = 3,
     .stays = 9},
    {.column = Column::tty, .title = "TTY", .gives = Gives::end, .least = 9, .turn = 3, .stays = 8},
    {.column = Column::from,
     .title = "FROM",
     .gives = Gives::end,
     .least = 10,
     .turn = 3,
     .stays = 3},
    {.column = Column::idle, .title = "IDLE", .right = true, .stays = 6},
    {.column = Column::limit, .title = "LIMIT", .right = true, .stays = 4},
    {.column = Column::left, .title = "LEFT", .right = true, .stays = 10},
    {.column = Column::bar,
     .title = "USED",
     .gives = Gives::end,
     .least = 6,
     .turn = 1,
     .stays = 5},
    {.column = Column::state, .title = "STATE", .stays = 7},
    {.column = Column::program,
     .title = "PROGRAM",
     .gives = Gives::end,
     .least = 7,
     .turn = 3,
     .stays = 2},
    {.column = Column::set_by,
     .title = "LIMIT SET BY",
     .gives = Gives::front,
     .least = 16,
     .turn = 2,
     .worst = 12,  // its title, and "…_config:12"
     .stays = 1},
}};
constexpr int kBarWidth = 16;

std::string or_dash(const std::string& text) {
  return text.empty() ? "-" : text;
}

std::string text_in(const SessionLine& s, Column column) {
  switch (column) {
    case Column::user: return or_dash(s.user);
    case Column::tty: return or_dash(s.tty);
    case Column::from: return or_dash(s.from);
    case Column::idle: return short_duration(s.idle);
    case Column::limit: return s.limit ? short_duration(*s.limit) : "none";
    case Column::left: return s.left ? short_duration(*s.left) : "-";
    case Column::bar: return "";  // as wide as there is room
    case Column::state: return or_dash(s.state);
    case Column::program: return or_dash(s.program);
    case Column::set_by: return or_dash(s.set_by);
  }
  return "";
}

std::string padded(const std::string& text, int width, bool right) {
  const std::string pad(static_cast<std::size_t>(std::max(0, width - columns_of(text))), ' ');
  return right ? pad + text : text + pad;
}

}  // namespace

Table::Table(const std::vector<SessionLine>& sessions, const TableStyle& style) : style_(style) {
  for (std::size_t i = 0; i < kColumns.size(); ++i) {
    const Column column = kColumns[i].column;
    if (column == Column::bar && !style.bars) continue;
    int width = columns_of(kColumns[i].title);
    for (const SessionLine& s : sessions) {
      // "?" for a character that cannot be shown takes no more columns than a cell counts for it.
      width = std::max(width, columns_of(drawable(text_in(s, column), style.charset)));
    }
    places_.push_back({.column = i, .width = column == Column::bar ? kBarWidth : width});
  }
  fit();
}

void Table::fit() {
  const auto too_wide = [&] {
    int total = gap_ * (static_cast<int>(places_.size()) - 1) - style_.width;
    for (const Place& place : places_) total += place.width;
    return total;
  };
  if (style_.width <= 0 || too_wide() <= 0) return;
  gap_ = 1;
  while (true) {
    const std::vector<Place> natural = places_;
    const auto shorten = [&](Place& place, int least) {
      place.width -= std::clamp(too_wide(), 0, std::max(0, place.width - least));
    };
    for (const int turn : {1, 2, 3}) {
      for (Place& place : places_) {
        const Spec& spec = kColumns[place.column];
        if (spec.gives != Gives::nothing && spec.turn == turn) shorten(place, spec.least);
      }
    }
    for (Place& place : places_) {
      if (const int worst = kColumns[place.column].worst; worst > 0) shorten(place, worst);
    }
    if (too_wide() <= 0 || places_.size() == 1) return;
    places_ = natural;
    places_.erase(std::ranges::min_element(
        places_, {}, [](const Place& place) { return kColumns[place.column].stays; }));
  }
}

TableLine Table::put_together(const std::vector<std::string>& texts) const {
  TableLine line;
  int used = 0;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const Spec& spec = kColumns[places_[i].column];
    const int width = places_[i].width;
    const std::string shown = drawable(texts[i], style_.charset);
    const std::string fitted = spec.gives == Gives::front ? keep_tail(shown, width, style_.charset)
                                                          : keep_head(shown, width, style_.charset);
    std::string text = std::string(i == 0 ? 0U : static_cast<std::size_t>(gap_), ' ') +
                       padded(fitted, width, spec.right);
    if (style_.width > 0) text = keep_head(text, style_.width - used, style_.charset);
    used += columns_of(text);
    line.push_back({.column = spec.column, .text = std::move(text)});
  }
  return line;
}

TableLine Table::header() const {
  std::vector<std::string> titles;
  for (const Place& place : places_) titles.emplace_back(kColumns[place.column].title);
  return put_together(titles);
}

TableLine Table::line(const SessionLine& session) const {
  std::vector<std::string> texts;
  for (const Place& place : places_) {
    const Column column = kColumns[place.column].column;
    texts.push_back(column == Column::bar ? bar_of(session, place.width, style_.charset)
                                          : text_in(session, column));
  }
  return put_together(texts);
}

std::string text_of(const TableLine& line) {
  std::string text;
  for (const TableCell& cell : line) text += cell.text;
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

// Halves only: the fonts of the console have no finer blocks.
std::string bar_of(const SessionLine& session, int width, Charset charset) {
  if (!session.limit || *session.limit <= Seconds(0)) return "";
  const double part = std::clamp(to_seconds(session.idle) / to_seconds(*session.limit), 0.0, 1.0);
  const bool fine = charset == Charset::utf8;
  const int halves = static_cast<int>(part * width * 2);
  std::string bar;
  for (int i = 0; i < width; ++i) {
    if (halves >= 2 * (i + 1)) {
      bar += fine ? "█" : "#";
    } else {
      bar += !fine ? "." : halves > 2 * i ? "▌" : "░";
    }
  }
  return bar;
}

std::string summary_of(const SessionsView& view) {
  const std::size_t n = view.sessions.size();
  const std::string scope = scope_text(view.only_host_pids);
  return fmt::format("{}; mode {}{}; input seen by {}{}{}",
                     n == 0   ? "no sessions"
                     : n == 1 ? "1 session"
                              : fmt::format("{} sessions", n),
                     view.mode, view.mode == "audit" ? " (nothing is ended)" : "", view.backend,
                     scope.empty() ? "" : "; ", scope);
}

std::string sessions_table(const Snapshot& snapshot, int width, Charset charset) {
  const Utf8Locale locale;
  SessionsView view = view_of(snapshot);
  std::ranges::stable_sort(view.sessions, more_urgent);
  std::string out;
  if (!view.sessions.empty()) {
    const Table table(view.sessions, {.width = width, .charset = charset, .bars = false});
    out += text_of(table.header()) + "\n";
    for (const SessionLine& session : view.sessions) out += text_of(table.line(session)) + "\n";
  }
  const auto add = [&](const std::string& line) {
    const std::string shown = drawable(line, charset);
    out += (width > 0 ? keep_head(shown, width, charset) : shown) + "\n";
  };
  add(summary_of(view));
  for (const std::string& sentence : view.degraded) add("degraded: " + sentence);
  return out;
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// Sessions as a table for people, fitted to a terminal's width.
#include <fmt/format.h>
#include <locale.h>
#include <wchar.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"
#include "report/render.h"
#include "report/text.h"

namespace idlewarden {
namespace {

// wcwidth(3) knows how many columns a character takes, but only in a UTF-8 locale; this thread
// wears one for as long as a table is drawn. Where the host has none, every character counts as 1.
class Utf8Locale {
 public:
  Utf8Locale() : ours_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (ours_ != nullptr) before_ = ::uselocale(ours_);
  }
  ~Utf8Locale() {
    if (ours_ == nullptr) return;
    ::uselocale(before_);
    ::freelocale(ours_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  locale_t ours_;
  locale_t before_ = nullptr;
};

struct Character {
  std::size_t bytes = 1;
  int columns = 1;
};

// `s` is not empty and went through printable().
Character first_character(std::string_view s) {
  wchar_t wide = 0;
  std::mbstate_t state{};
  const std::size_t bytes = std::mbrtowc(&wide, s.data(), s.size(), &state);
  if (bytes == 0 || bytes > s.size()) {
    std::size_t length = 1;
    while (length < s.size() && (static_cast<unsigned char>(s[length]) & 0xc0) == 0x80) ++length;
    return {.bytes = length};
  }
  return {.bytes = bytes, .columns = std::max(0, ::wcwidth(wide))};
}

int columns_of(std::string_view s) {
  int total = 0;
  while (!s.empty()) {
    const Character c = first_character(s);
    total += c.columns;
    s.remove_prefix(c.bytes);
  }
  return total;
}

std::string keep_head(std::string_view s, int width) {
  if (columns_of(s) <= width) return std::string(s);
  std::string out;
  int used = 1;  // of the mark
  while (!s.empty()) {
    const Character c = first_character(s);
    if (used + c.columns > width) break;
    out += s.substr(0, c.bytes);
    used += c.columns;
    s.remove_prefix(c.bytes);
  }
  return width > 0 ? out + "…" : "";
}

// The end of a path says more than its beginning.
std::string keep_tail(std::string_view s, int width) {
  if (columns_of(s) <= width) return std::string(s);
  while (!s.empty() && columns_of(s) + 1 > width) s.remove_prefix(first_character(s).bytes);
  return width > 0 ? "…" + std::string(s) : "";
}

struct Column {
  std::string_view title;
  bool right = false;    // numbers
  bool is_path = false;  // shortened first, and at its front
  int shrinks_to = 0;    // 0: never shortened
};

constexpr std::array<Column, 9> kColumns{{
    {.title = "USER", .shrinks_to = 8},
    {.title = "TTY"},
    {.title = "FROM", .shrinks_to = 10},
    {.title = "IDLE", .right = true},
    {.title = "LIMIT", .right = true},
    {.title = "LEFT", .right = true},
    {.title = "STATE"},
    {.title = "PROGRAM", .shrinks_to = 7},
    {.title = "LIMIT SET BY", .is_path = true, .shrinks_to = 16},
}};
using Cells = std::array<std::string, kColumns.size()>;

struct Layout {
  std::array<int, kColumns.size()> widths{};
  int gap = 2;
};

std::string or_dash(std::string_view raw) {
  return raw.empty() ? "-" : printable(raw, kNameLimit);
}

std::string set_by(const SessionRow& row) {
  if (!row.limit) return "-";
  const LimitSource* source = row.verdict.used_source();
  if (source != nullptr && !source->where.file.empty()) return file_line(source->where);
  return row.verdict.decided_by ? std::string(to_string(*row.verdict.decided_by)) : "-";
}

Cells cells_of(const SessionRow& row) {
  const Session& s = row.session;
  return {
      or_dash(s.user),
      or_dash(s.tty_name),
      or_dash(s.remote ? s.remote->address : ""),
      short_duration(row.idle),
      row.limit ? short_duration(*row.limit) : "no limit",
      row.limit ? short_duration(*row.limit - row.idle) : "-",
      std::string(to_string(row.state)),
      or_dash(s.foreground),
      set_by(row),
  };
}

// Too narrow: first the gaps go, then the front of paths, then the ends of names.
Layout fit(const std::vector<Cells>& table, int width) {
  Layout layout;
  int total = 0;
  for (std::size_t i = 0; i < kColumns.size(); ++i) {
    for (const Cells& cells : table) {
      layout.widths[i] = std::max(layout.widths[i], columns_of(cells[i]));
    }
    total += layout.widths[i];
  }
  constexpr int kGaps = static_cast<int>(kColumns.size()) - 1;
  if (width <= 0 || total + kGaps * layout.gap <= width) return layout;
  layout.gap = 1;
  total += kGaps;
  for (const bool paths : {true, false}) {
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      if (kColumns[i].shrinks_to == 0 || kColumns[i].is_path != paths) continue;
      const int spare = std::max(0, layout.widths[i] - kColumns[i].shrinks_to);
      const int less = std::clamp(total - width, 0, spare);
      layout.widths[i] -= less;
      total -= less;
    }
  }
  return layout;
}

std::string line_of(const Cells& cells, const Layout& layout, int width) {
  std::string line;
  for (std::size_t i = 0; i < kColumns.size(); ++i) {
    const int room = layout.widths[i];
    const std::string text =
        kColumns[i].is_path ? keep_tail(cells[i], room) : keep_head(cells[i], room);
    const std::string pad(static_cast<std::size_t>(room - columns_of(text)), ' ');
    if (i > 0) line.append(static_cast<std::size_t>(layout.gap), ' ');
    line += kColumns[i].right ? pad + text : text + pad;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return (width > 0 ? keep_head(line, width) : line) + "\n";
}

// What comes next stands first; sessions without a limit stand last, the idlest of them first.
bool more_urgent(const SessionRow* a, const SessionRow* b) {
  if (a->limit.has_value() != b->limit.has_value()) return a->limit.has_value();
  if (!a->limit) return a->idle > b->idle;
  return *a->limit - a->idle < *b->limit - b->idle;
}

std::string summary(const Snapshot& snapshot) {
  const std::size_t n = snapshot.sessions.size();
  return fmt::format("{}; mode {}{}; input seen by {}",
                     n == 0   ? "no sessions"
                     : n == 1 ? "1 session"
                              : fmt::format("{} sessions", n),
                     to_string(snapshot.mode),
                     snapshot.mode == Mode::audit ? " (nothing is ended)" : "",
                     to_string(snapshot.backend));
}

}  // namespace

std::string sessions_table(const Snapshot& snapshot, int width) {
  const Utf8Locale locale;
  std::string out;
  if (!snapshot.sessions.empty()) {
    std::vector<const SessionRow*> rows;
    for (const SessionRow& row : snapshot.sessions) rows.push_back(&row);
    std::ranges::stable_sort(rows, more_urgent);
    std::vector<Cells> table(1);
    for (std::size_t i = 0; i < kColumns.size(); ++i) table[0][i] = kColumns[i].title;
    for (const SessionRow* row : rows) table.push_back(cells_of(*row));
    const Layout layout = fit(table, width);
    for (const Cells& cells : table) out += line_of(cells, layout, width);
  }
  const auto add = [&](const std::string& line) {
    out += (width > 0 ? keep_head(line, width) : line) + "\n";
  };
  add(summary(snapshot));
  for (const auto& [reason, sentence] : snapshot.degraded) {
    add("degraded: " + printable(sentence.empty() ? reason : sentence, kSentenceLimit));
  }
  return out;
}

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// The one table of sessions: which columns there are, how wide each is and what gives way where a
// terminal is narrow. `sessions` prints it, `top` paints it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/columns.h"
#include "report/sessions_view.h"

namespace idlewarden {

enum class Column { user, tty, from, idle, limit, left, bar, state, program, set_by };

struct TableStyle {
  int width = 0;  // columns at most; 0: no bound
  Charset charset = Charset::utf8;
  bool bars = false;  // a column that draws how much of the limit is used up
};

// A part of a line, the gap before it included: the parts of a line, put together, are the line.
struct TableCell {
  Column column = Column::user;
  std::string text;
};
using TableLine = std::vector<TableCell>;

// Too narrow: first the gaps go, then the front of paths and the ends of names, then whole columns,
// the least important first. What still does not fit is cut.
class Table {
 public:
  // Columns are as wide as all these sessions need. A Utf8Locale is worn by the caller, here and
  // for every line.
  Table(const std::vector<SessionLine>& sessions, const TableStyle& style);

  TableLine header() const;
  TableLine line(const SessionLine& session) const;

 private:
  struct Place {
    std::size_t column = 0;  // of the table of columns
    int width = 0;
  };
  void fit();
  TableLine put_together(const std::vector<std::string>& texts) const;

  TableStyle style_;
  std::vector<Place> places_;
  int gap_ = 2;
};

// All parts of a line, blanks at its end left out.
std::string text_of(const TableLine& line);

// `width` columns of which as many are filled as the idle time fills the limit; empty if there is
// no limit.
std::string bar_of(const SessionLine& session, int width, Charset charset);

// "3 sessions; mode audit (nothing is ended); input seen by fentry"
std::string summary_of(const SessionsView& view);

}  // namespace idlewarden

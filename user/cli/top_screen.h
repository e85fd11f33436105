// SPDX-License-Identifier: Apache-2.0
// A terminal taken over by ncurses. One at a time.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "report/render_top.h"

namespace idlewarden {

class TopScreen {
 public:
  // Can standard output's terminal place its cursor (terminfo(5), cup)?
  static bool possible();
  // Colours where the terminal has them and $NO_COLOR is unset or empty (https://no-color.org).
  static Result<std::unique_ptr<TopScreen>> open();
  ~TopScreen();  // gives the terminal back as it was
  TopScreen(const TopScreen&) = delete;
  TopScreen& operator=(const TopScreen&) = delete;

  TopFrame frame() const;
  void resized();  // asks the terminal for its size; the next paint() is a whole one
  void paint(const std::vector<PaintedLine>& lines);
  // The next key that was pressed; nullopt: none is waiting. Ctrl-L paints all again.
  std::optional<KeyPress> key();

 private:
  TopScreen() = default;
  struct Terminal;
  std::unique_ptr<Terminal> terminal_;
  Charset charset_ = Charset::ascii;
};

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// What reaches a program's input, and whether a person sent it: for the automaton's own test and
// for the same automaton inside the kernel.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace idlewarden::test {

struct ReplySample {
  std::string_view name;
  std::string_view bytes;
  bool reply;
};

inline std::vector<ReplySample> reply_samples() {
  using namespace std::string_view_literals;
  static const std::string kLongest = "\033]52;c;" + std::string(2040, 'a') + "\a";
  return {
      // A person.
      {"a letter", "a"sv, false},
      {"a line", "echo hello world\r"sv, false},
      {"NUL", "\0\0\0\0"sv, false},
      {"ESC", "\033"sv, false},
      {"Alt-x", "\033x"sv, false},
      {"ESC three times", "\033\033\033"sv, false},
      {"up", "\033[A"sv, false},
      {"up, application mode", "\033OA"sv, false},
      {"Ctrl-left", "\033[1;5D"sv, false},
      {"Shift-Tab", "\033[Z"sv, false},
      {"Home", "\033[H"sv, false},
      {"Delete", "\033[3~"sv, false},
      {"F1", "\033OP"sv, false},
      {"F1 of the Linux console", "\033[[A"sv, false},
      {"F3", "\033OR"sv, false},
      {"F3 as CSI", "\033[R"sv, false},
      {"F3 as VT220", "\033[13~"sv, false},
      {"Shift-F3", "\033[1;2R"sv, false},
      {"Alt-F3", "\033[1;3R"sv, false},
      {"Ctrl-Alt-F3", "\033[1;7R"sv, false},
      {"Ctrl-Shift-Alt-F3", "\033[1;8R"sv, false},
      {"Meta-F3", "\033[1;9R"sv, false},
      {"Meta-Shift-F3", "\033[1;10R"sv, false},
      {"every modifier and F3", "\033[1;16R"sv, false},
      {"F3, one parameter", "\033[2R"sv, false},
      {"F4, modifyFunctionKeys=3", "\033[>1;2S"sv, false},
      {"F5", "\033[15~"sv, false},
      {"Shift-F5", "\033[15;2~"sv, false},
      {"PgUp of an SCO keyboard", "\033[I"sv, false},
      {"PgUp of an SCO keyboard, again", "\033[I"sv, false},
      {"PgUp of an SCO keyboard, held down", "\033[I\033[I\033[I"sv, false},
      {"rxvt Shift-right", "\033[c"sv, false},
      {"rxvt Ctrl-up", "\033Oa"sv, false},
      {"rxvt Shift-F1", "\033[23$"sv, false},
      {"modifyOtherKeys", "\033[27;5;9~"sv, false},
      {"kitty key", "\033[97;5u"sv, false},
      {"kitty key with event", "\033[97;5:3u"sv, false},
      {"mouse, X10", "\033[M !!"sv, false},
      {"mouse, SGR press", "\033[<0;10;5M"sv, false},
      {"mouse, SGR release", "\033[<0;10;5m"sv, false},
      {"mouse, urxvt", "\033[32;10;5M"sv, false},
      {"mouse, highlight", "\033[t!!"sv, false},
      {"bracketed paste", "\033[200~rm -rf build\033[201~"sv, false},
      {"Alt-]", "\033]"sv, false},
      {"Alt-] and text", "\033]hello"sv, false},
      {"Alt-Shift-P and text", "\033Print\r"sv, false},

      // A terminal.
      {"CPR", "\033[24;80R"sv, true},
      {"CPR, first row", "\033[1;1R"sv, true},
      {"CPR, first row, column 17", "\033[1;17R"sv, true},
      {"CPR, first row, column 120", "\033[1;120R"sv, true},
      {"CPR, row 11", "\033[11;2R"sv, true},
      {"CPR, second row", "\033[2;2R"sv, true},
      {"DECXCPR", "\033[?24;80;1R"sv, true},
      {"DSR, fine", "\033[0n"sv, true},
      {"DSR, printer", "\033[?13n"sv, true},
      {"DSR, dark colours", "\033[?997;1n"sv, true},
      {"DA1", "\033[?62;22c"sv, true},
      {"DA1, xterm", "\033[?64;1;2;6;9;15;16;17;18;21;22;28c"sv, true},
      {"DA2", "\033[>41;354;0c"sv, true},
      {"DA3", "\033P!|00000000\033\\"sv, true},
      {"DECRPM", "\033[?2026;2$y"sv, true},
      {"DECRPM, ANSI mode", "\033[4;2$y"sv, true},
      {"DECRPM, ANSI mode 1", "\033[1;2$y"sv, true},
      {"DECREPTPARM", "\033[2;1;1;128;128;1;0x"sv, true},
      {"kitty keyboard flags", "\033[?1u"sv, true},
      {"XTQMODKEYS", "\033[>4;2m"sv, true},
      {"XTSMGRAPHICS", "\033[?1;0;256S"sv, true},
      {"OSC 4", "\033]4;1;rgb:cdcd/0000/0000\033\\"sv, true},
      {"OSC 10, BEL", "\033]10;rgb:ffff/ffff/ffff\a"sv, true},
      {"OSC 11, ST", "\033]11;rgb:0000/0000/0000\033\\"sv, true},
      {"OSC 52", "\033]52;c;aGVsbG8=\a"sv, true},
      {"window title", "\033]lsome title\033\\"sv, true},
      {"window title, UTF-8", "\033]lna\xc3\xafve\033\\"sv, true},
      {"XTVERSION", "\033P>|XTerm(379)\033\\"sv, true},
      {"DECRQSS", "\033P1$r0m\033\\"sv, true},
      {"XTGETTCAP", "\033P1+r436f=323536\033\\"sv, true},
      {"kitty graphics", "\033_Gi=31;OK\033\\"sv, true},
      {"window size in cells", "\033[8;24;80t"sv, true},
      {"window size in pixels", "\033[4;600;800t"sv, true},
      {"window state", "\033[1t"sv, true},
      {"window position", "\033[3;10;20t"sv, true},
      {"resize, in band", "\033[48;24;80;600;800t"sv, true},

      // More than one, and less than one.
      {"CPR and DA1", "\033[24;80R\033[?62;22c"sv, true},
      {"OSC 11 and DA1", "\033]11;rgb:0000/0000/0000\033\\\033[?62;22c"sv, true},
      {"CPR and focus in", "\033[24;80R\033[I"sv, false},
      {"focus out and in", "\033[O\033[I"sv, false},
      {"CPR and a letter", "\033[24;80Ra"sv, false},
      {"a letter and CPR", "a\033[24;80R"sv, false},
      {"CPR and up", "\033[24;80R\033[A"sv, false},
      {"DA1 and Shift-F3", "\033[?62;22c\033[1;2R"sv, false},
      {"CPR, cut", "\033[24;8"sv, false},
      {"OSC, cut", "\033]11;rgb:0000"sv, false},
      {"OSC, cut in ST", "\033]11;rgb:0000\033"sv, false},
      {"DCS, cut", "\033P>|XTerm"sv, false},
      {"DCS ended by BEL", "\033P>|XTerm(379)\a"sv, false},
      {"OSC with a line feed", "\033]11;rgb\nls\a"sv, false},
      {"DA1 without parameters", "\033[?c"sv, false},
      {"CPR, empty column", "\033[5;R"sv, false},
      {"longest", kLongest, true},
  };
}

}  // namespace idlewarden::test

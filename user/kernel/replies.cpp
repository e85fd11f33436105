// SPDX-License-Identifier: Apache-2.0
#include "kernel/replies.h"

#include <string_view>

namespace idlewarden {
namespace {

enum State : std::uint8_t {
  person,
  start = IDLEWARDEN_REPLY_START,
  escape,
  csi,             // ESC [
  one,             // ESC [ 1
  one_semicolon,   // ESC [ 1 ;
  one_one,         // ESC [ 1 ; 1
  modifier,        // ESC [ 1 ; 2..16: with R it would be F3
  first,           // ESC [ n
  semicolon,       // ESC [ n ;
  second,          // ESC [ n ; n
  next_semicolon,  // ESC [ n ; n ; ... ;
  next,            // ESC [ n ; n ; ... ; n
  dollar,          // ... $
  question,        // ESC [ ?
  question_n,      // ESC [ ? n ; ...
  greater,         // ESC [ >
  greater_n,       // ESC [ > n ; ...
  osc,             // ESC ]
  osc_number,      // ESC ] n
  osc_text,        // until BEL or ESC backslash
  osc_escape,
  dcs,          // ESC P
  apc,          // ESC _
  text,         // until ESC backslash
  text_escape,  //
  kStates,
};
static_assert(kStates <= IDLEWARDEN_REPLY_STATES);

struct Rule {
  State from;
  std::string_view bytes;
  State to;
};

constexpr std::string_view kDigits = "0123456789";
constexpr Rule kRules[] = {
    {start, "\033", escape},
    {escape, "[", csi},
    {escape, "]", osc},
    {escape, "P", dcs},
    {escape, "_", apc},

    {csi, "?", question},
    {csi, ">", greater},
    {csi, "1", one},
    {csi, "023456789", first},

    // CPR: row ; column R. DSR: n. Window reports: t. DECREPTPARM: x. DECRPM: $ y.
    {one, kDigits, first},
    {one, "nt", start},
    {one, ";", one_semicolon},
    {one_semicolon, "0", second},
    {one_semicolon, "1", one_one},
    {one_semicolon, "23456789", modifier},
    {one_one, "0123456", modifier},
    {one_one, "789", second},
    {one_one, "Rt", start},
    {one_one, "$", dollar},
    {one_one, ";", next_semicolon},
    {modifier, kDigits, second},
    {modifier, "t", start},
    {modifier, "$", dollar},
    {modifier, ";", next_semicolon},
    {first, kDigits, first},
    {first, "nt", start},
    {first, ";", semicolon},
    {semicolon, kDigits, second},
    {second, kDigits, second},
    {second, "Rt", start},
    {second, "$", dollar},
    {second, ";", next_semicolon},
    {next_semicolon, kDigits, next},
    {next, kDigits, next},
    {next, ";", next_semicolon},
    {next, "tx", start},
    {dollar, "y", start},

    // DECXCPR: R. DA1: c. DEC DSR: n. Kitty keyboard flags: u. XTSMGRAPHICS: S. DECRPM: $ y.
    {question, kDigits, question_n},
    {question_n, kDigits, question_n},
    {question_n, ";", question_n},
    {question_n, "RcnuS", start},
    {question_n, "$", dollar},
    // DA2: c. XTQMODKEYS: m.
    {greater, kDigits, greater_n},
    {greater_n, kDigits, greater_n},
    {greater_n, ";", greater_n},
    {greater_n, "cm", start},

    // Colours, clipboard, notifications: number ; text. Icon label and title: L text, l text.
    {osc, kDigits, osc_number},
    {osc, "Ll", osc_text},
    {osc_number, kDigits, osc_number},
    {osc_number, ";", osc_text},
    {osc_text, "\a", start},
    {osc_text, "\033", osc_escape},
    {osc_escape, "\\", start},

    // DECRQSS, XTGETTCAP, XTVERSION, DA3; kitty graphics.
    {dcs, kDigits, text},
    {dcs, "!$+>", text},
    {apc, "G", text},
    {text, "\033", text_escape},
    {text_escape, "\\", start},
};

constexpr ReplyTable build() {
  ReplyTable table{};
  for (const State state : {osc_text, text}) {
    for (unsigned byte = 0x20; byte <= 0xff; ++byte) {
      if (byte != 0x7f) table[state << 8 | byte] = state;
    }
  }
  for (const Rule& rule : kRules) {
    for (const char byte : rule.bytes) {
      table[rule.from << 8 | static_cast<std::uint8_t>(byte)] = rule.to;
    }
  }
  return table;
}

constexpr ReplyTable kTable = build();

}  // namespace

const ReplyTable& reply_table() {
  return kTable;
}

}  // namespace idlewarden

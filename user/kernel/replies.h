// SPDX-License-Identifier: Apache-2.0
// What a terminal says by itself. A program that asks a terminal for its cursor position, its type
// or its colours gets the answer as if it had been typed; nobody was there. The automaton here
// knows the answers' shapes (xterm's ctlseqs, ECMA-48, DEC VT510, kitty's protocols) and ends in
// `start` only after one or more whole replies and nothing else. Whatever could also be a key, a
// mouse or a paste is a person:
//   ESC [ 1 ; 2..16 R   F3 with a modifier; a cursor in row 1 there is taken for a key
//   ESC [ c, ESC [ t    without parameters: rxvt's and SCO's keys
//   ESC [ > ... S       xterm with modifyFunctionKeys=3
//   ESC [ I, ESC [ O    PgUp and F3 of an SCO keyboard (terminfo's cons25, PuTTY's SCO)
// The last two are focus in and focus out as well, which come in turn: where a write is exactly one
// of them and the last one before it was the other, the program takes it for a reply.
#pragma once

#include <idlewarden/abi.h>

#include <array>
#include <cstdint>

namespace idlewarden {

// [state << 8 | byte] -> next state, as the program uses it; state 0 is final: a person.
using ReplyTable = std::array<std::uint8_t, std::size_t{IDLEWARDEN_REPLY_STATES} * 256>;
const ReplyTable& reply_table();

}  // namespace idlewarden

// SPDX-License-Identifier: Apache-2.0
// Random shell scripts that set TMOUT in every way but a sane one. They always end, and do nothing
// else.
#pragma once

#include <random>
#include <string>
#include <vector>

namespace idlewarden::test {

class ScriptWriter {
 public:
  explicit ScriptWriter(unsigned seed) : random_(seed) {}

  std::string script() {
    functions_ = 0;
    std::string text;
    for (int i = 0; i < 6; ++i) text += statement(0) + "\n";
    return text;
  }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  std::string one_of(const std::vector<std::string>& choices) {
    return choices[static_cast<std::size_t>(below(static_cast<int>(choices.size())))];
  }
  std::string number() { return std::to_string((below(9) + 1) * 100 + below(10)); }

  std::string block(int depth) {
    std::string text = statement(depth + 1);
    while (below(3) == 0) text += "; " + statement(depth + 1);
    return text;
  }

  std::string condition(int depth) {
    if (depth < 3 && below(5) == 0) {
      return condition(depth + 1) + one_of({" && ", " || "}) + condition(depth + 1);
    }
    if (depth < 3 && below(8) == 0) return "! " + condition(3);
    return one_of({"true", "false", "[ -z \"$TMOUT\" ]", "[ -n \"$A\" ]",
                   "[ \"$A\" = " + number() + " ]", "grep -q root /etc/passwd",
                   "grep -q nope /etc/passwd", "[ -f /etc/passwd ]", "[ -d /etc/nope ]",
                   "[ 5 -gt 3 ]", "[ \"${A:-1}\" -lt 300 ]", "test -r /etc/group",
                   "[[ $A == [1-4]* ]]", "[[ -z $TMOUT || $A -gt 500 ]]", "(( A > 400 ))",
                   "case $- in *i*) true;; *) false;; esac"});
  }

  std::string assignment() {
    return one_of({"TMOUT=" + number(),
                   "TMOUT=" + number(),
                   "export TMOUT=" + number(),
                   "TMOUT=$A",
                   "TMOUT=${A:-" + number() + "}",
                   "TMOUT=$((" + number() + "+5))",
                   "TMOUT=${A:+" + number() + "}",
                   "A=" + number(),
                   "A=$TMOUT",
                   "unset A",
                   "TMOUT=0",
                   "A=" + number() + " TMOUT=" + number(),
                   "TMOUT=\"" + number() + "\"",
                   "typeset -x TMOUT=" + number(),
                   "TMOUT=" + number() + " true",
                   "eval 'TMOUT=" + number() + "'",
                   "eval TMOUT=$A",
                   ": ${A:=" + number() + "}",
                   "TMOUT=${A%0}",
                   "A=${TMOUT#1}",
                   "TMOUT=$(echo " + number() + ")",
                   below(4) == 0 ? "readonly TMOUT=" + number() : "unset B",
                   below(4) == 0 ? "return" : "true"});
  }

  std::string statement(int depth) {
    if (depth > 3) return assignment();
    switch (below(14)) {
      case 0:
        return "if " + condition(0) + "; then " + block(depth) +
               (below(2) == 0 ? "; elif " + condition(0) + "; then " + block(depth) : "") +
               (below(2) == 0 ? "; else " + block(depth) : "") + "; fi";
      case 1: return condition(0) + " && " + assignment();
      case 2: return condition(0) + " || { " + block(depth) + "; }";
      case 3:
        return "for t in " + number() + " " + number() + "; do " + block(depth) +
               one_of({"", "; TMOUT=$t", "; A=$t", "; break", "; continue"}) + "; done";
      case 4:
        return "case $A in " + one_of({"", "1*) " + block(depth) + ";; "}) + "[2-5]*|7*) " +
               block(depth) + ";; *) " + block(depth) + ";; esac";
      case 5: return "( " + block(depth) + " )";
      case 6: return "{ " + block(depth) + "; } 2>/dev/null";
      case 7: {
        const std::string name = "f" + std::to_string(functions_++);
        return name + "() { " + block(depth) + "; }" + (below(4) == 0 ? "" : "; " + name);
      }
      case 8: return "while " + condition(0) + "; do " + block(depth) + "; break; done";
      case 9: return "echo " + number() + " | cat >/dev/null";
      case 10: return "cat >/dev/null <<X\nTMOUT=" + number() + "\nX\ntrue";
      default: return assignment();
    }
  }

  std::mt19937 random_;
  int functions_ = 0;
};

}  // namespace idlewarden::test

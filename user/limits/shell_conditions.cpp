// SPDX-License-Identifier: Apache-2.0
// test, [ ] (XCU test) and [[ ]].
#include <algorithm>
#include <array>
#include <functional>
#include <iterator>

#include "base/text.h"
#include "limits/shell_arithmetic.h"
#include "limits/shell_interpreter.h"
#include "limits/shell_login.h"

namespace idlewarden::shell {
namespace {

Tri tri(bool b) {
  return b ? Tri::yes : Tri::no;
}

Tri nonempty(const Value& value) {
  switch (value.kind) {
    case Value::Kind::unset: return Tri::no;
    case Value::Kind::text: return tri(!value.text.empty());
    case Value::Kind::begins:
    case Value::Kind::nonempty: return Tri::yes;
    case Value::Kind::unknown: return Tri::unknown;
  }
  return Tri::unknown;
}

// `dialect`: how the numbers are spelt.
Tri compare_numbers(Dialect dialect, const std::string& op, const Value& left, const Value& right) {
  if (left.kind != Value::Kind::text || right.kind != Value::Kind::text) return Tri::unknown;
  const Number a = constant(dialect, left.text);
  const Number b = constant(dialect, right.text);
  // What is no number is an error, and an error is not "true"; but [[ ]] would compute it.
  if (!a || !b) return Tri::unknown;
  if (op == "-eq") return tri(*a == *b);
  if (op == "-ne") return tri(*a != *b);
  if (op == "-lt") return tri(*a < *b);
  if (op == "-le") return tri(*a <= *b);
  if (op == "-gt") return tri(*a > *b);
  if (op == "-ge") return tri(*a >= *b);
  return Tri::unknown;
}

bool is_known(const Value& value) {
  return value.kind == Value::Kind::text || value.kind == Value::Kind::unset;
}

bool begins_otherwise(const Value& value, const Value& known) {
  return value.kind == Value::Kind::begins && is_known(known) &&
         !known.text.starts_with(value.text);
}

// Of two that are not both known.
bool surely_differ(const Value& left, const Value& right) {
  return begins_otherwise(left, right) || begins_otherwise(right, left) ||
         (nonempty(left) != Tri::unknown && nonempty(right) != Tri::unknown &&
          nonempty(left) != nonempty(right));
}

Tri compare(const std::string& op, const Value& left, const Value& right) {
  if (op == "=" || op == "==" || op == "!=") {
    Tri same = Tri::unknown;
    if (is_known(left) && is_known(right)) {
      same = tri(left.text == right.text);
    } else if (surely_differ(left, right)) {
      same = Tri::no;
    }
    return op == "!=" ? !same : same;
  }
  return compare_numbers(Dialect::zsh, op, left, right);  // decimal
}

// What a condition is made of: words, of which some are operators.
struct Terms {
  std::size_t count = 0;
  std::string_view both, any;                          // the operators between conditions
  std::function<std::string(std::size_t)> op;          // the word as an operator, or ""
  std::function<Tri(std::size_t)> nonempty;            // a word alone
  std::function<Tri(char letter, std::size_t)> unary;  // -f WORD
  std::function<Tri(std::size_t, const std::string& op, std::size_t)> binary;
};

class Condition {
 public:
  explicit Condition(const Terms& terms) : terms_(terms) {}

  Tri whole() {
    const Tri answer = disjunction();
    return position_ == terms_.count ? answer : Tri::unknown;
  }

  static bool is_binary(const std::string& op) {
    constexpr auto kOperators =
        std::to_array<std::string_view>({"=", "==", "!=", "=~", "<", ">", "-eq", "-ne", "-lt",
                                         "-le", "-gt", "-ge", "-nt", "-ot", "-ef"});
    return std::ranges::find(kOperators, op) != kOperators.end();
  }

 private:
  bool at(std::string_view text) const {
    return position_ < terms_.count && terms_.op(position_) == text;
  }
  bool accept(std::string_view text) {
    if (!at(text)) return false;
    ++position_;
    return true;
  }

  Tri disjunction() {
    Tri answer = conjunction();
    while (accept(terms_.any)) {
      const Tri right = conjunction();
      answer = answer || right;
    }
    return answer;
  }

  Tri conjunction() {
    Tri answer = negation();
    while (accept(terms_.both)) {
      const Tri right = negation();
      answer = answer && right;
    }
    return answer;
  }

  Tri negation() {
    bool negated = false;
    while (accept("!")) negated = !negated;
    const Tri answer = primary();
    return negated ? !answer : answer;
  }

  Tri primary() {
    const std::size_t left = terms_.count - std::min(position_, terms_.count);
    if (left == 0 || depth_ > 40) {
      position_ = terms_.count + 1;
      return Tri::unknown;
    }
    if (left > 2 && is_binary(terms_.op(position_ + 1))) {
      position_ += 3;
      return terms_.binary(position_ - 3, terms_.op(position_ - 2), position_ - 1);
    }
    if (accept("(")) {
      ++depth_;
      const Tri answer = disjunction();
      --depth_;
      if (!accept(")")) position_ = terms_.count + 1;
      return answer;
    }
    const std::string op = terms_.op(position_);
    const bool unary = left > 1 && op.size() == 2 && op.front() == '-';
    position_ += unary ? 2 : 1;
    return unary ? terms_.unary(op[1], position_ - 1) : terms_.nonempty(position_ - 1);
  }

  const Terms& terms_;
  std::size_t position_ = 0;
  int depth_ = 0;
};

// Of `[ WORDS ]`, which came out one way.
Tri test(const std::vector<Value>& words, const std::function<Tri(char, const Value&)>& unary) {
  if (words.empty()) return Tri::no;
  const Terms terms{
      .count = words.size(),
      .both = "-a",
      .any = "-o",
      .op =
          [&](std::size_t i) {
            return words[i].kind == Value::Kind::text ? words[i].text : std::string();
          },
      .nonempty = [&](std::size_t i) { return nonempty(words[i]); },
      .unary = [&](char letter, std::size_t i) { return unary(letter, words[i]); },
      .binary = [&](std::size_t left, const std::string& op,
                    std::size_t right) { return compare(op, words[left], words[right]); }};
  // One and two words have one meaning each, whatever they look like (XCU test).
  if (words.size() == 1) return nonempty(words[0]);
  if (words.size() == 2) {
    const std::string op = terms.op(0);
    if (op == "!") return !nonempty(words[1]);
    return op.size() == 2 && op.front() == '-' ? unary(op[1], words[1]) : Tri::unknown;
  }
  return Condition(terms).whole();
}

// Of a pattern with one @(A|B) in it, the patterns with A and with B; nullopt: it has none, or more
// than that.
std::optional<std::vector<Word>> alternatives(const Word& pattern) {
  const auto is_list = [](const Part& part) {
    return part.kind == Part::Kind::opaque && part.op == "(";
  };
  const auto list = std::ranges::find_if(pattern.parts, is_list);
  if (list == pattern.parts.begin() || list == pattern.parts.end()) return std::nullopt;
  const Part& before = *std::prev(list);
  const bool plain = list->text.size() <= 256 && std::ranges::all_of(list->text, [](char c) {
                       return name_char(c) || std::string_view("-.*|").contains(c);
                     });
  if (!plain || std::any_of(std::next(list), pattern.parts.end(), is_list) ||
      before.kind != Part::Kind::literal || before.quoted || !before.text.ends_with('@')) {
    return std::nullopt;
  }
  std::vector<Word> words;
  for (const std::string& text : split(list->text, '|')) {
    Word& word = words.emplace_back(pattern);
    const auto at = word.parts.begin() + std::distance(pattern.parts.begin(), list);
    std::prev(at)->text.pop_back();
    *at = {.kind = Part::Kind::literal, .quoted = false, .text = text, .op = {}, .operand = {}};
  }
  return words;
}

// What holds of every value alike.
template <class Ask>
Tri over_all(const Values& values, const Ask& ask) {
  std::optional<Tri> answer;
  for (const Value& value : values) {
    const Tri one = ask(value);
    answer = answer ? either(*answer, one) : one;
  }
  return answer.value_or(Tri::unknown);
}

}  // namespace

Tri Interpreter::file_test(char letter, const Value& value) const {
  if (letter == 'n') return nonempty(value);
  if (letter == 'z') return !nonempty(value);
  if (value.kind != Value::Kind::text) return value.empty() ? Tri::no : Tri::unknown;
  // A login that idles sits at a terminal.
  if (letter == 't' && (value.text == "0" || value.text == "1" || value.text == "2")) {
    return Tri::yes;
  }
  if (letter == 'o') {
    return value.text == "login" || value.text == "interactive" ? Tri::yes : Tri::unknown;
  }
  if (!std::string_view("efrdshLwxpSbcguk").contains(letter)) return Tri::unknown;
  // Its answer comes as if from the working folder, which is the home.
  const std::string path = value.text.starts_with('/') ? value.text : user_.home + "/" + value.text;
  const bool own = is_users_own(path);
  if (!budget().spend_steps(2) || !findings_.may_ask_of(path)) return Tri::unknown;
  if (findings_.is_closed(path, letter != 'r')) return Tri::no;
  const Result<mode_t>& mode = findings_.mode(path, own);
  if (!mode) return if_unseen(mode.error());
  const bool folder = S_ISDIR(*mode);
  if (letter == 'e') return Tri::yes;
  if (letter == 'd') return tri(folder);
  if (letter == 'f') return tri(!folder);
  if (letter == 'r' && (folder || findings_.read(path, own) != nullptr)) {
    return Tri::yes;
  }
  return Tri::unknown;
}

Tri Interpreter::run_test(const Command& command, std::size_t first, State& state) {
  const bool bracket = command.words[first - 1].plain() == "[";
  std::vector<Fields> ways = fields(command.words, first, state);
  std::optional<Tri> answer;
  for (Fields& way : ways) {
    if (bracket) {
      if (way.empty() || way.back().text != "]") return Tri::unknown;
      way.pop_back();
    }
    const Tri one =
        test(way, [&](char letter, const Value& operand) { return file_test(letter, operand); });
    answer = answer ? either(*answer, one) : one;
  }
  return answer.value_or(Tri::unknown);
}

Tri Interpreter::run_extended_test(const Command& command, State& state) {
  const std::vector<Word>& words = command.words;
  const Terms terms{
      .count = words.size(),
      .both = "&&",
      .any = "||",
      .op = [&](std::size_t i) { return words[i].plain(true).value_or(""); },
      .nonempty = [&](std::size_t i) { return over_all(expand(words[i], state), nonempty); },
      .unary =
          [&](char letter, std::size_t i) {
            return over_all(expand(words[i], state),
                            [&](const Value& value) { return file_test(letter, value); });
          },
      .binary =
          [&](std::size_t left, const std::string& op, std::size_t right) {
            return compare_words(words[left], op, words[right], state);
          }};
  return Condition(terms).whole();
}

// Within [[ ]] the right side of = is a pattern, that of =~ a regular expression.
Tri Interpreter::compare_words(const Word& left, const std::string& op, const Word& right,
                               State& state) {
  const Values lefts = expand(left, state);
  if (op == "=~") {
    const bool quoted = std::ranges::any_of(right.parts, &Part::quoted);
    return over_all(lefts, [&](const Value& value) {
      return over_all(expand(right, state), [&](const Value& expression) {
        // What is quoted stands for itself, in zsh not.
        if (expression.kind != Value::Kind::text || (quoted && !is_name(expression.text))) {
          return Tri::unknown;
        }
        if (!budget().spend_search(value.text.size(), expression.text.size())) return Tri::unknown;
        return found_by_expression(expression.text, value);
      });
    });
  }
  const bool pattern = op == "=" || op == "==" || op == "!=";
  if (const auto words = pattern && dialect_ != Dialect::zsh ? alternatives(right) : std::nullopt) {
    Tri any = Tri::no;
    for (const Word& word : *words) any = any || compare_words(left, "=", word, state);
    return op == "!=" ? !any : any;
  }
  const Values rights = expand(right, state, pattern);
  const Tri same = over_all(lefts, [&](const Value& value) {
    return over_all(rights, [&](const Value& other) {
      return pattern ? matches(value, other) : compare_numbers(dialect_, op, value, other);
    });
  });
  return op == "!=" ? !same : same;
}

}  // namespace idlewarden::shell

// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_arithmetic.h"

#include <array>
#include <cctype>
#include <charconv>
#include <utility>

#include "base/text.h"

namespace idlewarden::shell {
namespace {

constexpr int kMaxDepth = 50;

bool name_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

struct Operator {
  std::string_view text;
  int level;
};
// Longest first among those that begin alike; a higher level binds closer.
constexpr std::array<Operator, 18> kBinary = {{{"||", 1},
                                               {"&&", 2},
                                               {"==", 6},
                                               {"!=", 6},
                                               {"<<", 8},
                                               {">>", 8},
                                               {"<=", 7},
                                               {">=", 7},
                                               {"<", 7},
                                               {">", 7},
                                               {"**", 11},
                                               {"|", 3},
                                               {"^", 4},
                                               {"&", 5},
                                               {"+", 9},
                                               {"-", 9},
                                               {"*", 10},
                                               {"/", 10}}};

Number power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0 || exponent > 63) return std::nullopt;
  std::int64_t result = 1;
  for (; exponent > 0; --exponent) {
    if (__builtin_mul_overflow(result, base, &result)) return std::nullopt;
  }
  return result;
}

Number shift(std::string_view op, std::int64_t a, std::int64_t b) {
  if (b < 0 || b > 62) return std::nullopt;
  if (op == ">>") return a >> b;
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) << b);
}

Number apply(std::string_view op, Number left, Number right) {
  // What is false whatever the other side is, and so on.
  if (op == "&&" && (left == 0 || right == 0)) return 0;
  if (op == "||" && ((left && *left != 0) || (right && *right != 0))) return 1;
  if (!left || !right) return std::nullopt;
  const std::int64_t a = *left;
  const std::int64_t b = *right;
  std::int64_t result = 0;
  if (op == "+") return __builtin_add_overflow(a, b, &result) ? Number() : result;
  if (op == "-") return __builtin_sub_overflow(a, b, &result) ? Number() : result;
  if (op == "*") return __builtin_mul_overflow(a, b, &result) ? Number() : result;
  if (op == "/" || op == "%") {
    if (b == 0 || b == -1) return b == 0 || a == INT64_MIN ? Number() : op == "/" ? -a : 0;
    return op == "/" ? a / b : a % b;
  }
  if (op == "**") return power(a, b);
  if (op == "<<" || op == ">>") return shift(op, a, b);
  if (op == "&&") return a != 0 && b != 0;
  if (op == "||") return a != 0 || b != 0;
  if (op == "==") return a == b;
  if (op == "!=") return a != b;
  if (op == "<=") return a <= b;
  if (op == ">=") return a >= b;
  if (op == "<") return a < b;
  if (op == ">") return a > b;
  if (op == "&") return a & b;
  if (op == "|") return a | b;
  if (op == "^") return a ^ b;
  return std::nullopt;
}

class Evaluator {
 public:
  Evaluator(std::string_view text, const ArithmeticScope& scope) : text_(text), scope_(scope) {}

  Number whole() {
    skip_blanks();
    if (at_end()) return 0;
    const Number value = comma();
    return ok_ && at_end() ? value : std::nullopt;
  }

 private:
  bool at_end() const { return position_ >= text_.size(); }
  void skip_blanks() {
    while (!at_end() && std::isspace(static_cast<unsigned char>(text_[position_])) != 0) {
      ++position_;
    }
  }
  bool accept(std::string_view op) {
    if (text_.substr(position_, op.size()) != op) return false;
    position_ += op.size();
    skip_blanks();
    return true;
  }

  Number comma() {
    Number value = assignment();
    while (ok_ && accept(",")) value = assignment();
    return value;
  }

  Number assignment() {
    const std::size_t start = position_;
    const std::string name = read_name();
    if (!name.empty()) {
      static constexpr std::array<std::string_view, 11> kAssignments = {
          "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=", "="};
      for (std::string_view op : kAssignments) {
        if (op == "=" && text_.substr(position_, 2) == "==") continue;
        if (!accept(op)) continue;
        Number value = guarded(&Evaluator::assignment);
        if (op != "=") value = apply(op.substr(0, op.size() - 1), scope_.get(name), value);
        set(name, value);
        return value;
      }
    }
    position_ = start;
    return conditional();
  }

  Number conditional() {
    const Number condition = binary(1);
    if (!accept("?")) return condition;
    const Number otherwise = apply("==", condition, 0);
    const Number yes = when(condition, [&] { return guarded(&Evaluator::assignment); });
    if (!accept(":")) ok_ = false;
    const Number no = when(otherwise, [&] { return guarded(&Evaluator::assignment); });
    if (condition) return *condition != 0 ? yes : no;
    return yes == no ? yes : std::nullopt;
  }

  Number binary(int level) {
    Number left = unary();
    while (ok_) {
      const Operator* found = operator_here();
      if (found == nullptr || found->level < level) break;
      accept(found->text);
      // ** is right-associative.
      if (++depth_ > kMaxDepth) ok_ = false;
      // The right side of && and || is not computed in any case.
      const Number computed = found->text == "&&"   ? left
                              : found->text == "||" ? apply("==", left, 0)
                                                    : Number(1);
      const Number right = when(computed, [&] {
        return ok_ ? binary(found->text == "**" ? found->level : found->level + 1) : std::nullopt;
      });
      --depth_;
      left = apply(found->text, left, right);
    }
    return left;
  }

  const Operator* operator_here() const {
    static constexpr Operator kRemainder{"%", 10};
    if (text_.substr(position_, 1) == "%") return &kRemainder;
    for (const Operator& op : kBinary) {
      // "**" stands before "*" in the table.
      if (text_.substr(position_, op.text.size()) == op.text) return &op;
    }
    return nullptr;
  }

  Number unary() {
    if (accept("++") || accept("--")) return spoil(read_name());
    if (accept("!")) {
      const Number value = guarded(&Evaluator::unary);
      return value ? Number(*value == 0) : value;
    }
    if (accept("~")) {
      const Number value = guarded(&Evaluator::unary);
      return value ? Number(~*value) : value;
    }
    if (accept("-")) return apply("-", 0, guarded(&Evaluator::unary));
    if (accept("+")) return guarded(&Evaluator::unary);
    return primary();
  }

  Number primary() {
    if (accept("(")) {
      const Number value = guarded(&Evaluator::comma);
      if (!accept(")")) ok_ = false;
      return value;
    }
    const std::string name = read_name();
    if (!name.empty()) {
      if (accept("++") || accept("--")) return spoil(name);
      return scope_.get(name);
    }
    return number();
  }

  Number spoil(const std::string& name) {
    if (name.empty()) ok_ = false;
    if (ok_) set(name, std::nullopt);
    return std::nullopt;
  }

  // What is computed where `condition` is not 0: else it sets nothing, or nobody knows what.
  template <class Rule>
  Number when(Number condition, const Rule& rule) {
    int& kind = condition ? skipped_ : doubtful_;
    const bool certain = condition && *condition != 0;
    if (!certain) ++kind;
    const Number value = rule();
    if (!certain) --kind;
    return value;
  }

  void set(const std::string& name, Number value) {
    if (skipped_ == 0) scope_.set(name, doubtful_ == 0 ? value : std::nullopt);
  }

  Number number() {
    const std::size_t start = position_;
    while (!at_end() && (name_char(text_[position_]) || text_[position_] == '#')) ++position_;
    std::string_view digits = text_.substr(start, position_ - start);
    skip_blanks();
    int base = 10;
    if (digits.starts_with("0x") || digits.starts_with("0X")) {
      base = 16;
      digits.remove_prefix(2);
    } else if (const auto hash = digits.find('#'); hash == 1 || hash == 2) {
      base = 0;
      for (char c : digits.substr(0, hash)) base = c >= '0' && c <= '9' ? base * 10 + c - '0' : 99;
      digits.remove_prefix(hash + 1);
    } else if (digits.size() > 1 && digits.front() == '0' && scope_.leading_zero_is_octal) {
      base = 8;
    }
    if (digits.empty() || base < 2 || base > 36) return wrong();
    std::int64_t value = 0;
    for (char c : digits) {
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'z' ? c - 'a' + 10
                        : c >= 'A' && c <= 'Z' ? c - 'A' + 10
                                               : 99;
      if (digit >= base || __builtin_mul_overflow(value, base, &value) ||
          __builtin_add_overflow(value, digit, &value)) {
        return wrong();
      }
    }
    return value;
  }

  Number wrong() {
    ok_ = false;
    return std::nullopt;
  }

  std::string read_name() {
    const std::size_t start = position_;
    if (at_end() || std::isdigit(static_cast<unsigned char>(text_[position_])) != 0) return {};
    while (!at_end() && name_char(text_[position_])) ++position_;
    std::string name(text_.substr(start, position_ - start));
    skip_blanks();
    return name;
  }

  Number guarded(Number (Evaluator::*rule)()) {
    if (++depth_ > kMaxDepth) ok_ = false;
    const Number value = ok_ ? (this->*rule)() : std::nullopt;
    --depth_;
    return value;
  }

  std::string_view text_;
  const ArithmeticScope& scope_;
  std::size_t position_ = 0;
  int depth_ = 0;
  int skipped_ = 0;
  int doubtful_ = 0;
  bool ok_ = true;
};

}  // namespace

Number constant(Dialect dialect, std::string_view text) {
  text = trim(text);
  const std::size_t digits = text.starts_with('-') ? 1 : 0;
  const bool zero = text.size() > digits + 1 && text[digits] == '0';
  // Which of its zeros ksh93 takes for octal depends on the version.
  if (zero && dialect == Dialect::ksh93) return std::nullopt;
  const bool octal = zero && (dialect == Dialect::bash || dialect == Dialect::posix);
  std::int64_t number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number, octal ? 8 : 10);
  if (error != std::errc() || end != last) return std::nullopt;
  return number;
}

Number evaluate_arithmetic(std::string_view text, const ArithmeticScope& scope) {
  return Evaluator(text, scope).whole();
}

}  // namespace idlewarden::shell

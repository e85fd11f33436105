// SPDX-License-Identifier: Apache-2.0
// test, [ ] (XCU test) and [[ ]].
#include <algorithm>
#include <charconv>
#include <functional>

#include "base/text.h"
#include "limits/shell_interpreter.h"

namespace idlewarden::shell {
namespace {

Tri tri(bool b) {
  return b ? Tri::yes : Tri::no;
}

Tri nonempty(const Value& value) {
  switch (value.kind) {
    case Value::Kind::unset: return Tri::no;
    case Value::Kind::text: return tri(!value.text.empty());
    case Value::Kind::nonempty: return Tri::yes;
    case Value::Kind::unknown: return Tri::unknown;
  }
  return Tri::unknown;
}

std::optional<long long> integer(const Value& value) {
  if (value.kind != Value::Kind::text) return std::nullopt;
  const std::string_view text = trim(value.text);
  long long number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Tri compare_numbers(const std::string& op, const Value& left, const Value& right) {
  const auto a = integer(left);
  const auto b = integer(right);
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

Tri compare(const std::string& op, const Value& left, const Value& right) {
  if (op == "=" || op == "==" || op == "!=") {
    Tri same = Tri::unknown;
    if (is_known(left) && is_known(right)) {
      same = tri(left.text == right.text);
    } else if (nonempty(left) != Tri::unknown && nonempty(right) != Tri::unknown &&
               nonempty(left) != nonempty(right)) {
      same = Tri::no;
    }
    return op == "!=" ? !same : same;
  }
  return compare_numbers(op, left, right);
}

// The words of one test command, one way that they may come out.
class Test {
 public:
  using FileTest = std::function<Tri(const std::string& op, const Value& operand)>;
  Test(const std::vector<Value>& words, const FileTest& unary) : words_(words), unary_(unary) {}

  Tri whole() {
    if (words_.empty()) return Tri::no;
    if (words_.size() == 1) return nonempty(words_[0]);
    // Two and three words have one meaning each, whatever they look like (XCU test).
    if (words_.size() == 2) {
      return is("!") ? !nonempty(words_[1]) : unary_(words_[0].text, words_[1]);
    }
    if (words_.size() == 3 && is_binary(1)) return compare(words_[1].text, words_[0], words_[2]);
    const Tri answer = disjunction();
    return position_ == words_.size() ? answer : Tri::unknown;
  }

 private:
  bool is(std::string_view text) const {
    return position_ < words_.size() && words_[position_].kind == Value::Kind::text &&
           words_[position_].text == text;
  }
  bool is_binary(std::size_t i) const {
    static const std::vector<std::string> kOperators = {"=",   "==",  "!=",  "-eq", "-ne", "-lt",
                                                        "-le", "-gt", "-ge", "-nt", "-ot", "-ef"};
    return i < words_.size() && words_[i].kind == Value::Kind::text &&
           std::ranges::find(kOperators, words_[i].text) != kOperators.end();
  }

  Tri disjunction() {
    Tri answer = conjunction();
    while (is("-o")) {
      ++position_;
      const Tri right = conjunction();
      answer = answer || right;
    }
    return answer;
  }

  Tri conjunction() {
    Tri answer = negation();
    while (is("-a")) {
      ++position_;
      const Tri right = negation();
      answer = answer && right;
    }
    return answer;
  }

  Tri negation() {
    bool negated = false;
    while (is("!")) {
      ++position_;
      negated = !negated;
    }
    const Tri answer = primary();
    return negated ? !answer : answer;
  }

  Tri primary() {
    if (position_ >= words_.size() || ++depth_ > 40) {
      position_ = words_.size() + 1;
      return Tri::unknown;
    }
    if (is("(")) {
      ++position_;
      const Tri answer = disjunction();
      if (!is(")")) position_ = words_.size();
      ++position_;
      return answer;
    }
    if (is_binary(position_ + 1) && position_ + 2 < words_.size()) {
      position_ += 3;
      return compare(words_[position_ - 2].text, words_[position_ - 3], words_[position_ - 1]);
    }
    const Value& word = words_[position_];
    const bool unary = word.kind == Value::Kind::text && word.text.size() == 2 &&
                       word.text[0] == '-' && position_ + 1 < words_.size();
    position_ += unary ? 2 : 1;
    return unary ? unary_(word.text, words_[position_ - 1]) : nonempty(word);
  }

  const std::vector<Value>& words_;
  const FileTest& unary_;
  std::size_t position_ = 0;
  int depth_ = 0;
};

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
  if (!root().exists(path)) return Tri::no;
  const bool folder = root().is_directory(path);
  if (letter == 'e') return Tri::yes;
  if (letter == 'd') return tri(folder);
  if (letter == 'f') return tri(!folder);
  if (letter == 'r' && (folder || findings_.read(path, is_users_own(path)) != nullptr)) {
    return Tri::yes;
  }
  return Tri::unknown;
}

Tri Interpreter::run_test(const Command& command, std::size_t first, State& state) {
  const bool bracket = command.words[first - 1].plain() == "[";
  std::vector<Fields> ways = fields(command.words, first, state);
  if (ways.empty()) return Tri::unknown;
  const Test::FileTest unary = [&](const std::string& op, const Value& operand) {
    return op.size() == 2 ? file_test(op[1], operand) : Tri::unknown;
  };
  std::optional<Tri> answer;
  for (Fields& way : ways) {
    Tri one = Tri::unknown;
    const bool closed = !way.empty() && way.back().text == "]";
    if (bracket && closed) way.pop_back();
    if (bracket == closed || !bracket) one = Test(way, unary).whole();
    answer = answer ? either(*answer, one) : one;
  }
  return *answer;
}

Tri Interpreter::run_extended_test(const Command& command, State& state) {
  const std::vector<Word>& words = command.words;
  std::size_t i = 0;
  int depth = 0;
  const auto at = [&](std::string_view text) {
    return i < words.size() && words[i].plain(true) == text;
  };
  const auto over_all = [&](const Values& values, const std::function<Tri(const Value&)>& ask) {
    std::optional<Tri> answer;
    for (const Value& value : values) {
      const Tri one = ask(value);
      answer = answer ? either(*answer, one) : one;
    }
    return answer.value_or(Tri::unknown);
  };
  const auto binary = [&](const Word& left, const std::string& op, const Word& right) {
    if (op == "=~") {
      const auto text = right.plain();
      const bool letters = text && !text->empty() && is_name(*text);
      if (!letters) return Tri::unknown;
      return over_all(expand(left, state), [&](const Value& value) {
        return matches(value, Value::of("*" + *text + "*"));
      });
    }
    const bool pattern = op == "=" || op == "==" || op == "!=";
    const Values rights = expand(right, state, pattern);
    const Tri same = over_all(expand(left, state), [&](const Value& value) {
      return over_all(rights, [&](const Value& other) {
        return pattern ? matches(value, other) : compare_numbers(op, value, other);
      });
    });
    return op == "!=" ? !same : same;
  };
  std::function<Tri()> disjunction;
  const auto primary = [&]() -> Tri {
    bool negated = false;
    for (; at("!"); ++i) negated = !negated;
    if (i >= words.size() || depth > 40) {
      i = words.size() + 1;
      return Tri::unknown;
    }
    Tri answer = Tri::unknown;
    const auto op = i + 1 < words.size() ? words[i + 1].plain(true) : std::nullopt;
    if (at("(")) {
      ++i;
      ++depth;
      answer = disjunction();
      --depth;
      i += at(")") ? 1 : words.size();
    } else if (op && i + 2 < words.size() &&
               (*op == "=" || *op == "==" || *op == "!=" || *op == "=~" || op->starts_with('-'))) {
      answer = binary(words[i], *op, words[i + 2]);
      i += 3;
    } else if (const auto letter = words[i].plain(true);
               letter && letter->size() == 2 && letter->front() == '-' && i + 1 < words.size()) {
      answer = over_all(expand(words[i + 1], state),
                        [&](const Value& value) { return file_test((*letter)[1], value); });
      i += 2;
    } else {
      answer = over_all(expand(words[i], state), nonempty);
      ++i;
    }
    return negated ? !answer : answer;
  };
  const auto conjunction = [&] {
    Tri answer = primary();
    while (at("&&")) {
      ++i;
      const Tri right = primary();
      answer = answer && right;
    }
    return answer;
  };
  disjunction = [&] {
    Tri answer = conjunction();
    while (at("||")) {
      ++i;
      const Tri right = conjunction();
      answer = answer || right;
    }
    return answer;
  };
  const Tri answer = disjunction();
  return i == words.size() ? answer : Tri::unknown;
}

}  // namespace idlewarden::shell

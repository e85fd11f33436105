// SPDX-License-Identifier: Apache-2.0
// What a word may come out as (XCU 2.6).
#include <fnmatch.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "limits/shell_arithmetic.h"
#include "limits/shell_interpreter.h"
#include "limits/shell_lexer.h"
#include "limits/shell_login.h"
#include "limits/shell_script.h"

namespace idlewarden::shell {
namespace {

constexpr std::size_t kMaxWays = 32;

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (std::string_view("*?[]\\").contains(c)) out += '\\';
    out += c;
  }
  return out;
}

Number as_number(Dialect dialect, const Values& values) {
  if (values.size() != 1) return std::nullopt;
  if (values.front().empty()) return 0;
  if (values.front().kind != Value::Kind::text) return std::nullopt;
  return constant(dialect, values.front().text);
}

// Whether every text, or none, that begins so matches an fnmatch(3) pattern.
Tri begin_matches(const std::string& begin, const std::string& pattern) {
  const std::size_t literal = std::min(pattern.find_first_of("*?[\\"), pattern.size());
  const std::size_t both = std::min(literal, begin.size());
  if (begin.compare(0, both, pattern, 0, both) != 0) return Tri::no;
  if (literal == pattern.size() && literal < begin.size()) return Tri::no;
  const bool open = pattern.ends_with('*') && !pattern.contains('\\');
  return open && ::fnmatch(pattern.c_str(), begin.c_str(), 0) == 0 ? Tri::yes : Tri::unknown;
}

// Blanks in an unquoted expansion separate words.
void add_fields(Values& fields, const Value& value, bool quoted) {
  if (quoted || (value.kind != Value::Kind::text && value.kind != Value::Kind::unset)) {
    fields.push_back(value);
  } else if (value.kind == Value::Kind::text) {
    for (const std::string& field : split(value.text, ' ')) {
      if (!field.empty()) fields.push_back(Value::of(field));
    }
  }
}

}  // namespace

Values Interpreter::expand(const Word& word, State& state, bool pattern) {
  Values all{Value::of("")};
  if (++depth_ > 100) all = {Value::unknown()};
  for (std::size_t i = 0; i < word.parts.size() && depth_ <= 100; ++i) {
    const Part& part = word.parts[i];
    if (!budget().spend_steps()) break;
    if (i == 0 && part.kind == Part::Kind::literal && !part.quoted && part.text.starts_with('~')) {
      const std::size_t end = std::min(part.text.find('/'), part.text.size());
      const bool own = end == 1 && (end < part.text.size() || word.parts.size() == 1);
      all = own ? expand_part({.kind = Part::Kind::parameter,
                               .quoted = true,
                               .text = "HOME",
                               .op = {},
                               .operand = {}},
                              state, pattern)
                : Values{Value::nonempty()};
      if (own) all = each_followed_by(all, {Value::of(part.text.substr(1))}, budget());
      continue;
    }
    all = each_followed_by(all, expand_part(part, state, pattern), budget());
  }
  --depth_;
  return all;
}

Values Interpreter::expand_part(const Part& part, State& state, bool pattern) {
  switch (part.kind) {
    case Part::Kind::literal:
      return {Value::of(pattern && part.quoted ? escaped(part.text) : part.text)};
    case Part::Kind::parameter: return expand_parameter(part, state, pattern);
    case Part::Kind::arithmetic: return expand_arithmetic(part.text, state);
    case Part::Kind::command: return expand_command(part.text, state);
    case Part::Kind::opaque: return {Value::unknown()};
  }
  return {Value::unknown()};
}

Values Interpreter::expand_parameter(const Part& part, State& state, bool pattern) {
  Values values;
  if (part.text == "-") {
    // The option letters of an interactive shell: i is among them, the others may be.
    values = {Value::of("i"),
              Value::of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")};
  } else if (is_name(part.text)) {
    const Values& known = state.get(part.text).values;
    if (!budget().spend(2 * weight(known))) return {Value::unknown()};
    values = known;
    if (!state.variables.contains(part.text)) {
      if (auto before = before_all_files(dialect_, part.text)) {
        values = std::move(*before);
      } else if (file().assigned.contains(part.text)) {
        // What the file itself sets further on keeps it from being read twice: a login starts
        // without.
        values = {Value{}};
      }
    }
  } else if (part.text == "0" && dialect_ == Dialect::bash) {
    values = {Value::of(std::string("-").append(base_name(user_.shell)))};
  } else if (part.text == "#" && dialect_ == Dialect::zsh) {
    values = {Value::unknown()};  // $#NAME is a length
  } else {
    values = argument(state, part.text);
  }
  values = expand_operator(part, values, state, pattern);
  Values out;
  for (Value& value : values) {
    value.source = -1;
    if (pattern && part.quoted) value.text = escaped(value.text);
    unite(out, {value});
  }
  return out;
}

Values Interpreter::expand_operator(const Part& part, const Values& values, State& state,
                                    bool pattern) {
  if (part.op.empty()) return values;
  const bool colon = part.op.starts_with(':');
  const char op = part.op.back();
  if (op == '#' || op == '%') return expand_cut(part, values, state);
  if ((op != '-' && op != '=' && op != '+' && op != '?') || part.op.size() > 2) {
    return {Value::unknown()};
  }
  const Values other =
      part.operand.empty() ? Values{Value::of("")} : expand(part.operand.front(), state, pattern);
  Values result;
  Values stored;
  for (const Value& value : values) {
    const bool missing = colon ? value.empty() : value.kind == Value::Kind::unset;
    const bool doubtful = value.kind == Value::Kind::unknown;
    const bool take_other = op == '+' ? !missing : missing;
    const Values kept = op == '+' ? Values{Value::of("")} : Values{value};
    if (take_other || doubtful) unite(result, other);
    if (!take_other || doubtful) unite(result, kept);
    if (op == '=' && (missing || doubtful)) unite(stored, other);
    if (op == '=' && !missing) unite(stored, {value});
  }
  const bool changes = op == '=' && std::ranges::any_of(stored, [&](const Value& value) {
                         return std::ranges::find(values, value) == values.end();
                       });
  const int line = part.operand.empty() ? 0 : part.operand.front().line;
  if (changes && is_name(part.text)) store(state, part.text, stored, line);
  return result;
}

Tri Interpreter::matches(const Value& value, const Value& pattern) {
  if (pattern.kind == Value::Kind::text && pattern.text == "*") return Tri::yes;
  if (value.kind == Value::Kind::unknown || !pattern.known()) return Tri::unknown;
  if (value.kind == Value::Kind::nonempty) {
    return pattern.empty() ? Tri::no : Tri::unknown;
  }
  if (!budget().spend_match(value.text.size(), pattern.text.size())) return Tri::unknown;
  if (value.kind == Value::Kind::begins) return begin_matches(value.text, pattern.text);
  return ::fnmatch(pattern.text.c_str(), value.text.c_str(), 0) == 0 ? Tri::yes : Tri::no;
}

// ${name#pattern}, ##, %, %%
Values Interpreter::expand_cut(const Part& part, const Values& values, State& state) {
  const bool prefix = part.op.front() == '#';
  const bool longest = part.op.size() == 2;
  Values patterns{Value::unknown()};
  if (!part.operand.empty()) patterns = expand(part.operand.front(), state, true);
  Values out;
  for (const Value& value : values) {
    if (value.empty()) {
      unite(out, {Value::of("")});
      continue;
    }
    // ${SSH_CONNECTION%% *}: its first word.
    if (value.kind == Value::Kind::begins && part.op == "%%" && value.text.contains(' ') &&
        patterns == Values{Value::of(" *")}) {
      unite(out, {Value::of(value.text.substr(0, value.text.find(' ')))});
      continue;
    }
    if (value.kind != Value::Kind::text || patterns.size() != 1 ||
        patterns.front().kind != Value::Kind::text || value.text.size() > 512) {
      return {Value::unknown()};
    }
    const std::size_t size = value.text.size();
    const std::string& pattern = patterns.front().text;
    std::string rest = value.text;
    for (std::size_t i = 0; i <= size; ++i) {
      if (!budget().spend_match(longest ? size - i : i, pattern.size())) return {Value::unknown()};
      const std::size_t n = longest ? size - i : i;
      const std::string cut = prefix ? value.text.substr(0, n) : value.text.substr(size - n);
      if (::fnmatch(pattern.c_str(), cut.c_str(), 0) != 0) continue;
      rest = prefix ? value.text.substr(n) : value.text.substr(0, size - n);
      break;
    }
    unite(out, {Value::of(rest)});
  }
  return out;
}

Values Interpreter::expand_arithmetic(const std::string& text, State& state) {
  Lexer lexer(text, budget());
  const Word word = lexer.quoted_text();
  if (lexer.failed()) return {Value::unknown()};
  ArithmeticScope scope{
      .leading_zero_is_octal = dialect_ != Dialect::zsh && dialect_ != Dialect::mksh,
      .get = [&](const std::string& name) { return as_number(dialect_, state.get(name).values); },
      .set =
          [&](const std::string& name, Number number) {
            store(state, name, {number ? Value::of(std::to_string(*number)) : Value::unknown()}, 0);
          }};
  Values out;
  for (const Value& value : expand(word, state)) {
    Number number;
    const bool known = value.kind == Value::Kind::text && budget().spend(8 * value.text.size());
    if (known) number = evaluate_arithmetic(value.text, scope);
    unite(out, {number ? Value::of(std::to_string(*number)) : Value::unknown()});
  }
  return out;
}

// (( text )): whether it is not 0.
Tri Interpreter::compute(const std::string& text, State& state) {
  const Values values = expand_arithmetic(text, state);
  Tri all = Tri::unknown;
  for (std::size_t i = 0; i < values.size(); ++i) {
    Tri one = Tri::unknown;
    if (values[i].kind == Value::Kind::text) one = values[i].text == "0" ? Tri::no : Tri::yes;
    all = i == 0 ? one : either(all, one);
  }
  return all;
}

Values Interpreter::expand_command(const std::string& text, State& state) {
  // Those that are known are short.
  if (text.size() > 256) return {Value::unknown()};
  const std::vector<Piece> pieces = parse_script(text, budget().left());
  if (pieces.size() != 1 || !budget().spend(pieces.front().units) || !pieces.front().command ||
      pieces.front().command->children.size() != 1) {
    return {Value::unknown()};
  }
  const Command& command = pieces.front().command->children.front();
  const bool pipeline = command.kind == Command::Kind::pipeline;
  return output(pipeline ? std::span(command.children) : std::span(&command, 1), state);
}

Values Interpreter::output(std::span<const Command> pipeline, State& state) {
  Values now;
  for (const Command& command : pipeline) {
    if (command.diverted) return {Value::unknown()};
    Values next;
    for (const auto& words : texts(command, state)) {
      if (&command == &pipeline.front()) {
        unite(next, command.fed ? Values{Value::unknown()} : printed_by(words, user_));
      }
      for (const Value& value : now) {
        const bool known = value.kind == Value::Kind::text && budget().spend(value.text.size());
        unite(next, {known && !command.fed ? changed_by(words, value.text) : Value::unknown()});
      }
    }
    if (next.empty()) return {Value::unknown()};
    now = std::move(next);
  }
  return now;
}

// Only words that change nothing when they are looked at.
std::vector<std::vector<std::string>> Interpreter::texts(const Command& command, State& state) {
  const auto changes = [](const Part& part) {
    return !part.op.empty() || part.kind == Part::Kind::arithmetic;
  };
  const bool plain = std::ranges::none_of(
      command.words, [&](const Word& word) { return std::ranges::any_of(word.parts, changes); });
  if (command.kind != Command::Kind::simple || command.words.empty() || !plain ||
      functions_.contains(command.words.front().plain().value_or(""))) {
    return {};
  }
  std::vector<std::vector<std::string>> all;
  for (const Fields& way : fields(command.words, 0, state)) {
    std::vector<std::string>& words = all.emplace_back();
    for (const Value& value : way) {
      if (value.kind != Value::Kind::text) return {};
      words.push_back(value.text);
    }
    if (words.empty()) return {};
  }
  return all;
}

std::vector<Interpreter::Fields> Interpreter::fields(const std::vector<Word>& words,
                                                     std::size_t first, State& state) {
  std::vector<Fields> ways{{}};
  for (std::size_t i = first; i < words.size(); ++i) {
    const bool quoted =
        words[i].parts.empty() || std::ranges::any_of(words[i].parts, [](const Part& part) {
          return part.quoted || part.kind == Part::Kind::literal;
        });
    const Values values = expand(words[i], state);
    if (ways.size() * values.size() > kMaxWays) return {};
    std::vector<Fields> longer;
    for (const Value& value : values) {
      const bool last = &value == &values.back();
      for (Fields& way : ways) {
        if (!budget().spend(way.size() * (last ? 0 : Budget::kStep) + 8 + value.text.size()))
          return {};
        longer.push_back(last ? std::move(way) : way);
        add_fields(longer.back(), value, quoted);
      }
    }
    ways = std::move(longer);
  }
  return ways;
}

Values Interpreter::expand_text(State& state, const std::string& text) {
  Lexer lexer(text, budget());
  const Word word = lexer.quoted_text();
  if (lexer.failed()) return {Value::unknown()};
  return expand(word, state);
}

}  // namespace idlewarden::shell

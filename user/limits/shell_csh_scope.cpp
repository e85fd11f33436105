// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_csh_scope.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "limits/shell_login.h"
#include "limits/shell_syntax.h"

namespace idlewarden::shell {
namespace {

constexpr std::size_t kMaxText = 8192;

constexpr std::string_view kBlanks = " \t\n";
constexpr std::string_view kWild = "*?[{";

// What :h, :t, :r and :e leave of a path (tcsh(1)); unknown for any other modifier.
Value modified(const std::string& path, char modifier) {
  const auto slash = path.rfind('/');
  const auto name = slash == std::string::npos ? 0 : slash + 1;
  const auto dot = path.rfind('.');
  const bool dotted = dot != std::string::npos && dot >= name;
  switch (modifier) {
    case 'h': return Value::of(path.substr(0, slash));
    case 't': return Value::of(path.substr(name));
    case 'r': return Value::of(path.substr(0, dotted ? dot : path.size()));
    case 'e': return Value::of(dotted ? path.substr(dot + 1) : "");
    default: return Value::unknown();
  }
}

// `command`, all of the word.
bool is_output(const CshWord& word) {
  return word.text.size() > 2 && word.text.starts_with('`') && word.text.ends_with('`') &&
         word.quote(0) != '\'';
}

}  // namespace

Value CshScope::expand(const CshWord& word, bool pattern) const {
  std::string text;
  std::size_t at = 0;
  if (word.text.starts_with('~') && word.quote(0) == ' ') {
    if (word.text.size() > 1 && word.text[1] != '/') return Value::unknown();
    text = user_.home;
    ++at;
  }
  while (at < word.text.size()) {
    const char c = word.text[at];
    const char quote = word.quote(at);
    std::string more(1, c);
    if (quote != '\'' && c == '`') return Value::unknown();
    if (quote != '\'' && c == '$') {
      const Value value = variable(word, ++at);
      if (value.kind != Value::Kind::text) return Value::unknown();
      more = value.text;
      const bool paid = findings_.budget().spend(Budget::kStep + more.size());
      if (!paid || text.size() + more.size() > kMaxText) return Value::unknown();
    } else {
      ++at;
    }
    // Without quotes it may be several words, or names of files.
    if (quote == ' ' && more.find_first_of(kBlanks) != std::string::npos) return Value::unknown();
    const auto wild = quote == ' ' ? more.find_first_of(kWild) : std::string::npos;
    if (wild != std::string::npos && (!pattern || more.contains('{'))) return Value::unknown();
    text += more;
  }
  return Value::of(text);
}

Value CshScope::variable(const CshWord& word, std::size_t& at) const {
  const std::string& text = word.text;
  const auto next = [&] { return at < text.size() ? text[at] : '\0'; };
  const bool braced = next() == '{';
  if (braced) ++at;
  const bool asked = next() == '?';
  if (asked) ++at;
  const std::size_t begin = at;
  while (name_char(next())) ++at;
  const std::string name = text.substr(begin, at - begin);
  if (!is_name(name)) return Value::unknown();  // $$, $<, $#x, $1, $*
  Value value = Value::unknown();
  if (asked) {
    const Tri set = is_set(name);
    if (set != Tri::unknown) value = Value::of(set == Tri::yes ? "1" : "0");
  } else if (const Values& values = state_.get(name).values; values.size() == 1) {
    value = values.front();
  }
  if (value.kind != Value::Kind::text || next() == '[') return Value::unknown();
  for (; next() == ':'; ++at) {
    if (asked || value.text.find_first_of(kBlanks) != std::string::npos) return Value::unknown();
    ++at;
    if (!findings_.budget().spend(Budget::kStep + value.text.size())) return Value::unknown();
    value = modified(value.text, next());
    if (value.kind != Value::Kind::text) return value;
  }
  if (!braced) return value;
  if (next() != '}') return Value::unknown();
  ++at;
  return value;
}

// The value of a word, of `id -un` and the like what they print; of `ls FOLDER`, which scripts
// compare with "", whether there is one.
Value CshScope::output(const CshWord& word) const {
  const auto pattern = listed(word);
  if (!pattern && is_output(word)) {
    const Values ways = printed_by(split(word.text.substr(1, word.text.size() - 2), ' '), user_);
    return ways.size() == 1 ? ways.front() : Value::unknown();
  }
  if (!pattern) return expand(word);
  const Value folder = expand(*pattern);
  if (folder.kind != Value::Kind::text || !folder.text.starts_with('/') ||
      folder.text.contains('*')) {
    return Value::unknown();
  }
  findings_.looked_at(folder.text);
  const auto found = findings_.glob(folder.text + "/*");
  if (!found) return Value::unknown();
  return found->empty() ? Value::of("") : Value::of("files");
}

bool CshScope::is_number(const Value& value) {
  return value.kind == Value::Kind::text && !value.text.empty() &&
         value.text.find_first_not_of("0123456789") == std::string::npos;
}

std::optional<CshWord> CshScope::listed(const CshWord& word) {
  if (!is_output(word)) return std::nullopt;
  const auto parts = split(trim(word.text.substr(1, word.text.size() - 2)), ' ');
  if (parts.size() != 2 || (parts[0] != "ls" && parts[0] != "/bin/ls")) return std::nullopt;
  return CshWord{.text = parts[1]};
}

Tri CshScope::ask(std::span<const CshWord> words) const {
  while (words.size() >= 2 && words.front().text == "(" && words.back().text == ")") {
    words = words.subspan(1, words.size() - 2);
  }
  std::optional<Tri> answer;
  std::vector<CshWord> term;
  std::string joint;
  const CshWord end_of_words{.special = true};
  for (std::size_t i = 0; i <= words.size(); ++i) {
    const CshWord& word = i < words.size() ? words[i] : end_of_words;
    if (!word.special || word.text == "(" || word.text == ")") {
      if (word.special || (word.text == "~" && !word.quoted)) return Tri::unknown;  // an operator
      term.push_back(word);
      continue;
    }
    const Tri one = ask_term(term);
    answer = !answer ? one : joint == "&&" ? *answer && one : *answer || one;
    if (word.text.empty()) break;
    if ((word.text != "&&" && word.text != "||") || (!joint.empty() && joint != word.text)) {
      return Tri::unknown;
    }
    joint = word.text;
    term.clear();
  }
  return answer.value_or(Tri::unknown);
}

Tri CshScope::ask_term(std::vector<CshWord> term) const {
  if (term.empty() || term.size() > 3) return Tri::unknown;
  if (term[0].text.starts_with('!')) {
    term[0] = term[0].from(1);
    if (term[0].text.empty()) term.erase(term.begin());
    // Of a == b it would negate the a.
    if (term.empty() || term.size() > 2 || term[0].text.starts_with('!')) return Tri::unknown;
    return !ask_term(term);
  }
  const std::string& first = term[0].text;
  if (term.size() == 1) {
    const Value number = expand(term[0]);
    if (!is_number(number)) return Tri::unknown;
    return number.text.find_first_not_of('0') == std::string::npos ? Tri::no : Tri::yes;
  }
  if (term.size() == 2 && first.size() == 2 && first.front() == '-') {
    const Value path = expand(term[1]);
    if (!findings_.budget().spend_steps(2)) return Tri::unknown;
    if (path.kind != Value::Kind::text || !path.text.starts_with('/')) return Tri::unknown;
    if (!findings_.may_ask_of(path.text)) return Tri::unknown;
    if (findings_.is_closed(path.text, first[1] != 'r')) return Tri::no;
    const Result<mode_t>& mode = findings_.mode(path.text, false);
    if (!mode) return if_unseen(mode.error());
    const bool folder = S_ISDIR(*mode);
    if (first[1] == 'e' || first[1] == 'r') return Tri::yes;
    if (first[1] == 'd') return folder ? Tri::yes : Tri::no;
    if (first[1] == 'f') return folder ? Tri::no : Tri::yes;
    return Tri::unknown;
  }
  if (term.size() == 3 && (term[1].text == "==" || term[1].text == "!=")) {
    const Value left = output(term[0]);
    const Value right = expand(term[2]);
    if (left.kind != Value::Kind::text || right.kind != Value::Kind::text) return Tri::unknown;
    const Tri same = left.text == right.text ? Tri::yes : Tri::no;
    return term[1].text == "==" ? same : !same;
  }
  return Tri::unknown;
}

Tri CshScope::lacks_variable(const CshCommand& command, std::string_view script) const {
  Tri any = Tri::no;
  // ( commands ) stop for themselves.
  if (command.words.front().special) return any;
  for (const CshWord& word : command.words) {
    const std::string& text = word.text;
    for (auto at = text.find('$'); at != std::string::npos; at = text.find('$', at + 1)) {
      if (word.quote(at) == '\'') continue;
      const auto begin = std::min(text.find_first_not_of("{#%", at + 1), text.size());
      const auto end =
          std::ranges::find_if_not(text.begin() + static_cast<long>(begin), text.end(), name_char);
      const std::string name(text.begin() + static_cast<long>(begin), end);
      if (!is_name(name)) continue;
      const Values& values = state_.get(name).values;
      if (is_set(name) == Tri::no) any = any || Tri::yes;
      if (!std::ranges::any_of(values, &Value::inherited)) continue;
      if (!findings_.budget().spend(Budget::kStep + script.size() / 16)) return any;
      if (!script.contains("?" + name) && !script.contains("eval")) any = any || Tri::unknown;
    }
  }
  return command.doubtful && any == Tri::yes ? Tri::unknown : any;
}

Tri CshScope::is_set(const std::string& name) const {
  std::optional<Tri> answer;
  for (const Value& value : state_.get(name).values) {
    const Tri one = value.kind == Value::Kind::unset     ? Tri::no
                    : value.kind == Value::Kind::unknown ? Tri::unknown
                                                         : Tri::yes;
    answer = answer ? either(*answer, one) : one;
  }
  return answer.value_or(Tri::unknown);
}

}  // namespace idlewarden::shell

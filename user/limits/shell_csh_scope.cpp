// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_csh_scope.h"

#include <algorithm>
#include <cctype>

#include "base/text.h"

namespace idlewarden::shell {

Value CshScope::expand(const CshWord& word) const {
  if (word.literal) return Value::of(word.text);
  std::string text = word.text;
  if (text.contains('`')) return Value::unknown();
  if (text == "~" || text.starts_with("~/")) text = user_.home + text.substr(1);
  const auto dollar = text.find('$');
  if (dollar == std::string::npos) return Value::of(text);
  std::size_t begin = dollar + 1;
  const bool braced = begin < text.size() && text[begin] == '{';
  if (braced) ++begin;
  std::size_t end = begin;
  while (end < text.size() &&
         (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_')) {
    ++end;
  }
  const Values& values = state_.get(text.substr(begin, end - begin)).values;
  if (values.size() != 1 || values.front().kind != Value::Kind::text) return Value::unknown();
  if (braced && end < text.size() && text[end] == '}') ++end;
  CshWord rest{.text = text.substr(end)};
  if (rest.text.starts_with('~')) rest.literal = true;
  const Value tail = expand(rest);
  if (tail.kind != Value::Kind::text) return Value::unknown();
  return Value::of(text.substr(0, dollar) + values.front().text + tail.text);
}

// The value of a word; of `ls FOLDER`, which scripts compare with "", whether there is one.
Value CshScope::output(const CshWord& word) const {
  const auto pattern = listed(word);
  if (!pattern) return expand(word);
  const Value folder = expand(*pattern);
  if (folder.kind != Value::Kind::text || folder.text.contains('*')) return Value::unknown();
  return root_.glob(folder.text + "/*").empty() ? Value::of("") : Value::of("files");
}

std::optional<CshWord> CshScope::listed(const CshWord& word) {
  if (!word.text.starts_with('`') || !word.text.ends_with('`') || word.text.size() < 3) {
    return std::nullopt;
  }
  const auto parts = split(trim(word.text.substr(1, word.text.size() - 2)), ' ');
  if (parts.size() != 2 || (parts[0] != "ls" && parts[0] != "/bin/ls")) return std::nullopt;
  return CshWord{.text = parts[1], .literal = false, .special = false};
}

Tri CshScope::ask(std::vector<CshWord> words) const {
  while (words.size() >= 2 && words.front().text == "(" && words.back().text == ")") {
    words.erase(words.begin());
    words.pop_back();
  }
  std::optional<Tri> answer;
  std::vector<CshWord> term;
  std::string joint;
  words.push_back({.text = "", .literal = false, .special = true});
  for (const CshWord& word : words) {
    if (!word.special || word.text == "(" || word.text == ")") {
      if (word.special) return Tri::unknown;
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

Tri CshScope::ask_term(const std::vector<CshWord>& term) const {
  if (term.empty() || term.size() > 3) return Tri::unknown;
  const std::string& first = term[0].text;
  if (first == "!" || (first.size() > 1 && first.front() == '!')) {
    std::vector<CshWord> rest(term.begin() + (first == "!" ? 1 : 0), term.end());
    if (first != "!") rest.front().text.erase(0, 1);
    return !ask_term(rest);
  }
  if (term.size() == 1 && first.starts_with("$?")) return is_set(first.substr(2));
  if (term.size() == 2 && first.size() == 2 && first.front() == '-') {
    const Value path = expand(term[1]);
    if (path.kind != Value::Kind::text || !path.text.starts_with('/')) return Tri::unknown;
    const bool there = root_.exists(path.text);
    const bool folder = there && root_.is_directory(path.text);
    if (!there) return Tri::no;
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

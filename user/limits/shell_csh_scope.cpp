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

}  // namespace

Value CshScope::expand(const CshWord& word) const {
  if (word.literal) return Value::of(word.text);
  std::string_view rest = word.text;
  if (rest.contains('`')) return Value::unknown();
  std::string text;
  if (rest == "~" || rest.starts_with("~/")) {
    text = user_.home;
    rest.remove_prefix(1);
  }
  while (true) {
    const auto dollar = std::min(rest.find('$'), rest.size());
    text += rest.substr(0, dollar);
    rest.remove_prefix(dollar);
    if (rest.empty()) return Value::of(text);
    const bool braced = rest.starts_with("${");
    rest.remove_prefix(braced ? 2 : 1);
    std::size_t end = 0;
    while (end < rest.size() && name_char(rest[end])) ++end;
    const Values& values = state_.get(std::string(rest.substr(0, end))).values;
    if (values.size() != 1 || values.front().kind != Value::Kind::text) return Value::unknown();
    rest.remove_prefix(braced && rest.substr(end).starts_with('}') ? end + 1 : end);
    text += values.front().text;
    const bool paid = findings_.budget().spend(Budget::kStep + values.front().text.size());
    if (!paid || text.size() > kMaxText) return Value::unknown();
  }
}

// The value of a word, of `id -un` and the like what they print; of `ls FOLDER`, which scripts
// compare with "", whether there is one.
Value CshScope::output(const CshWord& word) const {
  const auto pattern = listed(word);
  if (!pattern && word.text.size() > 2 && word.text.starts_with('`') && word.text.ends_with('`')) {
    const Values ways = printed_by(split(word.text.substr(1, word.text.size() - 2), ' '), user_);
    return ways.size() == 1 ? ways.front() : Value::unknown();
  }
  if (!pattern) return expand(word);
  const Value folder = expand(*pattern);
  if (folder.kind != Value::Kind::text || folder.text.contains('*')) return Value::unknown();
  findings_.looked_at(folder.text);
  const auto found = findings_.glob(folder.text + "/*");
  if (!found) return Value::unknown();
  return found->empty() ? Value::of("") : Value::of("files");
}

std::optional<CshWord> CshScope::listed(const CshWord& word) {
  if (!word.text.starts_with('`') || !word.text.ends_with('`') || word.text.size() < 3) {
    return std::nullopt;
  }
  const auto parts = split(trim(word.text.substr(1, word.text.size() - 2)), ' ');
  if (parts.size() != 2 || (parts[0] != "ls" && parts[0] != "/bin/ls")) return std::nullopt;
  return CshWord{.text = parts[1], .literal = false, .special = false};
}

Tri CshScope::ask(std::span<const CshWord> words) const {
  while (words.size() >= 2 && words.front().text == "(" && words.back().text == ")") {
    words = words.subspan(1, words.size() - 2);
  }
  std::optional<Tri> answer;
  std::vector<CshWord> term;
  std::string joint;
  const CshWord end_of_words{.text = "", .literal = false, .special = true};
  for (std::size_t i = 0; i <= words.size(); ++i) {
    const CshWord& word = i < words.size() ? words[i] : end_of_words;
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

Tri CshScope::ask_term(std::vector<CshWord> term) const {
  if (term.empty() || term.size() > 3) return Tri::unknown;
  if (term[0].text.starts_with('!')) {
    term[0].text.erase(0, 1);
    if (term[0].text.empty()) term.erase(term.begin());
    return term.empty() || term[0].text.starts_with('!') ? Tri::unknown : !ask_term(term);
  }
  const std::string& first = term[0].text;
  if (term.size() == 1 && first.starts_with("$?")) return is_set(first.substr(2));
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

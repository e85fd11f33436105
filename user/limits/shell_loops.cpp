// SPDX-License-Identifier: Apache-2.0
// for, select, while and until.
#include <algorithm>
#include <cctype>
#include <iterator>
#include <utility>

#include "base/text.h"
#include "limits/shell_interpreter.h"

namespace idlewarden::shell {
namespace {

constexpr std::size_t kMaxRounds = 300;

bool inherited(const Value& value) {
  return value.inherited;
}

std::optional<std::vector<std::string>> one_word(const std::string& text) {
  if (text.contains(' ')) return std::nullopt;
  return std::vector{text};
}

// As glibc's locales but C and POSIX sort the names of files: by letters, large and small alike,
// and digits; what is alike for them comes the other way round than in C, as it may.
std::vector<std::string> sorted_as_elsewhere(const std::vector<std::string>& paths) {
  std::vector<std::pair<std::string, std::string_view>> keyed;
  for (const std::string& path : paths) {
    std::string& letters = keyed.emplace_back("", path).first;
    for (unsigned char c : base_name(path)) {
      if (std::isalnum(c) != 0 || c > 127) letters += static_cast<char>(std::tolower(c));
    }
  }
  std::ranges::sort(keyed, [](const auto& a, const auto& b) {
    return a.first == b.first ? b.second < a.second : a.first < b.first;
  });
  std::vector<std::string> sorted;
  for (const auto& [letters, path] : keyed) sorted.emplace_back(path);
  return sorted;
}

}  // namespace

// One round of a loop's body.
void Interpreter::run_body(const Command& body, State& state) {
  Loop& loop = *loops_.back();
  run(body, state);
  if (loop.continued) state.join(*std::exchange(loop.continued, std::nullopt));
}

// break N, continue N: of so many loops, or of all that there are.
void Interpreter::leave_loops(bool breaks, const std::string& count, State& state) {
  const bool number = !count.empty() && count.size() < 5 &&
                      std::ranges::all_of(count, [](char c) { return c >= '0' && c <= '9'; });
  const std::size_t outwards = std::clamp(number ? std::stoul(count) : 1, 1UL, loops_.size());
  Loop& loop = *loops_[loops_.size() - outwards];
  leave(state, breaks ? loop.broken : loop.continued, "not reached: the loop was left");
}

Tri Interpreter::run_each(const Command& command, State& state) {
  const auto words = command.open_ended ? std::nullopt : each_words(command, state);
  if (!words) return run_repeatedly(command, state);
  if (words->elsewhere == words->here || !state.alive) {
    run_words(command, words->here, state);
    return Tri::unknown;
  }
  auto other = fork(state, budget());
  run_words(command, words->here, state);
  if (!other || !is_order_in_doubt(*words)) return Tri::unknown;
  const Doubt doubt(doubts_);
  run_words(command, words->elsewhere, *other);
  state.join(*other);
  return Tri::unknown;
}

void Interpreter::run_words(const Command& command, const std::vector<std::string>& words,
                            State& state) {
  Loop loop;
  loops_.push_back(&loop);
  for (const std::string& word : words) {
    store(state, command.name, {Value::of(word)}, command.line);
    run_body(command.children.front(), state);
    if (budget().spent()) break;
  }
  loops_.pop_back();
  if (loop.broken) state.join(*loop.broken);
}

// Whether the files that have to do with the variable come in another order elsewhere.
bool Interpreter::is_order_in_doubt(const EachWords& words) {
  const auto about = [&](const std::vector<std::string>& paths) {
    std::vector<std::string> found;
    std::ranges::copy_if(paths, std::back_inserter(found), [&](const std::string& path) {
      if (!visited_.contains(path)) return false;
      const auto file = findings_.read(path, is_users_own(path));
      return file && file->text.contains(kWatched);
    });
    return found;
  };
  const std::vector<std::string> here = about(words.here);
  const std::vector<std::string> elsewhere = about(words.elsewhere);
  for (std::size_t i = 0; i < here.size(); ++i) {
    if (here[i] != elsewhere[i]) findings_.doubt_order(here[i], elsewhere[i]);
  }
  return here != elsewhere;
}

Tri Interpreter::run_loop(const Command& command, State& state) {
  const Tri condition = run(command.children[0], state);
  if (condition == (command.negated ? Tri::yes : Tri::no)) {
    run_unreached(command.children[1], state, "its condition does not hold for this login");
    return Tri::yes;
  }
  return run_repeatedly(command, state);
}

// None, one or more rounds. What is different after a second one may be anything.
Tri Interpreter::run_repeatedly(const Command& command, State& state) {
  const Doubt doubt(doubts_);
  Loop loop;
  loops_.push_back(&loop);
  std::optional<State> first;
  for (int round = 0; round < 2; ++round) {
    const auto before = fork(state, budget());
    if (!before) break;
    if (!command.name.empty()) store(state, command.name, {Value::unknown()}, command.line);
    run_body(command.children.back(), state);
    state.join(*before);
    if (round == 0) first = fork(state, budget());
  }
  loops_.pop_back();
  for (auto& [name, variable] : state.variables) {
    if (!first || variable == first->get(name)) continue;
    Value unknown = Value::unknown();
    if (name == kWatched && state.alive) unknown.source = note(unknown, command.line, "");
    unite(variable.values, {unknown});
  }
  if (loop.broken) state.join(*loop.broken);
  return Tri::unknown;
}

// nullopt: not known.
std::optional<Interpreter::EachWords> Interpreter::each_words(const Command& command,
                                                              State& state) {
  EachWords all;
  const auto add = [&](const std::vector<std::string>& words, bool sorted) {
    std::ranges::copy(words, std::back_inserter(all.here));
    std::ranges::copy(sorted ? sorted_as_elsewhere(words) : words,
                      std::back_inserter(all.elsewhere));
  };
  for (const Word& word : command.words) {
    if (is_all_arguments(word) && word.parts.back().quoted) {
      const auto given = current_arguments(state);
      if (!given) return std::nullopt;
      for (const Values& values : *given) {
        if (values.size() != 1 || values[0].kind != Value::Kind::text) return std::nullopt;
        add({values[0].text}, false);
      }
      continue;
    }
    sorted_by_locale_ = false;
    const auto words = each_word(word, state);
    if (!words) return std::nullopt;
    add(*words, sorted_by_locale_ && budget().spend_steps(2 * words->size()));
    if (all.here.size() > kMaxRounds) return std::nullopt;
  }
  return all;
}

std::optional<std::vector<std::string>> Interpreter::each_word(const Word& word, State& state) {
  if (word.parts.size() == 1 && word.parts[0].kind == Part::Kind::command) {
    return listed(word.parts[0].text);
  }
  Word bare = word;
  if (dialect_ == Dialect::zsh && !bare.parts.empty() && bare.parts.back().op == "(") {
    bare.parts.pop_back();
  }
  Values patterns = expand(bare, state, true);
  if (known_but_for_outside(patterns)) std::erase_if(patterns, inherited);
  if (patterns.size() != 1 || patterns.front().kind != Value::Kind::text) return std::nullopt;
  const std::string& pattern = patterns.front().text;
  const bool alone = word.parts.size() == 1 && word.parts[0].kind == Part::Kind::parameter;
  if (alone && pattern.contains('*') && pattern.contains(' ')) return std::nullopt;
  if (pattern.starts_with('/') && pattern.contains('*')) {
    if (is_users_own(pattern) && !users_files_) return std::nullopt;
    findings_.looked_at(pattern.substr(0, pattern.rfind('/')));
    sorted_by_locale_ = dialect_ != Dialect::mksh && dialect_ != Dialect::posix;
    return findings_.glob(pattern);
  }
  Values texts = expand(word, state);
  if (known_but_for_outside(texts)) std::erase_if(texts, inherited);
  if (texts.size() != 1 || texts.front().kind != Value::Kind::text ||
      texts.front().text.find_first_of("*?[{") != std::string::npos) {
    return std::nullopt;
  }
  const std::string& text = texts.front().text;
  if (std::ranges::all_of(word.parts, &Part::quoted)) return std::vector{text};
  return alone ? separate_words(text, state) : one_word(text);
}

// An expansion without quotes. zsh, as it stands, leaves it whole; `emulate` has it separate words.
std::optional<std::vector<std::string>> Interpreter::separate_words(const std::string& text,
                                                                    const State& state) const {
  constexpr std::string_view kBlanks = " \t\n";
  const bool usual = !state.variables.contains("IFS") ||
                     state.get("IFS").values == Values{Value{}} ||
                     state.get("IFS").values == Values{Value::of(std::string(kBlanks))};
  const bool apart = text.find_first_of(kBlanks) != std::string::npos;
  if (!usual && !std::ranges::all_of(text, name_char)) return std::nullopt;
  if (dialect_ == Dialect::zsh && apart) return std::nullopt;
  std::vector<std::string> words;
  for (std::size_t at = text.find_first_not_of(kBlanks); at != std::string::npos;) {
    const std::size_t end = std::min(text.find_first_of(kBlanks, at), text.size());
    words.push_back(text.substr(at, end - at));
    at = text.find_first_not_of(kBlanks, end);
  }
  return words;
}

// The output of the two commands that list the files of a folder: ls, and run-parts(8) as it
// stands in Debian's /etc/profile since base-files 13.
std::optional<std::vector<std::string>> Interpreter::listed(const std::string& command) const {
  std::vector<std::string> words;
  for (const std::string& word : split(trim(command), ' ')) {
    if (!word.empty() && word != "2>/dev/null") words.push_back(word);
  }
  if (words.size() < 2 || words.back().empty() || words.back().front() != '/') return std::nullopt;
  const std::string last = words.back();
  if (last.find_first_of("$`\"'|;{") != std::string::npos) return std::nullopt;
  std::string pattern = last;
  bool run_parts = false;
  if (words[0] == "ls" || words[0] == "/bin/ls" || words[0] == "/usr/bin/ls") {
    if (words.size() > 3 || !last.contains('*')) return std::nullopt;
    if (words.size() == 3 && words[1] != "-1") return std::nullopt;
  } else if (words[0] == "run-parts" && words.size() == 5 && words[1] == "--list" &&
             words[2] == "--regex" && words[3] == "'^[a-zA-Z0-9_][a-zA-Z0-9._-]*\\.sh$'") {
    run_parts = true;
    pattern += "/*.sh";
  } else {
    return std::nullopt;
  }
  findings_.looked_at(pattern.substr(0, pattern.rfind('/')));
  auto found = findings_.glob(pattern);
  if (run_parts && found) {
    std::erase_if(*found, [](const std::string& path) {
      return !std::ranges::all_of(base_name(path), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
      });
    });
  }
  return found;
}

}  // namespace idlewarden::shell

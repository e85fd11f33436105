// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_parser.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace idlewarden::shell {
namespace {

// Deeper nesting than a person writes; recursion stays far from the end of the stack.
constexpr int kMaxDepth = 60;
constexpr int kMaxChain = 100;  // a && b || ..., a tree that leans to one side

using Kind = Command::Kind;

Command node(Kind kind, int line) {
  Command command;
  command.kind = kind;
  command.line = line;
  return command;
}

// Words that end a list when they stand where a command could.
constexpr std::array<std::string_view, 8> kClosers = {"then", "elif", "else", "fi",
                                                      "do",   "done", "esac", "}"};

}  // namespace

void Parser::take() {
  token_ = lexer_.next();
}

bool Parser::at_word(std::string_view text) const {
  return token_.kind == Token::Kind::word && token_.word.plain(true) == text;
}

bool Parser::accept_word(std::string_view text) {
  if (!at_word(text)) return false;
  take();
  return true;
}

void Parser::expect_word(std::string_view text) {
  if (!accept_word(text)) failed_ = true;
}

void Parser::expect(std::string_view op) {
  if (!token_.is(op)) {
    failed_ = true;
    return;
  }
  take();
}

void Parser::skip_newlines() {
  while (token_.kind == Token::Kind::newline && !failed()) take();
}

Command Parser::fail() {
  failed_ = true;
  return {};
}

bool Parser::at_end_of_list() const {
  if (failed() || token_.kind == Token::Kind::end) return true;
  if (token_.kind == Token::Kind::op) {
    return token_.is(")") || token_.is(";;") || token_.is(";&") || token_.is(";;&") ||
           token_.is(";|");
  }
  return std::ranges::any_of(kClosers, [&](std::string_view word) { return at_word(word); });
}

std::optional<Command> Parser::next() {
  while (token_.kind == Token::Kind::newline && !failed()) take();
  start_ = token_.position;
  start_line_ = token_.line;
  if (failed() || token_.kind == Token::Kind::end) return std::nullopt;
  Command list = parse_list(true);
  if (!failed() && token_.kind != Token::Kind::newline && token_.kind != Token::Kind::end) fail();
  if (failed()) return std::nullopt;
  return list;
}

void Parser::resume() {
  failed_ = false;
  depth_ = 0;
  lexer_.resume_after(start_line_, start_);
  take();
}

Command Parser::parse_list(bool one_line) {
  if (++depth_ > kMaxDepth) return fail();
  Command list = node(Kind::list, token_.line);
  if (!one_line) skip_newlines();
  while (!at_end_of_list()) {
    Command command = parse_and_or();
    if (token_.is("&")) {
      Command background = node(Kind::background, command.line);
      background.children.push_back(std::move(command));
      command = std::move(background);
      take();
    } else if (token_.is(";")) {
      take();
    } else if (token_.kind != Token::Kind::newline && !at_end_of_list()) {
      return fail();
    }
    list.children.push_back(std::move(command));
    if (token_.kind != Token::Kind::newline) continue;
    if (one_line) break;
    skip_newlines();
  }
  --depth_;
  return list;
}

Command Parser::parse_and_or() {
  Command left = parse_pipeline();
  for (int links = 1; !failed() && (token_.is("&&") || token_.is("||")); ++links) {
    if (links > kMaxChain) return fail();
    Command both = node(token_.is("&&") ? Kind::and_if : Kind::or_if, left.line);
    take();
    skip_newlines();
    both.children.push_back(std::move(left));
    both.children.push_back(parse_pipeline());
    left = std::move(both);
  }
  return left;
}

Command Parser::parse_pipeline() {
  bool negated = false;
  while (at_word("!") || at_word("time")) {
    if (at_word("!")) negated = !negated;
    take();
  }
  Command first = parse_command();
  if (token_.is("|") || token_.is("|&")) {
    Command pipeline = node(Kind::pipeline, first.line);
    pipeline.children.push_back(std::move(first));
    while (!failed() && (token_.is("|") || token_.is("|&"))) {
      take();
      skip_newlines();
      pipeline.children.push_back(parse_command());
    }
    first = std::move(pipeline);
  }
  if (negated) first.negated = !first.negated;
  return first;
}

Command Parser::parse_command() {
  if (failed() || ++depth_ > kMaxDepth) return fail();
  Command command;
  if (token_.is("(")) {
    command = parse_parenthesised();
  } else if (accept_word("{")) {
    command = parse_group("}");
  } else if (accept_word("if")) {
    command = parse_if();
  } else if (at_word("while") || at_word("until")) {
    const bool until = at_word("until");
    take();
    command = parse_loop(until);
  } else if (accept_word("for") || accept_word("select") || accept_word("foreach")) {
    command = parse_each();
  } else if (accept_word("case")) {
    command = parse_case();
  } else if (accept_word("[[")) {
    command = parse_test();
  } else if (accept_word("function")) {
    const auto name = token_.kind == Token::Kind::word ? token_.word.plain() : std::nullopt;
    if (!name) return fail();
    take();
    if (token_.is("(")) {
      take();
      expect(")");
    }
    command = parse_function(*name);
    command.keyword = true;
  } else {
    --depth_;
    return parse_simple();
  }
  while (!failed() && parse_redirection(command)) continue;
  --depth_;
  return command;
}

Command Parser::parse_group(std::string_view close) {
  Command group = parse_list(false);
  expect_word(close);
  return group;
}

Command Parser::parse_parenthesised() {
  const std::size_t position = lexer_.position();
  const int line = token_.line;
  take();
  if (token_.is("(") && token_.position == position) {
    // The lexer stands behind "((".
    const std::size_t inside = lexer_.position();
    const int inside_line = lexer_.line();
    if (const auto text = lexer_.arithmetic_rest()) {
      Command arithmetic = node(Kind::arithmetic, line);
      Word word{.parts = {}, .line = line};
      word.parts.push_back(
          {.kind = Part::Kind::arithmetic, .quoted = true, .text = *text, .op = {}, .operand = {}});
      arithmetic.words.push_back(std::move(word));
      take();
      return arithmetic;
    }
    lexer_.rewind(inside, inside_line);
  }
  Command subshell = node(Kind::subshell, line);
  subshell.children.push_back(parse_list(false));
  expect(")");
  return subshell;
}

Command Parser::parse_if() {
  Command branch = node(Kind::branch, token_.line);
  do {
    branch.children.push_back(parse_list(false));
    expect_word("then");
    branch.children.push_back(parse_list(false));
  } while (!failed() && accept_word("elif"));
  if (accept_word("else")) branch.children.push_back(parse_list(false));
  expect_word("fi");
  return branch;
}

Command Parser::parse_loop(bool until) {
  Command loop = node(Kind::loop, token_.line);
  loop.negated = until;
  loop.children.push_back(parse_list(false));
  expect_word("do");
  loop.children.push_back(parse_group("done"));
  return loop;
}

Command Parser::parse_each() {
  Command each = node(Kind::each, token_.line);
  if (token_.is("(")) {
    // for ((;;)): how often it runs is not asked here.
    take();
    if (!token_.is("(") || !lexer_.arithmetic_rest()) return fail();
    each.open_ended = true;
    take();
  } else {
    const auto name = token_.kind == Token::Kind::word ? token_.word.plain(true) : std::nullopt;
    if (!name || !is_name(*name)) return fail();
    each.name = *name;
    take();
    const bool zsh = token_.is("(");
    parse_each_words(each);
    if (zsh && token_.kind == Token::Kind::word && !at_word("do") && !at_word("{")) {
      each.children.push_back(parse_command());
      return each;
    }
  }
  if (token_.is(";")) take();
  skip_newlines();
  if (accept_word("{")) {
    each.children.push_back(parse_group("}"));
  } else {
    expect_word("do");
    each.children.push_back(parse_group("done"));
  }
  return each;
}

void Parser::parse_each_words(Command& each) {
  const bool parenthesised = token_.is("(");  // zsh: for name (words)
  if (!parenthesised) {
    skip_newlines();
    if (!at_word("in")) {
      each.open_ended = true;
      return;
    }
  }
  take();
  while (token_.kind == Token::Kind::word && !failed()) {
    each.words.push_back(token_.word);
    take();
    if (!token_.is("(")) continue;
    // zsh's glob qualifiers, as in *(N)
    take();
    while (token_.kind == Token::Kind::word && !failed()) take();
    expect(")");
  }
  if (parenthesised) {
    expect(")");
  } else if (!token_.is(";") && token_.kind != Token::Kind::newline) {
    failed_ = true;
  }
}

Command Parser::parse_case() {
  Command choice = node(Kind::choice, token_.line);
  if (token_.kind != Token::Kind::word) return fail();
  choice.words.push_back(token_.word);
  take();
  skip_newlines();
  expect_word("in");
  skip_newlines();
  while (!failed() && !at_word("esac")) {
    if (!parse_pattern(choice)) return fail();
    choice.children.push_back(parse_list(false));
    if (token_.is(";&") || token_.is(";;&") || token_.is(";|")) {
      choice.open_ended = true;
    } else if (!token_.is(";;")) {
      break;
    }
    take();
    skip_newlines();
  }
  expect_word("esac");
  return choice;
}

bool Parser::parse_pattern(Command& choice) {
  if (token_.is("(")) take();
  std::vector<Word> patterns;
  while (token_.kind == Token::Kind::word) {
    patterns.push_back(token_.word);
    take();
    if (!token_.is("|")) break;
    take();
  }
  choice.patterns.push_back(std::move(patterns));
  if (!token_.is(")")) return false;
  take();
  return true;
}

// The words of [[ ]], the operators among them as unquoted words.
Command Parser::parse_test() {
  Command test = node(Kind::test, token_.line);
  while (!failed() && !at_word("]]")) {
    if (token_.kind == Token::Kind::end) return fail();
    if (token_.kind == Token::Kind::word) {
      test.words.push_back(token_.word);
    } else if (token_.kind == Token::Kind::op) {
      Word word{.parts = {}, .line = token_.line};
      word.add_part(Part::Kind::literal, false, token_.op);
      test.words.push_back(std::move(word));
    }
    const bool matches = at_word("=~");
    take();
    if (matches) test.words.push_back(parse_expression());
  }
  expect_word("]]");
  return test;
}

// What follows =~ up to a blank: there ( | ) belong to the word.
Word Parser::parse_expression() {
  Word whole{.parts = {}, .line = token_.line};
  int open = 0;
  while (!failed()) {
    const std::size_t end = lexer_.position();
    if (token_.kind == Token::Kind::word) {
      std::ranges::move(token_.word.parts, std::back_inserter(whole.parts));
    } else if (token_.is("(") || token_.is("|") || (token_.is(")") && open > 0)) {
      open += token_.is("(") ? 1 : token_.is(")") ? -1 : 0;
      whole.add_literal(token_.op, false);
    } else {
      break;
    }
    take();
    if (token_.position != end) break;
  }
  return whole;
}

Command Parser::parse_simple() {
  Command simple = node(Kind::simple, token_.line);
  while (!failed()) {
    if (token_.kind == Token::Kind::word) {
      auto assignment = simple.words.empty() ? as_assignment(token_.word) : std::nullopt;
      if (assignment) {
        simple.assignments.push_back(std::move(*assignment));
      } else {
        simple.words.push_back(token_.word);
      }
      take();
    } else if (token_.is("(") && simple.words.size() == 1 && simple.assignments.empty()) {
      const auto name = simple.words.front().plain();
      take();
      if (!name || !token_.is(")")) return fail();
      take();
      return parse_function(*name);
    } else if (!parse_redirection(simple)) {
      break;
    }
  }
  if (simple.words.empty() && simple.assignments.empty() && !at_end_of_list() &&
      token_.kind != Token::Kind::newline && !token_.is(";") && !token_.is("|") &&
      !token_.is("&") && !token_.is("&&") && !token_.is("||")) {
    return fail();
  }
  return simple;
}

Command Parser::parse_function(std::string name) {
  Command function = node(Kind::function, token_.line);
  function.name = std::move(name);
  skip_newlines();
  function.children.push_back(parse_command());
  return function;
}

// Where output goes is not asked: the redirection and its word are skipped.
bool Parser::parse_redirection(Command& command) {
  static constexpr std::array<std::string_view, 11> kRedirections = {
      "<", ">", ">>", ">|", "<&", ">&", "<>", "&>", "&>>", "<<<", "<<"};
  const bool tabs = token_.is("<<-");
  if (token_.kind != Token::Kind::op ||
      (!tabs && std::ranges::find(kRedirections, token_.op) == kRedirections.end()))
    return false;
  const bool here_document = tabs || token_.is("<<");
  const bool input = token_.op.starts_with('<');
  command.fed = command.fed || input;
  command.diverted = command.diverted || (!input && token_.descriptor != "2");
  take();
  if (token_.kind != Token::Kind::word) {
    failed_ = true;
    return false;
  }
  if (here_document) {
    std::string delimiter;
    for (const Part& part : token_.word.parts) delimiter += part.text;
    lexer_.expect_here_document(delimiter, tabs);
  }
  take();
  return true;
}

}  // namespace idlewarden::shell
